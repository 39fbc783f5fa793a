package datafolder

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/pgstore"
	"github.com/muster-iot/muster/turns"
)

// ErrInUse is wrapped by the errors of opening a store that another process works on.
var ErrInUse = pebblestore.ErrLocked

// ErrElsewhere is wrapped by the errors of opening the store of a folder without Database,
// although the folder was served with a database.
var ErrElsewhere = errors.New("it is served with a database: say which one with --store or --store-file")

// StoreOptions say where the store of a data folder is, and how it is opened.
type StoreOptions struct {
	// Database is as in pgstore.Options. Empty is for the store in the folder itself.
	Database string
	// Lanes is as in pgstore.Options.
	Lanes int
	// Node is the name that the server has at a database. Empty is the one in the folder, which
	// is made there, so a folder that is read-only needs one.
	Node string
	// Shared is as in pgstore.Options.
	Shared bool
	// Version is that of the program, for people who look into a database.
	Version string
	// OnTrips is told how many round trips to a database each transaction and view took, and
	// whether it has changed something. Nil is allowed.
	OnTrips func(trips int, changed bool)
	// ReadOnly opens the store to look at it. A server may work on a database meanwhile.
	ReadOnly bool
	// AcceptLoss opens a store in the folder, or one that does not know the folder, as
	// far as it is there.
	AcceptLoss bool

	// Of a store in the folder, as in pebblestore.Options.
	MemTableBytes int
	Turns         *turns.Turns

	// Fatal is called when the store cannot go on, and must end the process, which is always
	// safe. Nil may panic.
	Fatal func(error)

	Log *slog.Logger // nil discards
}

// Store is the open store of a data folder, in the folder or in a database.
type Store struct {
	store.Formatted
	folder   Folder
	pebble   *pebblestore.Store // nil: it is in a database
	database *pgstore.Store     // nil: it is in the folder
	lock     *os.File           // of the folder; nil when there is none to hold
	emptied  bool               // the store in the folder goes when it is closed
}

// OpenStore opens the store, for this process alone unless it is read only. Its error wraps
// ErrInUse when another process has opened it.
func (f Folder) OpenStore(ctx context.Context, o StoreOptions) (*Store, error) {
	return o.open(ctx, f, func(*Parts) error { return nil })
}

// open is OpenStore. check is asked before a database is changed, with what that knows of its
// folder.
func (o StoreOptions) open(ctx context.Context, f Folder, check func(known *Parts) error) (*Store, error) {
	if err := f.checkPlace(o.Database); err != nil {
		return nil, f.Explain(err)
	}
	s := &Store{folder: f}
	var err error
	if o.Database != "" {
		err = s.openDatabase(ctx, o, check)
	} else {
		s.pebble, err = pebblestore.Open(f.DB(), pebblestore.Options{
			ReadOnly: o.ReadOnly, AcceptLoss: o.AcceptLoss, MemTableBytes: o.MemTableBytes, Turns: o.Turns, Fatal: o.Fatal, Logger: o.Log,
		})
		s.Formatted = s.pebble
	}
	if err != nil {
		return nil, f.Explain(err)
	}
	return s, nil
}

// checkPlace refuses a store at another place than the folder's. A folder never has one of
// each: the older one would be served some day for the present one.
func (f Folder) checkPlace(database string) error {
	_, err := os.Lstat(f.NodeFile())
	switch inDatabase := err == nil; {
	case database == "" && inDatabase:
		if f.Locked() {
			return ErrInUse // the server can be asked
		}
		return elsewhere(f)
	case database != "" && !inDatabase && f.hasOwnStore():
		return fmt.Errorf("the data folder %s has a store of its own, the folder db: move it to the database with muster admin export and import, "+
			"into a new data folder; or remove db if nothing in it is needed any more", string(f))
	}
	return nil
}

func elsewhere(f Folder) error { return fmt.Errorf("data folder %s: %w", string(f), ErrElsewhere) }

// HasStore reports whether the folder has a store, in itself or in a database.
func (f Folder) HasStore() bool {
	_, err := os.Lstat(f.NodeFile())
	return err == nil || f.hasOwnStore()
}

// hasOwnStore reports whether the folder itself holds a store.
func (f Folder) hasOwnStore() bool {
	marks, _ := filepath.Glob(filepath.Join(f.DB(), "marker.*")) // the pattern is well formed
	return len(marks) > 0
}

// openDatabase opens a database. A server first locks the folder, so that no two processes
// have its name at the database.
func (s *Store) openDatabase(ctx context.Context, o StoreOptions, check func(known *Parts) error) (err error) {
	if _, err = pgstore.CheckAddress(o.Database); err != nil {
		return fmt.Errorf("the address of the database: %w", err)
	}
	var made bool // the file of the name
	defer func() {
		if err == nil {
			return
		}
		if s.database != nil {
			err = errors.Join(err, s.database.Close())
		}
		if made { // the folder has nothing to do with this database
			err = errors.Join(err, os.Remove(s.folder.NodeFile()))
		}
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	node := ""
	switch {
	case o.ReadOnly:
	case ReadOnly(s.folder) && o.Node == "":
		return errNamelessReadOnly
	case ReadOnly(s.folder):
		node = o.Node
	default:
		if s.lock, err = lockFile(s.folder.lockFile()); err != nil {
			return err
		}
		if node, made, err = s.folder.node(); err != nil {
			return err
		}
		node = cmp.Or(o.Node, node)
	}
	onTrips := o.OnTrips
	if onTrips == nil {
		onTrips = func(int, bool) {}
	}
	s.database, err = pgstore.Open(ctx, pgstore.Options{
		OnCommit: func(c pgstore.Commit) { onTrips(c.Trips, true) },
		OnView:   func(v pgstore.View) { onTrips(v.Trips, false) },
		Database: o.Database, Node: node, Lanes: o.Lanes, Shared: o.Shared, Version: o.Version, ReadOnly: o.ReadOnly, Fatal: o.Fatal, Log: o.Log,
		Check: func(r store.Reader) error {
			known, err := partsIn(r)
			if err == nil {
				err = o.checkDeployment(s.folder, known)
			}
			if err == nil {
				err = check(known)
			}
			return err
		},
	})
	if err != nil {
		return oneLine{err}
	}
	s.Formatted = s.database
	known, err := knownParts(ctx, s) // which another deployment may have begun since it was looked at
	if err != nil {
		return err
	}
	return o.checkDeployment(s.folder, known)
}

var errNamelessReadOnly = errors.New("it is read-only: a server that is alone on its database writes there, and one of several, with --bus, need not")

// oneLine is an error of connecting, which has a line for each address that was tried, as one.
type oneLine struct{ error }

func (e oneLine) Error() string {
	return strings.NewReplacer(":\n\t", ": ", "\n\t", "; ").Replace(e.error.Error())
}

func (e oneLine) Unwrap() error { return e.error }

// checkDeployment refuses the database of another deployment, which is known by its
// certificate authority: devices trust that one, and no other.
func (o StoreOptions) checkDeployment(f Folder, known *Parts) error {
	if known == nil {
		return nil
	}
	theirs := known.Files[filepath.Base(f.CA().Certificate)]
	switch ours, err := identity.AuthorityDigest(f.CA()); {
	case theirs == "", err == nil && ours == theirs:
		return nil
	case errors.Is(err, fs.ErrNotExist) && o.AcceptLoss:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it is that of a deployment whose keys and certificate authority are not in %s: "+
			"use its data folder, or a copy of its secrets; or start once with --accept-loss to have others made", string(f))
	case err != nil:
		return err
	}
	return fmt.Errorf("it belongs to another deployment: its certificate authority is not the one in %s", string(f))
}

// OpenMigrated is OpenStore for a server: it converts a store of a former release to the
// present format, after which no former release opens it again. It refuses an empty store of a
// folder that was served.
func (f Folder) OpenMigrated(ctx context.Context, o StoreOptions) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	lost := func(there bool, what string) error {
		switch {
		case there || !f.served():
			return nil
		case !o.AcceptLoss:
			return &damageError{fmt.Sprintf("%s is damaged: its store, %s", string(f), what)}
		}
		o.Log.Warn("a data folder begins anew, as --accept-loss says", "damage", "its store, "+what)
		return nil
	}
	if _, err := os.Lstat(f.NodeFile()); o.Database == "" && errors.Is(err, fs.ErrNotExist) {
		if err := lost(f.hasOwnStore(), "the folder db, is missing or empty"); err != nil {
			return nil, err
		}
	}
	s, err := o.open(ctx, f, func(known *Parts) error { return lost(known != nil, "the database, is empty") })
	if err != nil {
		return nil, err
	}
	if err := service.Migrate(ctx, s, o.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", string(f), err), s.Close())
	}
	return s, nil
}

// served reports whether the folder must have a store: there is a server's certificate. A reset
// that was interrupted leaves none, but then the old one is still there under another name, or
// there is a mark.
func (f Folder) served() bool {
	_, certificate := os.Stat(f.Server().Certificate)
	_, reset := os.Stat(f.emptied())
	_, begins := os.Stat(f.beginsEmpty())
	return certificate == nil && reset != nil && begins != nil
}

// Empty removes everything in the store, which must be closed next. After a kill there is either
// all of it or nothing. The next server deletes contents of job files that no store names any
// more.
func (s *Store) Empty(ctx context.Context) error {
	if s.database == nil {
		s.emptied = true // files in use cannot be renamed everywhere
		return nil
	}
	err := s.folder.markEmpty()
	if err == nil {
		err = s.database.Empty(ctx)
	}
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Close closes the store and releases the folder.
func (s *Store) Close() error {
	err := s.Formatted.Close()
	if err == nil && s.emptied {
		err = s.folder.empty()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// NodeFile is the file that makes a folder one whose store is in a database. It holds the name
// that its server has there.
func (f Folder) NodeFile() string { return filepath.Join(string(f), "node") }

// node returns the name of the server at the database. It makes the file if there is none.
func (f Folder) node() (name string, made bool, err error) {
	text, err := os.ReadFile(f.NodeFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	if name = strings.TrimSpace(string(text)); name != "" { // an empty one was being made
		return name, false, nil
	}
	name, made = rand.Text(), err != nil
	return name, made, writeNew(f.NodeFile(), name+"\n")
}

// Locked reports whether a server uses the folder and has its store in a database. A store in the
// folder is locked itself.
func (f Folder) Locked() bool {
	for _, path := range []string{f.NodeFile(), f.ReadyFile()} { // a server that starts must find the lock free
		if _, err := os.Lstat(path); err != nil {
			return false
		}
	}
	lock, err := lockFile(f.lockFile())
	if err == nil {
		err = lock.Close()
	}
	return errors.Is(err, ErrInUse)
}

// lockFile is locked while a server with its store in a database uses the folder.
func (f Folder) lockFile() string { return filepath.Join(string(f), "lock") }

// beginsEmpty marks a folder whose store may be empty, although there is a server's certificate.
func (f Folder) beginsEmpty() string { return filepath.Join(string(f), "begins-empty") }

func (f Folder) markEmpty() error {
	return writeNew(f.beginsEmpty(), "No store has anything of this folder yet.\n")
}

// writeNew writes a small file, durably, for its owner only.
func writeNew(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return Folder(filepath.Dir(path)).sync()
}
