package diskstore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// blobs are the files that hold the contents of objects and parts. A file is written
// once and never changed. Its name, the blob, is random and is what the index knows it
// by. A content is fresh until the transaction that puts its blob into the index has
// committed; the sweep of a running process leaves fresh ones alone.
type blobs struct {
	dir string

	mu     sync.Mutex      // guards what follows
	fresh  map[string]bool // blobs that are being written, or not yet in the index
	held   int             // callers of hold that have not released
	doomed []string        // blobs to be removed when held is 0
}

func openBlobs(dir string) (*blobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &blobs{dir: dir, fresh: map[string]bool{}}, nil
}

// path returns the file of a blob. Files are spread over 256 folders.
func (b *blobs) path(name string) string { return filepath.Join(b.dir, name[:2], name) }

// nameLength is the length of a blob: 16 random bytes in hexadecimal.
const nameLength = 32

// create makes an empty file for a fresh content. The caller must later call keep or
// drop.
func (b *blobs) create() (string, *os.File, error) {
	var id [nameLength / 2]byte
	_, _ = rand.Read(id[:]) // never fails
	name := hex.EncodeToString(id[:])
	b.mu.Lock()
	b.fresh[name] = true
	b.mu.Unlock()
	f, err := b.open(name)
	if err != nil {
		b.keep(name)
		return "", nil, err
	}
	return name, f, nil
}

func (b *blobs) open(name string) (*os.File, error) {
	const mode = os.O_RDWR | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(b.path(name), mode, 0o600)
	if !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	if err := os.Mkdir(filepath.Dir(b.path(name)), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := syncDir(b.dir); err != nil {
		return nil, err
	}
	return os.OpenFile(b.path(name), mode, 0o600)
}

// finish closes the file of a content, durably.
func (b *blobs) finish(name string, f *os.File) error {
	err := f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = syncDir(filepath.Dir(b.path(name)))
	}
	return err
}

// link makes another blob with the same content, as a hard link.
func (b *blobs) link(from string) (string, error) {
	name, f, err := b.create()
	if err != nil {
		return "", err
	}
	f.Close()
	if err = os.Remove(b.path(name)); err == nil {
		err = os.Link(b.path(from), b.path(name))
	}
	if err == nil {
		err = syncDir(filepath.Dir(b.path(name)))
	}
	if err != nil {
		b.drop(name)
		return "", err
	}
	return name, nil
}

// keep says that a blob is in the index now.
func (b *blobs) keep(name string) {
	b.mu.Lock()
	delete(b.fresh, name)
	b.mu.Unlock()
}

// drop removes a fresh content.
func (b *blobs) drop(name string) {
	os.Remove(b.path(name))
	b.keep(name)
}

// remove removes a content whose blob is no longer in the index. If that fails, the
// sweep of the next process removes it.
func (b *blobs) remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held > 0 {
		b.doomed = append(b.doomed, name)
		return
	}
	os.Remove(b.path(name))
}

// hold delays all removals until release is called. Call release once.
func (b *blobs) hold() (release func()) {
	b.mu.Lock()
	b.held++
	b.mu.Unlock()
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.held--; b.held > 0 {
			return
		}
		for _, name := range b.doomed {
			os.Remove(b.path(name))
		}
		b.doomed = nil
	}
}

func (b *blobs) isFresh(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fresh[name]
}

// syncDir makes the entries of a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Hold keeps every content that is in the index now or later, until release is called:
// for a backup, which reads the index and then copies contents. Call release once.
func (s *Store) Hold() (release func()) { return s.blobs.hold() }

// CopyContents copies the contents in one folder to another, which it makes. It makes
// hard links where the file system allows that. A Store may use the first folder
// meanwhile, if it is held (Store.Hold). Contents that are in the second already are left
// there: a content never changes.
func CopyContents(from, to string) error {
	folders, err := os.ReadDir(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, folder := range folders {
		names, err := os.ReadDir(filepath.Join(from, folder.Name()))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, folder.Name()), 0o700); err != nil {
			return err
		}
		for _, name := range names {
			path := filepath.Join(folder.Name(), name.Name())
			if err := copyFile(filepath.Join(from, path), filepath.Join(to, path)); err != nil {
				return fmt.Errorf("copy %s: %w", path, err)
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	if _, err := os.Lstat(to); err == nil || os.Link(from, to) == nil {
		return nil
	}
	source, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was fresh, and was dropped
	}
	if err != nil {
		return err
	}
	defer source.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, source); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
