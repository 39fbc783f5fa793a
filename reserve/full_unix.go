//go:build !windows

package reserve

import "syscall"

var fullErrors = []error{syscall.ENOSPC, syscall.EDQUOT}
