package identity

import (
	"errors"
	"syscall"
	"time"
)

// A process holds the lock while it writes one file, so waits are short.
const (
	lockPause = 20 * time.Millisecond
	lockTries = 500
)

const errSharingViolation = syscall.Errno(32)

// lockBeside opens the lock file of a file exclusively, and waits, for 10 seconds at
// most, while another process has it open. The system closes it when a process ends.
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
