// Package memstore is a store.Store in memory: for tests, the demo and
// rehearsals. It keeps every promise of package store except that of durability:
// its content ends with the process. It is also the strictest store: a Change
// whose before is not what is stored fails its transaction.
package memstore

import (
	"context"
	"sync"

	"github.com/muster-iot/muster/store"
)

// Store is the present state, and a lock for the transaction that makes the next
// one. Make a Store with New.
type Store struct {
	writer chan struct{} // holds a token while a transaction runs

	mu     sync.Mutex // guards what follows
	now    *state     // is replaced, never changed
	closed bool
	calls  sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{writer: make(chan struct{}, 1), now: newState()} }

// View runs fn on the state of this moment.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.calls.Done()
	return fn(reader{state: now})
}

// Apply runs fn on a copy of the state, which then replaces the state. The
// returned wait does not block.
func (s *Store) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	if _, err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	next := s.copyNow()
	tx := &tx{reader: reader{state: next, changing: true}}
	if err := fn(tx); err != nil {
		return nil, err
	}
	if tx.err != nil {
		return nil, tx.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = next
	return func() error { return nil }, nil
}

// Fork returns a new store that begins with what s holds at this moment. The
// two share what they have in common, so it costs next to nothing.
func (s *Store) Fork() *Store {
	return &Store{writer: make(chan struct{}, 1), now: s.copyNow()}
}

// Close waits for running calls.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	s.calls.Wait()
	return nil
}

// begin enters a call, which must end with s.calls.Done.
func (s *Store) begin(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.calls.Add(1)
	return s.now, nil
}

func (s *Store) copyNow() *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.copy()
}
