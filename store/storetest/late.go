package storetest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/store"
)

// Pauses are the points at which a store may be slow. Each is called by the
// goroutine that is to wait; nil does not wait.
type Pauses struct {
	Read    func()       // between the moment of a snapshot and the first read of it
	Visible func()       // between the end of a transaction's work and the moment from which others see it
	Durable func() error // before a transaction becomes durable; with an error it never does
}

// Late returns s with pauses. It keeps every promise of s; a transaction is
// durable after its pause Durable.
func Late(s store.Store, p Pauses) store.Store {
	if p.Read == nil {
		p.Read = func() {}
	}
	if p.Visible == nil {
		p.Visible = func() {}
	}
	if p.Durable == nil {
		p.Durable = func() error { return nil }
	}
	return &late{Store: s, pauses: p}
}

// AnyTime returns pauses of up to longest at every point; most of them only let
// other goroutines run. The same seed gives the same pauses in the same order.
func AnyTime(seed uint64, longest time.Duration) Pauses {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 11))
	pause := func() {
		mu.Lock()
		long, d := rng.IntN(32) == 0, time.Duration(rng.Int64N(int64(longest)+1))
		mu.Unlock()
		if long {
			time.Sleep(d)
		} else {
			runtime.Gosched()
		}
	}
	return Pauses{Read: pause, Visible: pause, Durable: func() error { pause(); return nil }}
}

type late struct {
	store.Store
	pauses Pauses
	last   atomic.Pointer[lateCommit] // the newest one, from just before it is visible
}

// lateCommit is a transaction on its way to being durable. Nil is durable.
type lateCommit struct {
	pause  func() error
	before *lateCommit

	begun atomic.Bool
	done  chan struct{} // closed once err is known
	err   error
}

func (c *lateCommit) wait() error {
	if c == nil {
		return nil
	}
	if !c.begun.Swap(true) {
		if c.err = c.before.wait(); c.err == nil {
			c.err = c.pause()
		}
		c.before = nil
		close(c.done)
	}
	<-c.done // without a lock, so that a synctest bubble is idle meanwhile
	return c.err
}

func (s *late) View(ctx context.Context, fn func(store.Reader) error) error {
	var last *lateCommit
	err := s.Store.View(ctx, func(r store.Reader) error {
		last = s.last.Load() // after the snapshot, which thus shows nothing newer
		s.pauses.Read()
		return fn(r)
	})
	if waited := last.wait(); waited != nil {
		return waited
	}
	return err
}

func (s *late) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	seen, last := s.last.Load(), (*lateCommit)(nil)
	wait, err := s.Store.Apply(ctx, func(tx store.Tx) error {
		seen = s.last.Load()
		if err := fn(tx); err != nil {
			return err
		}
		s.pauses.Visible()
		last = &lateCommit{pause: s.pauses.Durable, before: seen, done: make(chan struct{})}
		s.last.Store(last)
		return nil
	})
	if err != nil {
		if waited := seen.wait(); waited != nil {
			return nil, waited
		}
		return nil, err
	}
	return func() error {
		if err := last.wait(); err != nil {
			return err
		}
		return wait()
	}, nil
}
