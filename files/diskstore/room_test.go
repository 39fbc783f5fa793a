package diskstore_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/reserve"
)

// disk is a disk of 64 MiB.
type disk struct{ free atomic.Int64 }

const reserved = 16 << 20

func (d *disk) room(u reserve.Use, bytes int64) error {
	return reserve.At(d.free.Load()-bytes, reserved).Check(u)
}

// Below each level of free space, writes are refused or permitted by the table of
// package reserve, reads always succeed, and a refused write stores nothing.
func TestWhatIsRefusedOnAFullDisk(t *testing.T) {
	for level, free := range map[reserve.Level]int64{
		reserve.Plenty: 32 << 20, reserve.Low: 15 << 20, reserve.Critical: 3 << 20, reserve.Full: 0,
	} {
		t.Run(level.String(), func(t *testing.T) {
			d := &disk{}
			d.free.Store(64 << 20)
			e := newEnv(t, diskstore.Limits{})
			e.room = d.room
			e.reopen(diskstore.Limits{})
			e.put("old", "old content")
			e.put("gone", "x")
			ctx := t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			begun, err := e.CreateUpload(ctx, "lab", "parts", diskstore.Attributes{}, "", "")
			must(err)
			part, err := e.PutPart(ctx, "lab", "parts", begun.ID, 1, content("part"))
			must(err)
			other, err := e.CreateUpload(ctx, "lab", "other", diskstore.Attributes{}, "", "")
			must(err)
			must(e.CreateBucket(ctx, "empty"))
			files, size := e.files()
			used := e.Used()

			d.free.Store(free)
			check := func(what string, u reserve.Use, err error) {
				t.Helper()
				switch {
				case level.Allows(u) && err != nil:
					t.Errorf("%s = %v, want none", what, err)
				case !level.Allows(u) && (err == nil || codeOf(t, err) != diskstore.InsufficientStorage):
					t.Errorf("%s = %v, want %s", what, err, diskstore.InsufficientStorage)
				}
			}
			attributes, none := diskstore.Attributes{}, diskstore.Precondition{}
			grow := func(what string, err error) { t.Helper(); check(what, reserve.Grow, err) }
			_, err = e.Put(ctx, "lab", "new", content("new"), attributes, none)
			grow("Put()", err)
			_, err = e.Put(ctx, "lab", "new", diskstore.Content{Body: strings.NewReader("new"), Size: -1}, attributes, none)
			grow("Put() of unknown size", err)
			_, err = e.Copy(ctx, "lab", "old", "", "lab", "copy", nil)
			grow("Copy()", err)
			grow("CreateBucket()", e.CreateBucket(ctx, "more"))
			_, err = e.CreateUpload(ctx, "lab", "k", attributes, "", "")
			grow("CreateUpload()", err)
			_, err = e.PutPart(ctx, "lab", "other", other.ID, 1, content("part"))
			grow("PutPart()", err)
			_, err = e.CompleteUpload(ctx, "lab", "parts", begun.ID, []diskstore.CompletedPart{{Number: 1, ETag: part.ETag}}, "", none)
			grow("CompleteUpload()", err)
			if !level.Allows(reserve.Grow) {
				if n, bytes := e.files(); n != files || bytes != size || e.Used() != used {
					t.Errorf("what was refused left %d files of %d bytes (%d used), want %d of %d (%d)", n, bytes, e.Used(), files, size, used)
				}
			}
			check("SetVersioning()", reserve.Change, e.SetVersioning(ctx, "empty", diskstore.Enabled))

			if got := e.get("old", ""); got != "old content" {
				t.Errorf("the old object is %q", got)
			}
			if _, err := e.List(ctx, "lab", diskstore.Query{Max: 10}); err != nil {
				t.Errorf("List() = %v", err)
			}
			finish := func(what string, err error) { t.Helper(); check(what, reserve.Finish, err) }
			finish("AbortUpload()", e.AbortUpload(ctx, "lab", "other", other.ID))
			_, err = e.Delete(ctx, "lab", "gone", "")
			finish("Delete()", err)
			finish("DeleteBucket()", e.DeleteBucket(ctx, "empty"))
		})
	}
}

// A body whose stated size is too large is refused before its first byte, and one that
// grows too large is refused when it does.
func TestAnUploadThatIsTooLargeForTheDisk(t *testing.T) {
	d := &disk{}
	d.free.Store(64 << 20)
	e := newEnv(t, diskstore.Limits{})
	e.room = d.room
	e.reopen(diskstore.Limits{})
	untouched := readerFunc(func([]byte) (int, error) {
		t.Error("a body is read that there is no room for")
		return 0, io.EOF
	})
	_, err := e.Put(t.Context(), "lab", "big", diskstore.Content{Body: untouched, Size: 60 << 20}, diskstore.Attributes{}, diskstore.Precondition{})
	e.refused("Put() of more than there is room for", err, diskstore.InsufficientStorage)

	taken := int64(0)
	growing := readerFunc(func(b []byte) (int, error) {
		taken += int64(len(b))
		d.free.Add(-int64(len(b)))
		return len(b), nil
	})
	_, err = e.Put(t.Context(), "lab", "big", diskstore.Content{Body: growing, Size: -1}, diskstore.Attributes{}, diskstore.Precondition{})
	e.refused("Put() past the mark", err, diskstore.InsufficientStorage)
	if taken > 49<<20 {
		t.Errorf("%d bytes were taken of the 48 MiB above the mark", taken)
	}
	e.tidy(0)
}

// A body is written up to its stated size: of a longer one the rest is not written.
func TestABodyIsTakenUpToWhatWasStated(t *testing.T) {
	e := newEnv(t, diskstore.Limits{})
	taken := 0
	endless := readerFunc(func(b []byte) (int, error) {
		if taken += len(b); taken > 10<<20 {
			return 0, io.EOF
		}
		return len(b), nil
	})
	put := func(c diskstore.Content) error {
		_, err := e.Put(t.Context(), "lab", "k", c, diskstore.Attributes{}, diskstore.Precondition{})
		return err
	}
	e.refused("Put() of more than was stated", put(diskstore.Content{Body: endless, Size: 3}), diskstore.IncompleteBody)
	e.refused("Put() of more than Max", put(diskstore.Content{Body: endless, Size: -1, Max: 3}), diskstore.EntityTooLarge)
	e.refused("Put() of a size above Max", put(diskstore.Content{Body: endless, Size: 4, Max: 3}), diskstore.EntityTooLarge)
	if taken > 2<<20 {
		t.Errorf("%d bytes were read of what is refused", taken)
	}
	e.tidy(0)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
