package reserve

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// VolumeOptions are the parts a Volume is made of; all but Log are required.
type VolumeOptions struct {
	Folder  string                                // on the file system; for the log
	Reserve int64                                 // bytes; zero: none, and there is always room
	Usage   func() (free, total int64, err error) // of the file system, in bytes
	Now     func() time.Time
	Log     *slog.Logger // is told once of each change of level; nil discards
}

// Volume is a file system with a reserve. Its methods may be called by many
// goroutines, and are quick: it asks the file system at most every lookEvery, and
// sooner when much is written.
type Volume struct {
	o VolumeOptions

	mu      sync.Mutex // guards what follows
	looked  time.Time
	free    int64
	total   int64
	spent   int64 // bytes announced since it was looked
	level   Level
	blinded bool // the last look failed
}

const (
	lookEvery = 50 * time.Millisecond
	// lookShare is the part of the reserve after whose writing it is looked again.
	lookShare = 64
	// runEvery is how often a Volume looks even if it is not asked.
	runEvery = time.Second
)

// NewVolume returns a volume that has been looked at. Where the file system does
// not say how full it is, there is always room, and the log says so.
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

// VolumeState is how a volume was when it was last looked at.
type VolumeState struct {
	Free, Total, Reserve int64 // bytes
	Level                Level
}

// State returns how the volume was when it was last looked at.
func (v *Volume) State() VolumeState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return VolumeState{Free: v.free, Total: v.total, Reserve: v.o.Reserve, Level: v.level}
}

// Room answers as a Room.
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

// Run looks at the volume until ctx ends, so that a change is logged even if no
// write asks.
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

// look asks the file system, and tells of what has changed.
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

// meanings say what a level brings with it.
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
