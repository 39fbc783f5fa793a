//go:build unix

package main

import (
	"os"
	"syscall"
)

// sameDisk reports whether two folders are on one file system.
func sameDisk(a, b string) bool {
	ofA, okA := deviceOf(a)
	ofB, okB := deviceOf(b)
	return okA && okB && ofA == ofB
}

func deviceOf(path string) (uint64, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true //nolint:unconvert // narrower on other systems
}
