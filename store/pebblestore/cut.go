package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lostSuffix is added to the names of logs that were given up. They are kept for
// examination; Muster does not read them.
const lostSuffix = ".lost"

// cut gives up the end of a log and the logs after it. It removes the newest
// first, so that a crash in between never leaves a log after a missing one.
func (t *LostTail) cut(files vfs.FS, dir string) error {
	for _, name := range slices.Backward(t.later) {
		path := files.PathJoin(dir, name)
		if err := files.Rename(path, path+lostSuffix); err != nil {
			return err
		}
	}
	path := files.PathJoin(dir, t.Log)
	short := path + ".tmp"
	switch err := copyFront(files, path, short, t.Offset); {
	case errors.Is(err, os.ErrNotExist):
		return syncFolder(files, dir) // it is the log that is missing
	case err != nil:
		return err
	}
	if err := files.Rename(path, path+lostSuffix); err != nil {
		return err
	}
	if err := files.Rename(short, path); err != nil {
		return err
	}
	return syncFolder(files, dir)
}

// copyFront copies the first n bytes of a file to another, durably.
func copyFront(files vfs.FS, from, to string, n int64) error {
	source, err := files.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	f, err := files.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(source, n))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncFolder(files vfs.FS, dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// cutFS shows a folder as cut would leave it, without changing it.
type cutFS struct {
	vfs.FS
	tail *LostTail
}

func (c cutFS) List(dir string) ([]string, error) {
	names, err := c.FS.List(dir)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(c.tail.later, name) }), err
}

func (c cutFS) Open(path string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.Open(path, o...)
	if err != nil || c.PathBase(path) != c.tail.Log {
		return f, err
	}
	return &cutFile{f, io.LimitReader(f, c.tail.Offset)}, nil
}

func (c cutFS) Unwrap() vfs.FS { return c.FS }

// cutFile is the front of a log, which is read from its beginning to its end.
type cutFile struct {
	vfs.File
	front io.Reader
}

func (f *cutFile) Read(b []byte) (int, error) { return f.front.Read(b) }

// examine returns a DamageError when the files of a folder lack something that
// had been synced, as far as that can be told without reading tables.
func examine(files vfs.FS, dir string) error {
	state, found, err := readManifest(files, dir)
	if err != nil || !found {
		return err
	}
	return checkLogs(files, dir, state)
}

// passOver makes Open see a folder without the damaged end of its log, and
// returns the file system to open it on.
func (o Options) passOver(dir string, d *DamageError) (vfs.FS, error) {
	if o.ReadOnly {
		return cutFS{o.FS, d.Tail}, nil
	}
	o.Logger.Warn("the damaged end of the log is given up, as was asked for", "damage", d.What,
		"log", d.Tail.Log, "from_byte", d.Tail.Offset, "changes_given_up", d.Tail.Changes, "bytes_given_up", d.Tail.Bytes,
		"kept_as", d.Tail.Log+lostSuffix)
	if err := d.Tail.cut(o.FS, dir); err != nil {
		return nil, fmt.Errorf("give up the damaged end of the log: %w", err)
	}
	return o.FS, nil
}
