package diskstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// env is a store of job files with its index and folder.
type env struct {
	*diskstore.Store
	t     testing.TB
	dir   string
	index store.Store
	now   time.Time
	room  reserve.Room // nil: endless
}

func newEnv(t testing.TB, limits diskstore.Limits) *env {
	t.Helper()
	e := &env{t: t, dir: filepath.Join(t.TempDir(), "files"), index: storetest.Twice(memstore.New()), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	t.Cleanup(func() { e.index.Close() })
	e.reopen(limits)
	if err := e.CreateBucket(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	return e
}

// reopen opens the store as a new process does.
func (e *env) reopen(limits diskstore.Limits) {
	e.t.Helper()
	s, err := diskstore.Open(e.t.Context(), diskstore.Options{
		Dir: e.dir, Index: e.index, Now: func() time.Time { return e.now }, Limits: limits, Room: e.room,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	e.Store = s
}

func content(body string) diskstore.Content {
	return diskstore.Content{Body: strings.NewReader(body), Size: int64(len(body))}
}

func (e *env) put(key, body string) diskstore.Version {
	e.t.Helper()
	v, err := e.Put(e.t.Context(), "lab", key, content(body), diskstore.Attributes{}, diskstore.Precondition{})
	if err != nil {
		e.t.Fatalf("Put(%q) = %v", key, err)
	}
	return v
}

// get returns the content of an object, or the code of the error.
func (e *env) get(key, version string) string {
	e.t.Helper()
	f, v, err := e.Open(e.t.Context(), "lab", key, version)
	if err != nil {
		return string(codeOf(e.t, err))
	}
	defer f.Close()
	body, err := io.ReadAll(f)
	if err != nil {
		e.t.Fatal(err)
	}
	if int64(len(body)) != v.Size {
		e.t.Errorf("the content of %q has %d bytes, its size says %d", key, len(body), v.Size)
	}
	return string(body)
}

func codeOf(t testing.TB, err error) diskstore.Code {
	t.Helper()
	refused, ok := errors.AsType[*diskstore.Error](err)
	if !ok {
		t.Fatalf("the error is %v, want a refusal", err)
	}
	return refused.Code
}

func (e *env) refused(what string, err error, want diskstore.Code) {
	e.t.Helper()
	if got := codeOf(e.t, err); got != want {
		e.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// files returns the number of contents on disk, and their size in bytes.
func (e *env) files() (n int, size int64) {
	e.t.Helper()
	err := filepath.WalkDir(e.dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			n++
			size += info.Size()
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return n, size
}

// tidy fails unless there are want contents on disk and Used is their size.
func (e *env) tidy(want int) {
	e.t.Helper()
	if n, size := e.files(); n != want || size != e.Used() {
		e.t.Errorf("%d contents of %d bytes are on disk and Used() = %d, want %d contents and the same size", n, size, e.Used(), want)
	}
}

// broken returns a body that ends in an error.
func broken(body string) io.Reader {
	return io.MultiReader(strings.NewReader(body), iotest.ErrReader(errors.New("the line broke")))
}

func describe(versions []diskstore.Version) string {
	var b bytes.Buffer
	for _, v := range versions {
		fmt.Fprintf(&b, "%s", v.Key)
		if v.Marker {
			b.WriteString(" marker")
		}
		if v.ID == diskstore.NullVersion {
			b.WriteString(" null")
		}
		if v.Latest {
			b.WriteString(" latest")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// runOnce runs the store's background work until it waits.
func (e *env) runOnce() {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.t.Context())
	done := make(chan error, 1)
	e.swept(ctx, done)
	cancel()
	if err := <-done; err != nil {
		e.t.Fatal(err)
	}
}
