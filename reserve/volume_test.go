package reserve_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/reserve"
)

// fakeDisk is a file system whose free space a test sets.
type fakeDisk struct {
	free, looks int64
	err         error
	now         time.Time
	log         bytes.Buffer
}

func (d *fakeDisk) volume(reserved int64) *reserve.Volume {
	d.now = time.Unix(1_790_000_000, 0)
	return reserve.NewVolume(reserve.VolumeOptions{
		Folder: "data", Reserve: reserved, Now: func() time.Time { return d.now },
		Usage: func() (int64, int64, error) { d.looks++; return d.free, 64 * mib, d.err },
		Log:   slog.New(slog.NewTextHandler(&d.log, nil)),
	})
}

func (d *fakeDisk) lines() int { return strings.Count(d.log.String(), "\n") }

// Each change of the level is logged once, however often Room is called, and the free space
// is read only now and then.
func TestAVolumeTellsOnceAndLooksRarely(t *testing.T) {
	d := &fakeDisk{free: 40 * mib}
	v := d.volume(reserve.Min)
	for i, free := range []int64{40 * mib, 10 * mib, 1 * mib / 2, 10 * mib, 40 * mib} {
		d.free = free
		d.now = d.now.Add(time.Second)
		want := reserve.At(free, reserve.Min)
		for range 1000 {
			if err := v.Room(reserve.Grow, 0); (err == nil) != want.Allows(reserve.Grow) {
				t.Fatalf("with %s free Room() = %v", reserve.Size(free), err)
			}
		}
		if got := v.State(); got.Level != want || got.Free != free || got.Total != 64*mib {
			t.Errorf("State() = %+v, want level %s", got, want)
		}
		if d.lines() != i {
			t.Errorf("%d lines are logged after %d changes:\n%s", d.lines(), i, d.log.String())
		}
	}
	if d.looks > 10 {
		t.Errorf("the file system was asked %d times", d.looks)
	}
}

// Bytes passed to Room count before the file system shows them.
func TestAVolumeCountsWhatIsAnnounced(t *testing.T) {
	d := &fakeDisk{free: 40 * mib}
	v := d.volume(reserve.Min)
	if err := v.Room(reserve.Grow, 30*mib); err == nil {
		t.Error("30 MiB fit above a reserve of 16 MiB in 40 MiB")
	}
	if err := v.Room(reserve.Grow, 20*mib); err != nil {
		t.Errorf("20 MiB do not fit above a reserve of 16 MiB in 40 MiB: %v", err)
	}
	d.free = 10 * mib // in no time
	if err := v.Room(reserve.Grow, mib); err == nil {
		t.Error("a mebibyte fits though the disk has filled up since the last look")
	}
}

func TestAVolumeThatCannotTellHasRoom(t *testing.T) {
	d := &fakeDisk{err: errors.New("not supported")}
	v := d.volume(reserve.Min)
	for range 10 {
		d.now = d.now.Add(time.Second)
		if err := v.Room(reserve.Grow, mib); err != nil {
			t.Fatal(err)
		}
	}
	if d.lines() != 1 {
		t.Errorf("%d lines are logged, want 1", d.lines())
	}
	d.err, d.free = nil, 0
	d.now = d.now.Add(time.Second)
	if err := v.Room(reserve.Finish, 0); err == nil {
		t.Error("there is room on a full disk that can tell again")
	}
}

func TestWithoutAReserveThereIsRoom(t *testing.T) {
	d := &fakeDisk{}
	if err := d.volume(0).Room(reserve.Grow, 1<<40); err != nil {
		t.Errorf("Room() without a reserve = %v", err)
	}
}
