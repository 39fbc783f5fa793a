package secretfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-iot/muster/internal/secretfile"
)

func TestReadRefusesWhatOthersCanOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o700, 0o640, 0o604, 0o602, 0o610, 0o601, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		content, err := secretfile.Read(path, 6)
		switch open := mode&0o077 != 0 && runtime.GOOS != "windows"; {
		case open && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path)):
			t.Errorf("mode %04o: Read() = %q, %v, want a refusal that says what to do", mode, content, err)
		case !open && (err != nil || string(content) != "secret"):
			t.Errorf("mode %04o: Read() = %q, %v", mode, content, err)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := secretfile.Read(path, 5); err == nil || content != nil {
		t.Errorf("Read() of a file that is too long = %q, %v", content, err)
	}
	if _, err := secretfile.Read(dir, 5); err == nil {
		t.Error("Read() of a folder succeeds")
	}
	if _, err := secretfile.Read(filepath.Join(dir, "none"), 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read() of no file = %v", err)
	}
}
