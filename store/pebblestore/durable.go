package pebblestore

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// views are the snapshots that View shows. One is taken after each commit, before the
// next one begins, so it shows that commit and nothing newer. It is shown from the moment
// on at which the commit is found on the disk. So a reader never waits for a sync, and
// sees all that anybody was told is done.
type views struct {
	mu     sync.Mutex
	newest *view   // of the newest commit that is on the disk
	coming []*view // of those that are not known to be, in order
}

// view is the snapshot after a commit.
type view struct {
	snapshot *pebble.Snapshot
	after    *commit // nil when the folder was opened
	readers  int
	over     bool // there is a newer one
}

// add takes a snapshot after a commit. Nil is the state of a folder that was opened.
func (v *views) add(db *pebble.DB, after *commit) {
	taken := &view{snapshot: db.NewSnapshot(), after: after}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.newest == nil {
		v.newest = taken
		return
	}
	v.coming = append(v.coming, taken)
}

// show replaces the view by that after a commit, which is on the disk.
func (v *views) show(after *commit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, c := range v.coming {
		if c.after != after {
			continue
		}
		v.newest.retire()
		for _, skipped := range v.coming[:i] {
			skipped.retire()
		}
		v.newest = c
		v.coming = append(v.coming[:0], v.coming[i+1:]...)
		return
	}
}

// enter returns the newest view. The caller must leave it.
func (v *views) enter() *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.newest.readers++
	return v.newest
}

func (v *views) leave(left *view) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if left.readers--; left.over && left.readers == 0 {
		left.close()
	}
}

// close frees all snapshots. No reader may be left.
func (v *views) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range append(v.coming, v.newest) {
		if c != nil {
			c.close()
		}
	}
	v.newest, v.coming = nil, nil
}

func (c *view) retire() {
	if c.over = true; c.readers == 0 {
		c.close()
	}
}

func (c *view) close() { _ = c.snapshot.Close() } // it only releases the snapshot
