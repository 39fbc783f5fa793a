//go:build !windows

package datafolder

import "syscall"

// ReadOnly reports whether this process cannot write into the folder: it is on a file system
// that is mounted read-only, or another user's.
func ReadOnly(f Folder) bool {
	const write = 2 // W_OK
	return syscall.Access(string(f), write) != nil
}
