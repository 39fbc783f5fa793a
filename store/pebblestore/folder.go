package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

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
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, fmt.Errorf("pebblestore: lock %s: %w", dir, lockError(err))
	}
	s := &Store{o: o, guard: newGuard(dir, o), lock: lock, writer: make(chan struct{}, 1)}
	if err := s.open(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("pebblestore: open %s: %w", dir, err), lock.Close())
	}
	return s, nil
}

// open opens the database. It fails as soon as the disk does not take what has
// to be written for that, while Pebble would go on trying: then a goroutine of
// Pebble's is left that does nothing more, and holds the folder's lock until the
// process ends.
func (s *Store) open(dir string) error {
	done := make(chan error, 1)
	go func() { done <- s.openDatabase(dir) }()
	select {
	case err := <-done:
		if err == nil {
			close(s.guard.opened)
		}
		return err
	case err := <-s.guard.broken:
		return err
	}
}

func (s *Store) openDatabase(dir string) (err error) {
	if s.db, err = pebble.Open(dir, s.o.pebble(s.lock, s.guard)); err != nil {
		return err
	}
	if err := s.checkFormat(); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
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

// lockError tells a lock that somebody else holds from a file that cannot be
// made: the first has no path, and is one of two numbers or Pebble's own word.
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
	if errors.Is(err, pebble.ErrNotFound) && !s.o.ReadOnly {
		return s.writeFormat()
	}
	if errors.Is(err, pebble.ErrNotFound) {
		return errors.New("it has no format record, so it is not Muster's or was never finished")
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
	return s.putFormat(store.Format)
}

// Backup writes a consistent copy of everything applied so far to the folder
// dir, which must be missing or empty, while the store goes on serving. The
// copy shares the disk's blocks with the store where the file system can, and
// is opened like any other folder.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	if s.o.ReadOnly {
		return fmt.Errorf("pebblestore: backup to %s: %w", dir, ErrReadOnly)
	}
	switch names, err := s.o.FS.List(dir); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("pebblestore: backup to %s: %w", dir, err)
	case len(names) > 0:
		return fmt.Errorf("pebblestore: backup to %s: the folder is not empty", dir)
	default:
		if err := s.o.FS.Remove(dir); err != nil { // Pebble wants to make it
			return fmt.Errorf("pebblestore: backup to %s: %w", dir, err)
		}
	}
	if err := s.last.Load().wait(); err != nil {
		return err
	}
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("pebblestore: backup to %s: %w", dir, err)
	}
	return nil
}
