package pebblestore

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/turns"
)

// turnsFS makes flushes and compactions take turns with other background work. The files
// that they write are the only place where they can be stopped: Pebble's own pacing knows
// nothing of requests.
//
// It is the outermost of the file systems, so that no turn is held while one of the
// others waits, as guardedFS does after a failure.
type turnsFS struct {
	vfs.FS
	turns *turns.Turns
}

func (f turnsFS) Unwrap() vfs.FS { return f.FS }

// Create makes a file. A table begins with a turn: only flushes, compactions and backups
// make one, each one at a time. They may have files of another kind open beside it, and
// must not wait for the turn that they hold themselves.
func (f turnsFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return file, err
	}
	t := &turnFile{File: file, of: f.turns, turn: f.turns.Of()}
	t.turn.Take()
	return t, nil
}

// turnFile is a table that is being written. Its writer holds a turn while it makes the
// next block, and none while it waits for the disk.
type turnFile struct {
	vfs.File
	of   *turns.Turns
	turn turns.Turn
}

// Write hands the turn over. A table is written in pieces of 4 KB, some 60 µs apart.
func (f *turnFile) Write(b []byte) (int, error) {
	f.turn.GiveBack()
	n, err := f.File.Write(b)
	f.rest()
	f.turn.Take()
	return n, err
}

// restMin is the shortest sleep: the system rounds shorter ones up to it.
const restMin = time.Millisecond

// rest sleeps where no processor can be left free.
func (f *turnFile) rest() {
	if f.of.Alone() && f.turn.Worked() >= restMin {
		time.Sleep(f.turn.Rest())
	}
}

func (f *turnFile) Sync() error {
	f.turn.GiveBack()
	return f.File.Sync()
}

func (f *turnFile) SyncData() error {
	f.turn.GiveBack()
	return f.File.SyncData()
}

// SyncTo is called between two writes.
func (f *turnFile) SyncTo(length int64) (full bool, err error) {
	f.turn.GiveBack()
	full, err = f.File.SyncTo(length)
	f.turn.Take()
	return full, err
}

func (f *turnFile) Close() error {
	f.turn.GiveBack()
	return f.File.Close()
}
