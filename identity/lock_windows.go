package identity

import (
	"errors"
	"syscall"
	"time"
)

// Waiting for another process, which holds the lock while it writes one file.
const (
	lockPause = 20 * time.Millisecond
	lockTries = 500
)

const errSharingViolation = syscall.Errno(32)

// lockBeside waits until no other process has the lock file of a file open, and
// opens it so that none can. A process that ends closes what it has open.
func lockBeside(path string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(path + ".lock")
	if err != nil {
		return nil, err
	}
	for range lockTries {
		var h syscall.Handle
		h, err = syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
		if err == nil {
			return func() { _ = syscall.CloseHandle(h) }, nil
		}
		if !errors.Is(err, errSharingViolation) {
			return nil, err
		}
		time.Sleep(lockPause)
	}
	return nil, err
}
