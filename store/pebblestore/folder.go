package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
)

// ErrLocked is the error of Open when another process, or another Store of
// this one, has the folder.
var ErrLocked = errors.New("the data folder is in use by another process")

// Open opens the folder dir, making it if need be. It fails with ErrLocked
// when the folder is in use, and refuses a folder that a newer release wrote.
func Open(dir string, o Options) (*Store, error) {
	onDisk := o.FS == nil || o.FS == vfs.Default
	o = o.withDefaults()
	if onDisk {
		// Pebble knows its own locks by name, so a folder must have only one.
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("pebblestore: %w", err)
		}
		dir = abs
	}
	if !o.ReadOnly {
		if err := makeFolder(o.FS, dir); err != nil {
			return nil, fmt.Errorf("pebblestore: make %s: %w", dir, err)
		}
	} else if _, err := o.FS.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pebblestore: open %s: %w", dir, ErrUnmade)
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, fmt.Errorf("pebblestore: lock %s: %w", dir, lockError(err))
	}
	s := &Store{o: o, dir: dir, guard: newGuard(dir, o), lock: lock, writer: make(chan struct{}, 1), trouble: make(chan struct{}, 1)}
	s.idle = time.AfterFunc(math.MaxInt64, s.vouch) // until there is a commit
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("pebblestore: open %s: %w", dir, err), lock.Close())
	}
	return s, nil
}

// open opens the database. It fails as soon as the disk refuses a write that is
// needed for that, while Pebble would try again and again. In this case a blocked
// goroutine of Pebble remains, which holds the folder's lock until the process
// ends.
func (s *Store) open() error {
	done := make(chan error, 1)
	go func() { done <- s.openDatabase() }()
	select {
	case err := <-done:
		if err == nil {
			close(s.guard.opened)
		}
		return err
	case err := <-s.guard.broken:
		return openError(err)
	}
}

// openDatabase checks the files of a folder that is locked, and opens the database
// in it. The check is needed because Pebble takes some kinds of damage for what a
// crash leaves, and opens the database without what is lost.
func (s *Store) openDatabase() (err error) {
	err = examine(s.o.FS, s.dir)
	if d := asDamage(err); d != nil && d.Tail != nil && s.o.AcceptLoss {
		s.o.FS, err = s.o.passOver(s.dir, d)
		s.guard.o.FS = s.o.FS
	}
	if err != nil {
		return err
	}
	if !s.o.ReadOnly {
		if s.mark, err = openLogMark(s.o.FS, s.dir, s.o.Logger); err != nil {
			return err
		}
	}
	if s.db, err = openPebble(s.dir, s.pebble()); err != nil {
		return errors.Join(err, s.mark.close())
	}
	if err := s.checkFormat(); err != nil {
		return errors.Join(plainly(err), s.db.Close(), s.mark.close())
	}
	s.views.add(s.db, nil)
	s.markManifest()
	return nil
}

// markManifest records the present manifest in the mark. If that fails, the old
// mark remains, which is valid and only checks less of the manifest.
func (s *Store) markManifest() {
	if s.o.ReadOnly {
		return
	}
	if err := markManifest(s.o.FS, s.dir); err != nil {
		s.o.Logger.Warn("the mark of the list of tables could not be moved", "error", err)
	}
}

// openPebble is pebble.Open, whose panics become errors.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, damaged("its database cannot be opened: %v", r)
		}
	}()
	db, err = pebble.Open(dir, o)
	return db, openError(err)
}

// openError returns an error of opening a database unchanged if it is one of the
// machine, as ErrUnmade if there is no database, and otherwise as a DamageError.
func openError(err error) error {
	switch {
	case err == nil, asDamage(err) != nil:
		return err
	case errors.Is(err, pebble.ErrDBDoesNotExist):
		return ErrUnmade
	case !errors.Is(err, fs.ErrNotExist) && (errors.As(err, new(*fs.PathError)) || errors.As(err, new(syscall.Errno))):
		return err
	}
	return damaged("its database cannot be opened: %s", sentence(err))
}

// makeFolder makes dir for its owner alone, and its name durable.
func makeFolder(files vfs.FS, dir string) error {
	if err := files.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	parent, err := files.OpenDir(files.PathDir(dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// lockError distinguishes a lock that is held from a file that cannot be made: the
// error of the first has no path, and is one of two error numbers or of Pebble's
// own.
func lockError(err error) error {
	var errno syscall.Errno
	switch {
	case errors.As(err, new(*fs.PathError)):
		return err
	case errors.As(err, &errno) && errno != syscall.EAGAIN && errno != syscall.EACCES:
		return err
	}
	return ErrLocked
}

// checkFormat reads the format version, or writes it into a new folder.
func (s *Store) checkFormat() error {
	value, closer, err := s.db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return s.writeFormat()
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	version, n := binary.Uvarint(value)
	switch {
	case n <= 0 || version == 0:
		return fmt.Errorf("its format record %x makes no sense", value)
	case version > store.Format:
		return fmt.Errorf("it has format %d, written by a newer release; this one knows formats up to %d", version, store.Format)
	}
	s.format.Store(int64(version))
	return nil
}

// Format returns the format of the folder: the present one, or that of the
// former release which wrote it.
func (s *Store) Format() int { return int(s.format.Load()) }

// SetFormat writes another format into the folder.
func (s *Store) SetFormat(ctx context.Context, format int) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	if s.o.ReadOnly {
		return ErrReadOnly
	}
	return s.putFormat(format)
}

func (s *Store) putFormat(format int) error {
	if err := s.db.Set(formatKey, binary.AppendUvarint(nil, uint64(format)), pebble.Sync); err != nil {
		return err
	}
	s.format.Store(int64(format))
	return nil
}

func (s *Store) writeFormat() error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	if it.First() {
		err = fmt.Errorf("it holds a database that is not Muster's")
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return err
	}
	if s.o.ReadOnly {
		return ErrUnmade
	}
	return s.putFormat(store.Format)
}
