package main

import (
	"path/filepath"
	"strings"
)

// sameDisk reports whether two folders are on one drive.
func sameDisk(a, b string) bool {
	a, errA := filepath.EvalSymlinks(a)
	b, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && strings.EqualFold(filepath.VolumeName(a), filepath.VolumeName(b))
}
