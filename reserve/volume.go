package reserve

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// VolumeOptions configure a Volume. Folder, Usage and Now are required.
type VolumeOptions struct {
	Folder  string                                // a folder on the file system, to name it in the log
	Reserve int64                                 // in bytes; zero: no reserve, and nothing is refused
	Usage   func() (free, total int64, err error) // of the file system, in bytes
	Now     func() time.Time
	Log     *slog.Logger // gets one line for each change of the level; nil discards
}

// Volume is a file system with a reserve. It is safe for concurrent use, and fast: it
// reads the free space at most once every lookEvery, or sooner when much is written.
type Volume struct {
	o VolumeOptions

	mu      sync.Mutex // guards what follows
	looked  time.Time  // when the free space was last read
	free    int64
	total   int64
	spent   int64 // bytes passed to Room since then
	level   Level
	blinded bool // reading the free space failed last time
}

const (
	// lookEvery is how long the free space that was read is used.
	lookEvery = 50 * time.Millisecond
	// lookShare is the divisor of the reserve that gives how many bytes may be written
	// before the free space is read again.
	lookShare = 64
	// runEvery is how often the free space is read when nothing is written.
	runEvery = time.Second
)

// NewVolume returns a volume after reading its free space. When that cannot be read,
// nothing is refused, and the log says so.
func NewVolume(o VolumeOptions) *Volume {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v := &Volume{o: o}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.look()
	return v
}

// VolumeState is the state of a volume when its free space was last read.
type VolumeState struct {
	Free, Total, Reserve int64 // bytes
	Level                Level
}

// State returns the state when the free space was last read.
func (v *Volume) State() VolumeState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return VolumeState{Free: v.free, Total: v.total, Reserve: v.o.Reserve, Level: v.level}
}

// Room is the Room of this volume.
func (v *Volume) Room(u Use, bytes int64) error {
	if v.o.Reserve == 0 {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.spent+bytes > v.o.Reserve/lookShare || v.o.Now().Sub(v.looked) >= lookEvery {
		v.look()
	}
	v.spent += bytes
	if v.blinded {
		return nil
	}
	return max(v.level, At(v.free-bytes, v.o.Reserve)).Check(u)
}

// Run reads the free space regularly until ctx ends, so that a change of the level is
// logged even when nothing is written. It returns nil.
func (v *Volume) Run(ctx context.Context) error {
	beat := time.NewTicker(runEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			v.mu.Lock()
			v.look()
			v.mu.Unlock()
		}
	}
}

// look reads the free space and logs a change of the level. The caller holds v.mu.
func (v *Volume) look() {
	v.looked, v.spent = v.o.Now(), 0
	free, total, err := v.o.Usage()
	if err != nil {
		if !v.blinded {
			v.o.Log.Warn("the room on the disk cannot be told, so nothing is refused for want of it", "folder", v.o.Folder, "error", err)
		}
		v.blinded = true
		return
	}
	v.blinded, v.free, v.total = false, free, total
	before := v.level
	v.level = before.Next(free, v.o.Reserve)
	if v.level != before {
		v.tell(before)
	}
}

// meanings say in the log what a level means.
var meanings = [levelCount]string{
	Plenty:   "everything is served",
	Low:      "refused: job files, new things and jobs, backups on this disk; rollouts wait; messages of MQTT clients are not kept for who is away",
	Critical: "refused: all but reading, reports of devices, cancelling and deleting; rollouts wait",
	Full:     "refused: all but reading",
}

func (v *Volume) tell(before Level) {
	level, words := slog.LevelWarn, "disk space is "+v.level.String()
	switch {
	case v.level == Full:
		level = slog.LevelError
	case v.level < before:
		level = slog.LevelInfo
	}
	v.o.Log.Log(context.Background(), level, words, "folder", v.o.Folder, "free", Size(v.free), "of", Size(v.total),
		"reserve", Size(v.o.Reserve), "meaning", meanings[v.level])
}
