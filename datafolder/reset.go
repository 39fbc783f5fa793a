package datafolder

import (
	"fmt"
	"os"
	"path/filepath"
)

// Empty forgets the store of a data folder, at once and for good: a process that
// is killed in the middle has either all of it or nothing. Contents of job files
// that are in no store any more go when the next server sweeps.
func (f Folder) Empty() error {
	if err := os.Rename(f.DB(), f.emptied()); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if err := f.sync(); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Clear removes what a reset put away, once there is a new store: until then it is
// the proof that the old one was not lost.
func (f Folder) Clear() error { return os.RemoveAll(f.emptied()) }

func (f Folder) emptied() string { return filepath.Join(string(f), "db.reset") }
