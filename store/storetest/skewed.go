package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Skewed returns a store of several lanes on top of main, which promises no more than
// store.Laned does: each transaction runs on a snapshot of its own, and between its
// snapshot, its reads and its end there are pauses of up to longest, in which others are
// applied. The pauses of the transactions of a lane depend on the seed alone, so in a
// synctest bubble, whose time passes only while nobody works, a run can be repeated.
func Skewed[S Forking[S]](main S, lanes int, seed uint64, longest time.Duration) store.Laned {
	s := &skewed{main: main, fork: func() store.Store { return main.Fork() }, longest: longest, changed: map[any]int{}}
	for n := range lanes + 1 { // the last one is that of Apply
		s.lanes = append(s.lanes, &skewedLane{free: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, uint64(n)))})
	}
	return s
}

type skewed struct {
	main    store.Store
	fork    func() store.Store
	longest time.Duration
	lanes   []*skewedLane

	mu      sync.Mutex
	applied int         // transactions
	changed map[any]int // by key: the value of applied when it was written last
}

// skewedLane runs one transaction at a time. Its token is not a lock, so that a synctest
// bubble is idle while a transaction waits for it.
type skewedLane struct {
	free chan struct{} // holds a token while a transaction runs
	rng  *rand.Rand    // used by the holder
}

func (s *skewed) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.main.View(ctx, fn)
}

func (s *skewed) Close() error { return s.main.Close() }

func (s *skewed) Lanes() int { return len(s.lanes) - 1 }

func (s *skewed) LaneOf(thing muster.ThingName) int {
	return int(store.HashOf(thing) % uint32(s.Lanes()))
}

func (s *skewed) ApplyIn(ctx context.Context, lane int, fn func(store.Tx) error) (func() error, error) {
	return s.apply(ctx, s.lanes[:s.Lanes()][lane], fn)
}

func (s *skewed) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.apply(ctx, s.lanes[s.Lanes()], fn)
}

func (s *skewed) apply(ctx context.Context, l *skewedLane, fn func(store.Tx) error) (func() error, error) {
	if err := s.View(ctx, func(store.Reader) error { return nil }); err != nil { // a fork does not know that its origin is closed
		return nil, err
	}
	select {
	case l.free <- struct{}{}:
		defer func() { <-l.free }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	snapshot, at := s.fork(), s.applied
	s.mu.Unlock()
	s.pause(l)
	var rec *recorded
	if _, err := snapshot.Apply(ctx, func(tx store.Tx) error {
		rec = &recorded{Tx: tx, keys: map[any]bool{}}
		return fn(rec)
	}); err != nil {
		return nil, err
	}
	s.pause(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range rec.keys {
		if s.changed[key] > at {
			return nil, fmt.Errorf("%w: %v was changed meanwhile", store.ErrAgain, key)
		}
	}
	wait, err := s.main.Apply(ctx, rec.replay)
	if err != nil {
		return nil, err
	}
	s.applied++
	for key := range rec.keys {
		s.changed[key] = s.applied
	}
	return wait, nil
}

// pause lets others be applied: mostly one, sometimes many.
func (s *skewed) pause(l *skewedLane) {
	if s.longest == 0 {
		runtime.Gosched()
		return
	}
	longest := s.longest
	if l.rng.IntN(4) > 0 {
		longest = longest/16 + 1
	}
	time.Sleep(time.Duration(l.rng.Int64N(int64(longest))))
}

// recorded is a transaction that remembers its writes.
type recorded struct {
	store.Tx
	keys   map[any]bool // of what was written
	writes []func(store.Tx)
}

// recordKey names a record.
type recordKey struct {
	table store.Table
	key   string
}

func (r *recorded) write(key any, write func(store.Tx)) {
	r.keys[key] = true
	r.writes = append(r.writes, write)
	write(r.Tx)
}

func (r *recorded) PutQueue(q muster.Queue) {
	q.Entries = slices.Clone(q.Entries)
	r.write(store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}, func(tx store.Tx) { tx.PutQueue(q) })
}

func (r *recorded) Change(before, after *muster.Execution) {
	x := after
	if x == nil {
		x = before
	}
	before, after = copied(before), copied(after)
	r.write(store.Key(*x), func(tx store.Tx) { tx.Change(before, after) })
}

func copied(x *muster.Execution) *muster.Execution {
	if x == nil {
		return nil
	}
	own := *x
	own.Details = maps.Clone(x.Details)
	return &own
}

func (r *recorded) Put(table store.Table, key string, value []byte) {
	value = append([]byte{}, value...)
	r.write(recordKey{table, key}, func(tx store.Tx) { tx.Put(table, key, value) })
}

func (r *recorded) Delete(table store.Table, key string) {
	r.write(recordKey{table, key}, func(tx store.Tx) { tx.Delete(table, key) })
}

// replay does the writes again in another transaction.
func (r *recorded) replay(tx store.Tx) error {
	for _, write := range r.writes {
		write(tx)
	}
	return nil
}
