package scheduler

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// TestClock is a clock that stands still until it is moved, so that tomorrow
// night's maintenance window or a time-out of an hour can be tested in
// milliseconds. Work that was wrapped by Hold does not run during a move.
type TestClock struct {
	moving sync.Mutex // held during a move, and during a call of held work
	now    atomic.Int64
}

// NewTestClock returns a clock that shows an instant.
func NewTestClock(at muster.Instant) *TestClock {
	c := &TestClock{}
	c.now.Store(int64(at))
	return c
}

// Now returns the instant that the clock shows.
func (c *TestClock) Now() muster.Instant { return muster.Instant(c.now.Load()) }

// Hold wraps w so that it waits while the clock is being moved.
func (c *TestClock) Hold(w Work) Work { return heldWork{c, w} }

// Move moves the clock to the instant to. It stops at each instant at which w has
// something due, so that everything due by then is done at its own instant and in
// order before Move returns. It fails with Invalid when to is in the past, since
// the clock is never set back, and as w fails.
func (c *TestClock) Move(ctx context.Context, w Work, to muster.Instant) error {
	c.moving.Lock()
	defer c.moving.Unlock()
	if to < c.Now() {
		return muster.Errorf(muster.Invalid, "the clock shows %s and cannot be set back", c.Now().Time().Format(muster.InstantForm))
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

// settle calls w until nothing is due, and returns the next instant at which
// something will be; zero when there is none.
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
