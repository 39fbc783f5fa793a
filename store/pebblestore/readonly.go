package pebblestore

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrReadOnly is the error of every change to a store that was opened with
// Options.ReadOnly.
var ErrReadOnly = errors.New("pebblestore: the store is open for reading only")

// ErrUnmade is the error of Open with Options.ReadOnly when there is no store yet,
// or only the beginning of one: nothing was ever written.
var ErrUnmade = errors.New("there is no store yet")

// readOnlyFS is a file system on which nothing can be changed, so that a folder
// opened for reading stays the same, byte for byte.
type readOnlyFS struct{ vfs.FS }

func (readOnlyFS) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return nil, ErrReadOnly }

func (readOnlyFS) OpenReadWrite(string, vfs.DiskWriteCategory, ...vfs.OpenOption) (vfs.File, error) {
	return nil, ErrReadOnly
}

func (readOnlyFS) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, ErrReadOnly
}

func (readOnlyFS) Link(string, string) error             { return ErrReadOnly }
func (readOnlyFS) Rename(string, string) error           { return ErrReadOnly }
func (readOnlyFS) Remove(string) error                   { return ErrReadOnly }
func (readOnlyFS) RemoveAll(string) error                { return ErrReadOnly }
func (readOnlyFS) MkdirAll(string, os.FileMode) error    { return ErrReadOnly }
func (f readOnlyFS) Unwrap() vfs.FS                      { return f.FS }
func (f readOnlyFS) Lock(name string) (io.Closer, error) { return lockIfThere(f.FS, name) }

// lockIfThere locks a file that exists. A lock is not needed if there is no such
// file, since then no process has the folder open, nor on a disk that is read
// only, since then the folder cannot change.
func lockIfThere(files vfs.FS, name string) (io.Closer, error) {
	if _, err := files.Stat(name); errors.Is(err, os.ErrNotExist) {
		return noLock{}, nil
	}
	lock, err := files.Lock(name)
	if errors.Is(err, syscall.EROFS) {
		return noLock{}, nil
	}
	return lock, err
}

type noLock struct{}

func (noLock) Close() error { return nil }
