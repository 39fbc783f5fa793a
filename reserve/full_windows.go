package reserve

import "syscall"

// ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL and ERROR_DISK_QUOTA_EXCEEDED, which
// package syscall does not name.
var fullErrors = []error{syscall.Errno(112), syscall.Errno(39), syscall.Errno(1295)}
