// Package secretfile reads files with secrets, such as keys. It refuses files that
// others than their owner can open.
package secretfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// Check refuses what is not a regular file, and a file that others than its owner
// can read, write or run. The second does not apply on Windows, whose files have no
// such mode. Its error names the command that helps, and nothing of the file's content.
func Check(path string, info fs.FileInfo) error { return check(path, info.Mode(), runtime.GOOS) }

func check(path string, mode fs.FileMode, system string) error {
	switch {
	case !mode.IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case mode.Perm()&0o077 != 0 && system != "windows":
		return fmt.Errorf("%s holds secrets but is open to others (mode %04o): run chmod 600 %s", path, mode.Perm(), path)
	}
	return nil
}

// Read returns a file of at most limit bytes that passes Check. Its error wraps
// fs.ErrNotExist when there is none.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := Check(path, info); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return content, nil
}
