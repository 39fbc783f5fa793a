package datafolder

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/files/diskstore"
)

// Backup copies the data folder to another folder, which must be missing or
// empty, and which can then be served like the first. While a server uses the store, hold
// must keep the contents of job files in place. The list of files is written last: a backup
// without it is refused.
func (f Folder) Backup(ctx context.Context, s *Store, to Folder, hold func() (release func())) error {
	if err := f.CheckBackup(); err != nil {
		return err
	}
	if err := backup(to).claim(); err != nil {
		return muster.Errorf(muster.Conflict, "The backup cannot be made there: %v", err)
	}
	defer hold()()
	if err := s.pebble.Backup(ctx, to.DB()); err != nil {
		return err
	}
	if err := diskstore.CopyContents(f.Files(), to.Files()); err != nil {
		return err
	}
	if err := copyBesides(f, to); err != nil {
		return err
	}
	return backup(to).seal(ctx)
}

// copyBesides copies the files beside the store and the contents of job files.
func copyBesides(f, to Folder) error {
	files, err := f.besides()
	if err != nil {
		return err
	}
	for _, file := range files {
		name, err := filepath.Rel(string(f), file)
		if err != nil {
			return err
		}
		if err := copyPrivate(file, filepath.Join(string(to), name)); err != nil {
			return err
		}
	}
	return nil
}

// CheckBackup refuses a folder whose store is in a database, since Backup would copy half of it.
func (f Folder) CheckBackup() error {
	if _, err := os.Lstat(f.NodeFile()); err == nil {
		return muster.Errorf(muster.Conflict, "The store of %s is in a database, which is backed up with PostgreSQL's own tools, such as pg_dump "+
			"(see \"PostgreSQL\" in the guide)", string(f))
	}
	return nil
}

// HoldNothing is the hold for a folder that no server is using.
func HoldNothing() (release func()) { return func() {} }

// copyPrivate copies a small file, if it is there. Only its owner may read the copy.
func copyPrivate(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
