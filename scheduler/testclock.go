package scheduler

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// TestClock is a clock that stands still until somebody moves it, so that a
// window of next night or a time-out of an hour can be tested in milliseconds.
// Work that goes through Hold never runs while it is being moved.
type TestClock struct {
	moving sync.Mutex // held by whoever works or moves
	now    atomic.Int64
}

// NewTestClock returns a clock that shows an instant.
func NewTestClock(at muster.Instant) *TestClock {
	c := &TestClock{}
	c.now.Store(int64(at))
	return c
}

// Now returns what the clock shows.
func (c *TestClock) Now() muster.Instant { return muster.Instant(c.now.Load()) }

// Hold returns w such that it does not run while the clock is being moved.
func (c *TestClock) Hold(w Work) Work { return heldWork{c, w} }

// Move lets time pass until the instant to: everything that w has due by then
// happens at its own instant, in order, before Move returns. A clock is not set
// back: that is Invalid.
func (c *TestClock) Move(ctx context.Context, w Work, to muster.Instant) error {
	c.moving.Lock()
	defer c.moving.Unlock()
	if to < c.Now() {
		return muster.Errorf(muster.Invalid, "the clock shows %s and cannot be set back", c.Now().Time().Format("2006-01-02T15:04:05.000Z07:00"))
	}
	for {
		next, err := settle(ctx, w)
		if err != nil {
			return err
		}
		if next == 0 || next > to {
			break
		}
		c.now.Store(int64(max(next, c.Now())))
	}
	c.now.Store(int64(to))
	_, err := settle(ctx, w)
	return err
}

// settle works until nothing is due, and returns when something will be.
func settle(ctx context.Context, w Work) (muster.Instant, error) {
	for {
		agenda, err := w.Work(ctx)
		if err != nil || !agenda.More {
			return agenda.Next, err
		}
	}
}

type heldWork struct {
	clock *TestClock
	work  Work
}

func (h heldWork) Work(ctx context.Context) (commit.Agenda, error) {
	h.clock.moving.Lock()
	defer h.clock.moving.Unlock()
	return h.work.Work(ctx)
}
