//go:build unix

package main

import (
	"syscall"
	"time"
)

// ownTime is the processor time of this process; zero if the system does not
// tell.
func ownTime() time.Duration { return usedBy(syscall.RUSAGE_SELF) }

// childrenTime is the processor time of the children of this process that have
// ended; zero if the system does not tell.
func childrenTime() time.Duration { return usedBy(syscall.RUSAGE_CHILDREN) }

func usedBy(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
