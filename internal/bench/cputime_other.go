//go:build !unix

package main

import "time"

// ownTime is zero: the figures that need it are measured on Unix only.
func ownTime() time.Duration { return 0 }

// childrenTime is zero, as ownTime is.
func childrenTime() time.Duration { return 0 }
