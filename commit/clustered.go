package commit

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Other processes may change the store, too (store.Shared). The lanes of a process have their
// guards (lanes.go) because several transactions run at the same time, and it does not matter
// where: only Alone has to be asked of the store. Beyond that, the time of a transaction is
// that of the store, since the clocks of processes differ; what is kept in memory between
// transactions is compared with a record that others change with it; and what this process has
// not told anybody when it stops, others find by themselves.

// sharedOf returns a store that other processes may change, and nil for any other.
func sharedOf(s store.Store) store.Shared {
	if shared, ok := s.(store.Shared); ok && shared.Shared() {
		return shared
	}
	return nil
}

// Clustered reports whether other processes may change the store.
func (c *Committer) Clustered() bool { return c.shared != nil }

// Clustered reports whether other processes may change the store.
func (t *Tx) Clustered() bool { return t.c.Clustered() }

// Settled returns a moment before which every transaction of any process has ended, and can be
// seen by a view that begins after the call. It is for stores that other processes may change, and
// fails with Unavailable while such a store cannot be reached.
func (c *Committer) Settled(ctx context.Context) (store.Moment, error) {
	m, err := c.shared.Settled(ctx)
	if errors.Is(err, store.ErrUnavailable) {
		err = notStored(err)
	}
	return m, err
}

// AlwaysWants has every transaction read what wants names together with what its commands
// name, where other processes may change the store. It must be called before Run.
func (c *Committer) AlwaysWants(wants func(*Wants)) { c.always = append(c.always, wants) }

// clock estimates the time of a shared store between two transactions.
type clock struct {
	known atomic.Bool
	ahead atomic.Int64 // by how many milliseconds the store is ahead of this process, or a little less
}

// learn notes that the store has shown an instant just before this process shows another.
func (k *clock) learn(store, own muster.Instant) {
	k.ahead.Store(int64(store - own))
	k.known.Store(true)
}

// Now returns the current instant: that of the Committer's clock, or, where other processes may
// change the store, of the store's clock as far as it is known.
func (c *Committer) Now() muster.Instant { return c.now() + muster.Instant(c.clock.ahead.Load()) }

// learnTime asks the store for its time, if it is not known yet.
func (c *Committer) learnTime(ctx context.Context) error {
	if !c.Clustered() || c.clock.known.Load() {
		return nil
	}
	return c.Do(ctx, func(*Tx) error { return nil })
}

// takeTime sets the instant of a transaction. Within a lane it never falls, even if the clock of
// the store is set back.
func (l *lane) takeTime(t *Tx) error {
	if !t.Clustered() {
		return nil
	}
	moment, err := t.Tx.(store.Timed).Moment()
	if err != nil {
		return err
	}
	t.c.clock.learn(instantOf(moment), t.c.now())
	t.Moment = max(moment, l.last)
	t.Now = instantOf(t.Moment)
	return nil
}

func instantOf(m store.Moment) muster.Instant { return muster.Instant(m / 1000) }
