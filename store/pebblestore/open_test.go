package pebblestore_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

// holdFolder names, for a second process of this test, the folder to open and
// keep.
const holdFolder = "MUSTER_TEST_HOLD_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdFolder); dir != "" {
		s, err := pebblestore.Open(dir, pebblestore.Options{})
		if err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString("open\n")
		_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the test closes its end
		_ = s.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), holdFolder+"="+dir)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != "open\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	if _, err := pebblestore.Open(dir, pebblestore.Options{}); !errors.Is(err, pebblestore.ErrLocked) {
		t.Errorf("Open() = %v while another process has the folder, want %v", err, pebblestore.ErrLocked)
	}
	_ = stdin.Close()
	if err := other.Wait(); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	if err := open(t, dir, pebblestore.Options{}).Close(); err != nil {
		t.Errorf("Close() = %v once the other process is gone", err)
	}
}

func TestASecondStoreOfTheSameProcessIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, dir, pebblestore.Options{})
	t.Chdir(filepath.Dir(dir))
	for _, name := range []string{dir, "data", "./data/"} {
		if _, err := pebblestore.Open(name, pebblestore.Options{}); !errors.Is(err, pebblestore.ErrLocked) {
			t.Errorf("Open(%q) = %v, want %v", name, err, pebblestore.ErrLocked)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir, pebblestore.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatCannotBeMadeIsNotCalledLocked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pebblestore.Open(filepath.Join(file, "data"), pebblestore.Options{})
	if err == nil || errors.Is(err, pebblestore.ErrLocked) {
		t.Errorf("Open() below a file = %v, want an error other than %v", err, pebblestore.ErrLocked)
	}
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func TestOpenRefusesFoldersThatItCannotRead(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value []byte
		want  string
	}{
		"a newer format":   {"f", binary.AppendUvarint(nil, store.Format+1), "newer release"},
		"a damaged format": {"f", nil, "makes no sense"},
		"another database": {"some", []byte("thing"), "not Muster's"},
	} {
		t.Run(name, func(t *testing.T) {
			files := vfs.NewMem()
			db, err := pebble.Open("data", &pebble.Options{FS: files, Logger: silent{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Set([]byte(c.key), c.value, pebble.Sync), db.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the refusal changes nothing and holds nothing
				_, err := pebblestore.Open("data", pebblestore.Options{FS: files})
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Open() = %v, want an error that says %q", err, c.want)
				}
			}
		})
	}
}

func TestBackupIsACopyOfAMoment(t *testing.T) {
	files, ctx := vfs.NewMem(), context.Background()
	s := open(t, "data", pebblestore.Options{FS: files})
	h := storetest.NewHistory(1)
	play := func(steps int) {
		for range steps {
			if _, err := h.Step(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	play(50)
	at := h.Steps()
	if err := s.Backup(ctx, "copy"); err != nil {
		t.Fatalf("Backup() = %v", err)
	}
	play(20)
	if err := s.Backup(ctx, "copy"); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("Backup() into a folder that is not empty = %v, want a refusal", err)
	}
	if err := files.MkdirAll("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(ctx, "empty"); err != nil {
		t.Errorf("Backup() into an empty folder = %v", err)
	}
	for dir, want := range map[string]int{"copy": at, "empty": h.Steps(), "data": h.Steps()} {
		if dir == "data" {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		c := open(t, dir, pebblestore.Options{FS: files})
		err := c.View(ctx, func(r store.Reader) error {
			if step, err := h.Check(r); err != nil || step != want {
				t.Errorf("%s is at step %d, want %d: %v", dir, step, want, err)
			}
			return nil
		})
		if err := errors.Join(err, c.Close()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Backup(ctx, "late"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Backup() of a closed store = %v, want %v", err, store.ErrClosed)
	}
}

func TestTheFormatOfAFolderStays(t *testing.T) {
	disk := vfs.NewMem()
	open := func(o pebblestore.Options) *pebblestore.Store {
		t.Helper()
		o.FS = disk
		s, err := pebblestore.Open("data", o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := store.Format // of a new folder
	for _, next := range []int{1, store.Format} {
		s := open(pebblestore.Options{})
		if s.Format() != want {
			t.Errorf("the folder has format %d, want %d", s.Format(), want)
		}
		if err := s.SetFormat(t.Context(), next); err != nil || s.Format() != next {
			t.Errorf("SetFormat(%d) = %v, and the format is %d", next, err, s.Format())
		}
		want = next
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(pebblestore.Options{ReadOnly: true})
	if err := s.SetFormat(t.Context(), 1); !errors.Is(err, pebblestore.ErrReadOnly) || s.Format() != want {
		t.Errorf("SetFormat of a folder that is open for reading = %v, and the format is %d", err, s.Format())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.SetFormat(t.Context(), 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("SetFormat of a closed store = %v", err)
	}
}
