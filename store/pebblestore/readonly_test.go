package pebblestore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

// treeSum says what is in a folder: names, modes and contents.
func treeSum(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %s %d\n", path[len(dir):], info.Mode(), info.Size())
		if d.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		sum.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// A folder that was killed with writes in its log, one that was closed, and a
// backup: each can be read whole, and nothing in it changes.
func TestReadOnlyChangesNothing(t *testing.T) {
	ctx := context.Background()
	base := t.TempDir()
	dir := filepath.Join(base, "data")
	s := open(t, dir, pebblestore.Options{})
	h := storetest.NewHistory(7)
	for range 40 {
		wait, err := h.Step(s)
		if err == nil && wait != nil {
			err = wait()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	killed, backup := filepath.Join(base, "killed"), filepath.Join(base, "backup")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Backup(ctx, backup), s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, killed, backup} {
		before := treeSum(t, dir)
		s := open(t, dir, pebblestore.Options{ReadOnly: true})
		err := s.View(ctx, func(r store.Reader) error {
			step, err := h.Check(r)
			if step != h.Steps() {
				t.Errorf("%s shows step %d, want %d", dir, step, h.Steps())
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		err = store.Update(ctx, s, func(tx store.Tx) error { tx.Put("table", "key", nil); return nil })
		if !errors.Is(err, pebblestore.ErrReadOnly) {
			t.Errorf("Update() = %v, want %v", err, pebblestore.ErrReadOnly)
		}
		if err := s.Backup(ctx, filepath.Join(base, "more")); !errors.Is(err, pebblestore.ErrReadOnly) {
			t.Errorf("Backup() = %v, want %v", err, pebblestore.ErrReadOnly)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if treeSum(t, dir) != before {
			t.Errorf("reading %s changed it", dir)
		}
	}
}

func TestReadOnlyMakesNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, err := pebblestore.Open(dir, pebblestore.Options{ReadOnly: true})
	if !errors.Is(err, pebblestore.ErrUnmade) {
		t.Errorf("Open() of a folder that is not there, for reading only: %v, want %v", err, pebblestore.ErrUnmade)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat() of the folder = %v, want that it does not exist", err)
	}
}
