package reserve

import (
	"errors"
	"slices"
	"syscall"
)

// IsFull reports whether err says that a disk, or a quota on one, has no room.
func IsFull(err error) bool { return isAny(err, fullErrors) }

// IsOutOfFiles reports whether err says that this process, or the machine, has
// as many files and connections open as it may.
func IsOutOfFiles(err error) bool {
	return isAny(err, []error{syscall.EMFILE, syscall.ENFILE})
}

func isAny(err error, these []error) bool {
	return slices.ContainsFunc(these, func(e error) bool { return errors.Is(err, e) })
}
