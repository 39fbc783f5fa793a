//go:build !windows

package identity

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockBeside locks the folder of a file against other processes, and waits while one
// of them has it locked. The system releases the lock when a process ends.
func lockBeside(path string) (unlock func(), err error) {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return func() { _ = d.Close() }, nil
}
