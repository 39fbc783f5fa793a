package datafolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// empty removes the store in the folder atomically, by renaming it: after a kill there is either
// all of it or nothing.
func (f Folder) empty() error {
	if err := os.Rename(f.DB(), f.emptied()); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if err := f.sync(); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Clear deletes what a reset has renamed. Call it when there is a new store: until then it
// proves that the old one was not lost.
func (f Folder) Clear() error {
	if _, err := os.Lstat(f.emptied()); errors.Is(err, fs.ErrNotExist) {
		return nil // also where nothing can be removed
	}
	return os.RemoveAll(f.emptied())
}

func (f Folder) emptied() string { return filepath.Join(string(f), "db.reset") }
