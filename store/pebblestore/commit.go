package pebblestore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Commit is one applied transaction, for metrics.
type Commit struct {
	Writes int           // keys written or deleted
	Bytes  int           // size in the log
	Sync   time.Duration // from being applied until found durable; zero without Options.Now
}

// commit is a batch on its way to the disk. Nil and the zero commit are on the
// disk.
type commit struct {
	s       *Store
	batch   *pebble.Batch
	about   Commit
	begun   time.Time
	applied chan struct{} // closed once Pebble has taken the batch

	once sync.Once
	err  error // of the write, once applied is closed; of the sync, after once
}

// begun makes the batch the newest commit.
func (s *Store) begun(batch *pebble.Batch) *commit {
	c := &commit{
		s: s, batch: batch, begun: s.o.Now(), applied: make(chan struct{}),
		about: Commit{Writes: int(batch.Count()), Bytes: batch.Len()},
	}
	s.last.Store(c) // before the batch is visible: a transaction that fails waits for all commits that it can see
	return c
}

// apply writes the batch to the log and the memtable. Pebble panics when an
// earlier write to the log has failed.
func (c *commit) apply() (err error) {
	defer close(c.applied)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			c.err = c.s.stop(err)
			err = c.err
		}
	}()
	return c.s.db.ApplyNoSyncWait(c.batch, pebble.Sync)
}

// wait blocks until the commit and all before it are on the disk.
func (c *commit) wait() error {
	if c == nil {
		return nil
	}
	c.once.Do(c.sync)
	return c.err
}

func (c *commit) sync() {
	<-c.applied
	if c.err != nil {
		return
	}
	if err := c.batch.SyncWait(); err != nil {
		c.err = c.s.stop(err)
		return
	}
	c.s.views.show(c)
	c.s.synced(uint64(c.batch.SeqNum()) + uint64(c.batch.Count()))
	_ = c.batch.Close() // it only goes back to its pool
	c.batch = nil
	c.s.idle.Reset(vouchAfter)
	c.about.Sync = c.s.o.Now().Sub(c.begun)
	c.s.o.OnCommit(c.about)
}

// vouchAfter is how long after a commit that no other follows the log gets an
// entry which says that the commit is on the disk. Otherwise each commit says so
// of the ones before it.
const vouchAfter = 100 * time.Millisecond

// vouch adds to the log up to which sequence number everything is on the disk:
// otherwise damage of the last commit would look like the torn end that a crash
// leaves.
func (s *Store) vouch() {
	if s.begin(context.Background()) != nil {
		return
	}
	defer s.calls.Done()
	defer func() {
		if r := recover(); r != nil { // an earlier write to the log has failed
			_ = s.stop(fmt.Errorf("%v", r))
		}
	}()
	if err := s.db.LogData(durableMark(s.durable.Load()), pebble.Sync); err != nil {
		_ = s.stop(err)
	}
}

// synced records that everything below a sequence number is on the disk.
func (s *Store) synced(below uint64) {
	for {
		known := s.durable.Load()
		if known >= below || s.durable.CompareAndSwap(known, below) {
			return
		}
	}
}
