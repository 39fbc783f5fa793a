package reserve_test

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
	"testing"

	"github.com/muster-iot/muster/reserve"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// The whole table of what is refused at which level.
func TestWhatIsRefusedAtWhichMark(t *testing.T) {
	for _, test := range []struct {
		free, reserve        int64
		level                reserve.Level
		grow, change, finish bool
	}{
		{5 * gib, gib, reserve.Plenty, true, true, true},
		{gib, gib, reserve.Plenty, true, true, true},
		{gib - 1, gib, reserve.Low, false, true, true},
		{gib / 4, gib, reserve.Low, false, true, true},
		{gib/4 - 1, gib, reserve.Critical, false, false, true},
		{gib / 16, gib, reserve.Critical, false, false, true},
		{gib/16 - 1, gib, reserve.Full, false, false, false},
		{0, gib, reserve.Full, false, false, false},
		{-5, gib, reserve.Full, false, false, false},                       // a write larger than the disk
		{0, 0, reserve.Plenty, true, true, true},                           // no reserve
		{17 * mib, reserve.Of(64 * mib), reserve.Plenty, true, true, true}, // a small disk works
		{15 * mib, reserve.Of(64 * mib), reserve.Low, false, true, true},
	} {
		level := reserve.At(test.free, test.reserve)
		if level != test.level {
			t.Errorf("At(%d, %d) = %s, want %s", test.free, test.reserve, level, test.level)
		}
		for use, want := range map[reserve.Use]bool{reserve.Grow: test.grow, reserve.Change: test.change, reserve.Finish: test.finish} {
			err := level.Check(use)
			if refusal, refused := errors.AsType[*reserve.NoRoomError](err); level.Allows(use) != want || refused == want || refused && refusal.Error() == "" {
				t.Errorf("with %d of %d: use %d is allowed %v (%v), want %v", test.free, test.reserve, use, level.Allows(use), err, want)
			}
		}
	}
}

// For every reserve, more free space never means more refusals, and reports of devices are
// refused last.
func TestMoreRoomNeverRefusesMore(t *testing.T) {
	for _, r := range []int64{reserve.Min, 64 * mib, gib, 7 * gib} {
		before := reserve.Full
		for free := int64(0); free <= 2*r; free += r/64 - 1 {
			level := reserve.At(free, r)
			if level > before {
				t.Fatalf("with %d of %d free the level is %s, with less it was %s", free, r, level, before)
			}
			for use := range reserve.Finish {
				if level.Allows(use) && !level.Allows(use+1) {
					t.Errorf("with %d of %d free use %d is allowed and %d is not", free, r, use, use+1)
				}
			}
			before = level
		}
		if before != reserve.Plenty {
			t.Errorf("with twice the reserve of %d free the level is %s", r, before)
		}
	}
}

func TestALevelDoesNotFlicker(t *testing.T) {
	for _, test := range []struct {
		now  reserve.Level
		free int64
		want reserve.Level
	}{
		{reserve.Plenty, gib - 1, reserve.Low}, // worse at once
		{reserve.Plenty, 0, reserve.Full},
		{reserve.Low, gib, reserve.Low}, // better with an eighth more
		{reserve.Low, gib + gib/9, reserve.Low},
		{reserve.Low, gib + gib/8 + 8, reserve.Plenty},
		{reserve.Critical, gib / 4, reserve.Critical},
		{reserve.Critical, gib / 2, reserve.Low},
		{reserve.Full, gib / 15, reserve.Full},
		{reserve.Full, 5 * gib, reserve.Plenty},
	} {
		if got := test.now.Next(test.free, gib); got != test.want {
			t.Errorf("%s.Next(%d of a reserve of %d) = %s, want %s", test.now, test.free, gib, got, test.want)
		}
	}
}

// What the store holds in memory must fit into the space that is left when Full begins, or
// it could not be written any more.
func TestTablesFitBelowTheLastMark(t *testing.T) {
	for _, r := range []int64{reserve.Min, 100 * mib, gib, 20 * gib} {
		held := 3 * int64(reserve.TableBytes(r))
		if reserve.At(held, r) != reserve.Full {
			t.Errorf("with a reserve of %d, tables of %d do not fit below the last mark", r, reserve.TableBytes(r))
		}
	}
	if got := reserve.TableBytes(reserve.Default); got != 16*mib {
		t.Errorf("TableBytes(Default) = %d, want 16 MiB", got)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 64 * mib: "64.0 MiB", gib: "1.0 GiB", 3 << 40: "3.0 TiB"} {
		if got := reserve.Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestErrorsOfTheHost(t *testing.T) {
	wrapped := func(err error) error {
		return fmt.Errorf("upload: %w", &fs.PathError{Op: "write", Path: "f", Err: err})
	}
	for err, want := range map[error]struct{ full, files bool }{
		wrapped(syscall.EMFILE): {false, true},
		wrapped(syscall.ENFILE): {false, true},
		wrapped(syscall.EACCES): {},
	} {
		if reserve.IsFull(err) != want.full || reserve.IsOutOfFiles(err) != want.files {
			t.Errorf("%v: IsFull() = %v, IsOutOfFiles() = %v", err, reserve.IsFull(err), reserve.IsOutOfFiles(err))
		}
	}
	full := syscall.ENOSPC
	if runtime.GOOS == "windows" {
		full = syscall.Errno(112)
	}
	if !reserve.IsFull(wrapped(full)) || reserve.IsFull(nil) {
		t.Errorf("IsFull(%v) = false, or true of nil", full)
	}
}
