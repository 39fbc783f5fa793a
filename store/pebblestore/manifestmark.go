package pebblestore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// manifestMark names the mark in the folder that has the length of the manifest at
// the last start or stop, and the checksum of that much. A manifest only grows, so
// this part of it must be unchanged. Without the mark, a damaged entry at its end
// would look like one torn by a crash.
const manifestMark = "manifest-sum"

// front is the part of a manifest that a mark describes.
type front struct {
	name string
	size int64
	sum  uint32
}

func (f front) String() string { return fmt.Sprintf("%s.%d.%08x", f.name, f.size, f.sum) }

// frontOf returns the first limit bytes of a manifest, all of it for -1.
func frontOf(files vfs.FS, dir, name string, limit int64) (front, error) {
	file, err := files.Open(files.PathJoin(dir, name))
	if err != nil {
		return front{}, err
	}
	defer file.Close()
	var from io.Reader = file
	if limit >= 0 {
		from = io.LimitReader(file, limit)
	}
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, from)
	return front{name, n, sum.Sum32()}, err
}

// markManifest moves the mark to all of the manifest.
func markManifest(files vfs.FS, dir string) error {
	name, err := atomicfs.ReadMarker(files, dir, manifestMarker)
	if err != nil {
		return err
	}
	now, err := frontOf(files, dir, name, -1)
	if err != nil {
		return err
	}
	mark, was, err := atomicfs.LocateMarker(files, dir, manifestMark)
	if err != nil {
		return err
	}
	if err = mark.RemoveObsolete(); err == nil && was != now.String() {
		err = mark.Move(now.String())
	}
	return errors.Join(err, mark.Close())
}

// checkManifestMark returns a DamageError when the manifest called name is not what
// the mark says.
func checkManifestMark(files vfs.FS, dir, name string) error {
	value, err := atomicfs.ReadMarker(files, dir, manifestMark)
	if err != nil {
		return damaged("the names of its files make no sense: %v", err)
	}
	var size int64
	var sum uint32
	if n, err := fmt.Sscanf(value, name+".%d.%x", &size, &sum); n != 2 || err != nil {
		return nil // there is none, or it is of an earlier manifest
	}
	now, err := frontOf(files, dir, name, size)
	if err != nil {
		return damaged("its list of tables %s cannot be read: %v", name, err)
	}
	if now != (front{name, size, sum}) {
		return damaged("its list of tables %s is damaged: its first %d bytes are not what they were", name, size)
	}
	return nil
}
