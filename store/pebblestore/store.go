// Package pebblestore is a store.Store in one folder of the local disk, on the
// embedded database Pebble: Muster's default. One process has the folder at a
// time, one transaction runs at a time, and a write that fails stops the store:
// from then on every call fails. It is the only package that imports Pebble.
package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/muster-iot/muster/store"
)

// ErrStopped is the error of every call after a write to the disk has failed.
// What was answered before is on the disk; the next Open finds out what else is.
// The folder stays locked until the process ends, so end it. If the failure
// happens where Pebble cannot return an error, it ends the process at once (see
// Options.Fatal).
var ErrStopped = fmt.Errorf("pebblestore: a write failed: %w", store.ErrStopped)

// Store is one open folder. Make one with Open.
type Store struct {
	o      Options
	dir    string
	guard  *guard
	db     *pebble.DB
	lock   *pebble.Lock
	mark   *logMark      // nil when the store is read only
	writer chan struct{} // holds a token while a transaction runs
	format atomic.Int64  // of what is in the folder

	views   views
	last    atomic.Pointer[commit] // the newest commit, from just before it is applied
	idle    *time.Timer            // calls vouch
	durable atomic.Uint64          // everything below this sequence number is synced
	failure atomic.Pointer[error]  // why the store has stopped

	damagedFiles sync.Map      // paths that were reported
	trouble      chan struct{} // has a token when background work has failed

	mu     sync.Mutex // guards closed, and calls against it
	closed bool
	calls  sync.WaitGroup
}

var _ store.Formatted = (*Store)(nil)

// View runs fn on the state after the newest commit that is on the disk.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	v := s.views.enter()
	defer s.views.leave(v)
	return plainly(fn(&reader{from: v.snapshot}))
}

// Apply runs fn on a batch and applies that. The next transaction may begin as
// soon as Apply has returned, so that its commit shares the sync of this one.
func (s *Store) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if s.o.ReadOnly {
		return nil, ErrReadOnly
	}
	last, err := s.transact(ctx, fn)
	if err == nil {
		return last.wait, nil
	}
	if err := last.wait(); err != nil {
		return nil, err
	}
	return nil, plainly(err)
}

// transact runs fn alone and returns the commit that holds its changes, or at
// least all that it has read.
func (s *Store) transact(ctx context.Context, fn func(store.Tx) error) (last *commit, err error) {
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := s.stopped(); err != nil { // while this call waited for its turn
		return nil, err
	}
	t := newTx(s.db.NewIndexedBatch())
	if err = t.batch.LogData(durableMark(s.durable.Load()), nil); err == nil {
		err = fn(t)
	}
	if err == nil {
		err = t.finish()
	}
	if err != nil || t.batch.Count() == 0 {
		_ = t.batch.Close() // it only goes back to its pool
		return s.last.Load(), err
	}
	c := s.begun(t.batch)
	if err := c.apply(); err != nil {
		return c, err
	}
	s.views.add(s.db, c)
	return c, nil
}

// Close waits for running calls and writes everything to tables, which are better
// protected against damage than the log.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	close(s.guard.closing)
	s.idle.Stop()
	s.calls.Wait()
	if err := s.last.Load().wait(); err != nil {
		return err // Pebble may hold its locks without end, so it is not closed
	}
	if err := s.flush(); err != nil {
		return err // as above
	}
	s.views.close()
	err := s.db.Close()
	if err == nil {
		s.markManifest()
	}
	return errors.Join(err, s.mark.close(), s.lock.Close())
}

// flush writes to tables what is in the log only. If background work has failed,
// on a full disk for example, it gives up without an error, since the log has
// everything. It fails when Pebble waits for that work without end.
func (s *Store) flush() error {
	if s.o.ReadOnly || s.guard.inTrouble() {
		return nil
	}
	select {
	case <-s.trouble: // earlier trouble, which is over
	default:
	}
	type flush struct {
		done <-chan struct{}
		err  error
	}
	begun := make(chan flush, 1)
	go func() {
		done, err := s.db.AsyncFlush() // waits as long as writers must wait
		begun <- flush{done, err}
	}()
	select {
	case f := <-begun:
		if f.err != nil {
			return f.err
		}
		select {
		case <-f.done:
		case <-s.trouble:
		}
		return nil
	case <-s.trouble:
		return errors.New("pebblestore: tables cannot be written; everything is in the log")
	}
}

// begin enters a call, which must end with s.calls.Done.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if err := s.stopped(); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) stopped() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// stop stops the store with the reason cause, unless it has stopped already.
func (s *Store) stop(cause error) error {
	err := fmt.Errorf("%w: %w", ErrStopped, cause)
	if s.failure.CompareAndSwap(nil, &err) {
		s.o.Logger.Error("store stopped", "error", cause.Error())
	}
	return s.stopped()
}
