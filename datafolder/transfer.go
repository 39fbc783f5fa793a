package datafolder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/transfer"
)

// Export writes the store s of the data folder, and what is beside it, to the folder to, from
// which Import makes a data folder with a store of any kind (transfer.Make). A server may use
// a store that allows it.
func (f Folder) Export(ctx context.Context, s store.Store, to string, a transfer.About) (transfer.List, error) {
	var problems []string
	_, err := backup(f).check(ctx, func(p string) { problems = append(problems, p) })
	if err == nil && len(problems) > 0 {
		err = &damageError{fmt.Sprintf("%s is a damaged backup: %s", string(f), summary(problems))}
	}
	if err != nil {
		return transfer.List{}, err
	}
	return transfer.Make(ctx, s, exportedTables(), to, a, copyBeside(f))
}

// copyBeside copies what is beside the store. A server may make and delete job files in the
// meantime, so what is new when the snapshot is taken is copied then, and none of the contents
// that it names may be missing.
func copyBeside(f Folder) transfer.Beside {
	return func(to string) (complete func(r store.Reader) error, err error) {
		files := Folder(to).Files()
		return func(r store.Reader) error {
			if err := diskstore.CopyContents(f.Files(), files); err != nil {
				return err
			}
			if err := diskstore.CheckContents(r, files); err != nil {
				return err
			}
			return copyBesides(f, Folder(to))
		}, diskstore.CopyContents(f.Files(), files)
	}
}

// exportedTables are the tables of all records. Former formats have more than the present one.
func exportedTables() []store.Table {
	all := service.FormerTables()
	for _, table := range slices.Concat(service.Tables(), sessionstore.Tables(), diskstore.Tables(), []store.Checker{partsTable}) {
		if !slices.Contains(transfer.Tables(), table) {
			all = append(all, table.Name())
		}
	}
	return all
}

// Import makes a data folder of an export: it copies what belongs beside the store into f, which
// must be missing or empty, and fills the store that o names, which must be empty. If it is
// interrupted, the next call continues; until it has returned nil neither is served. Before that it calls whole.
func (f Folder) Import(ctx context.Context, from string, o StoreOptions, whole func() error) (transfer.List, error) {
	return importInto(ctx, whole, from, f, func() (store.Store, error) { return f.OpenStore(ctx, o) })
}

// importInto is Import into the store that open opens; it calls whole before the folder can be served.
func importInto(ctx context.Context, whole func() error, from string, to Folder, open func() (store.Store, error)) (transfer.List, error) {
	x, err := transfer.Open(from)
	if err == nil {
		err = x.Check(ctx)
	}
	if err != nil {
		return transfer.List{}, err
	}
	continued, err := beginImport(x.SHA256, to)
	if err == nil {
		err = x.Restore(ctx, string(to))
	}
	if err != nil {
		return transfer.List{}, err
	}
	s, err := open()
	if err != nil {
		return transfer.List{}, err
	}
	err = x.Import(ctx, s, exportedTables(), service.MigrateLater)
	done := errors.Is(err, transfer.ErrDone)
	if err == nil || done && continued { // only what follows was missing
		done, err = false, keepFirstParts(ctx, to, s)
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	if done { // the store has changed since, and does not belong to what was restored here
		err = errors.Join(err, os.RemoveAll(string(to)))
	}
	if err == nil {
		err = whole()
	}
	if err == nil {
		err = os.Remove(importMark(to))
	}
	if err == nil {
		err = to.sync()
	}
	return x.List, err
}

// importMark marks a folder into which an import is unfinished. It has the name of the export.
func importMark(f Folder) string { return filepath.Join(string(f), "import-unfinished") }

// beginImport marks a folder, and reports whether an earlier call has done that for the same
// export. It refuses any other folder that is not empty.
func beginImport(export string, to Folder) (continued bool, err error) {
	entries, err := os.ReadDir(string(to))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	switch mark, err := os.ReadFile(importMark(to)); {
	case err == nil && string(mark) == export+"\n":
		return true, nil
	case err == nil && bytes.HasSuffix(mark, []byte("\n")):
		return false, fmt.Errorf("the import of another export into the folder %s is unfinished: continue that one, or begin with an empty folder", string(to))
	case err == nil && len(entries) == 1: // it was being made
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	case len(entries) > 0:
		return false, fmt.Errorf("the folder %s is not empty", string(to))
	}
	if err := errors.Join(os.MkdirAll(string(to), 0o700), os.Chmod(string(to), 0o700)); err != nil {
		return false, err
	}
	return false, writeNew(importMark(to), export+"\n")
}

// keepFirstParts is KeepParts for a store that knows of no files, as those of the first releases.
// Without them a database is taken for an empty one.
func keepFirstParts(ctx context.Context, f Folder, s store.Store) error {
	known, err := knownParts(ctx, s)
	if err != nil || known != nil {
		return err
	}
	return f.KeepParts(ctx, s)
}

// CheckWhole returns an error for a folder that is not a data folder yet: an export, or one into
// which an import is unfinished.
func CheckWhole(f Folder) error {
	if _, err := os.Stat(importMark(f)); err == nil {
		return fmt.Errorf("an import into %s is unfinished: run the same muster admin import again to continue it", string(f))
	}
	if transfer.Is(string(f)) {
		return fmt.Errorf("%s is an export and no data folder: muster admin import makes a data folder of it", string(f))
	}
	return nil
}
