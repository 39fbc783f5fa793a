package reserve

import (
	"errors"
	"slices"
	"syscall"
)

// IsFull reports whether err means that a disk, or a quota on it, is full.
func IsFull(err error) bool { return isAny(err, fullErrors) }

// IsOutOfFiles reports whether err means that this process, or the machine, has
// reached its limit of open files and connections.
func IsOutOfFiles(err error) bool {
	return isAny(err, []error{syscall.EMFILE, syscall.ENFILE})
}

func isAny(err error, these []error) bool {
	return slices.ContainsFunc(these, func(e error) bool { return errors.Is(err, e) })
}
