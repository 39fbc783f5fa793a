package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
)

// Backup writes a consistent copy of everything applied so far to the folder
// dir, which must be missing or empty, while the store goes on serving. The
// copy shares the disk's blocks with the store where the file system can, and
// is opened like any other folder. Everything but the changes of the last moments
// is in tables, in which every block has a checksum.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	if err := s.backup(dir); err != nil {
		return fmt.Errorf("pebblestore: backup to %s: %w", dir, err)
	}
	return nil
}

func (s *Store) backup(dir string) error {
	if s.o.ReadOnly {
		return ErrReadOnly
	}
	switch names, err := s.o.FS.List(dir); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case len(names) > 0:
		return errors.New("the folder is not empty")
	default:
		if err := s.o.FS.Remove(dir); err != nil { // Pebble makes it, and fails if it exists
			return err
		}
	}
	if err := s.last.Load().wait(); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	return s.db.Checkpoint(dir, pebble.WithFlushedWAL())
}
