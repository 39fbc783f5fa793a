package commit

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// RoomWait is the time between two checks by background work that waits for room on the
// disk.
const RoomWait = 30 * time.Second

// StepsAhead is the number of steps that a Source returns for one task, so that the next
// ones run while those before are being synced.
const StepsAhead = 16

// Source is the background work of a package. It is found in the store, so it survives a
// restart. A command that leaves new work calls Tx.Wake.
type Source interface {
	// Wants names what Due will read, so that all sources are asked with one read of a store
	// that is reached over a network.
	Wants(w *Wants)
	// Due returns the work that is due and asked for. It reads a snapshot and changes nothing.
	Due(r store.Reader, asked Asked) (Due, error)
}

// Asked says which work is asked for.
type Asked struct {
	Now  muster.Instant // what is due later is left out
	Grow bool           // work that makes the data larger is not left out
	mine func(key string) bool
}

// Mine reports whether work with a key is for this process. The work of one key is always for the
// same processes: what belongs to a job has its id as the key, deadlines of a thing its
// name. Where several processes do work of the same key it is done once all the same.
func (a Asked) Mine(key string) bool { return a.mine == nil || a.mine(key) }

// Due is the background work of a Source at an instant. The zero Due is no work.
type Due struct {
	// Steps returns short steps of the work that can be done now. Each is a command, and
	// stores its progress. Nil if there is nothing to do.
	Steps func() []func(*Tx) error
	// Next is the instant at which more work is due; zero if none is known, until Tx.Wake
	// is called.
	Next muster.Instant
}

// Sooner sets Next to at if that is earlier, or if Next is zero.
func (d *Due) Sooner(at muster.Instant) {
	if d.Next == 0 || at < d.Next {
		d.Next = at
	}
}

// Agenda says when Work must be called again.
type Agenda struct {
	More bool           // at once: there is more to do
	Next muster.Instant // otherwise at this instant, or earlier if Watcher.Due is called; zero: only then
}

// Work does one round of the background work that is due now, in the order of its
// sources, and says when to call it again. It must not be called by two goroutines at a
// time. It fails with the first error of a step or of the store, or the error of ctx.
// Work is left to other processes if mine returns false for its key (Asked.Mine); nil is true for
// all keys. When mine has changed Work must be called again.
//
// No work is missed between a look at the sources and the return. The variable asked is
// set to Never before that look, so a transaction that becomes durable from then on calls
// Watcher.Due, and one that was durable before is found by the look.
func (c *Committer) Work(ctx context.Context, mine func(key string) bool, sources ...Source) (Agenda, error) {
	if c.HasRoom(reserve.Finish) != nil {
		return Agenda{Next: c.Now().Add(RoomWait)}, nil
	}
	if err := c.learnTime(ctx); err != nil {
		return Agenda{}, err
	}
	grow := c.HasRoom(reserve.Grow) == nil
	c.asked.Store(int64(Never))
	due, next, err := c.due(ctx, sources, Asked{Grow: grow, mine: mine})
	if err == nil && len(due) > 0 {
		c.asked.Store(0) // no calls of Watcher.Due while the work is done; the last look finds what is new
		if err = c.doAll(ctx, due); err == nil {
			c.asked.Store(int64(Never))
			due, next, err = c.due(ctx, sources, Asked{Grow: grow, mine: mine})
		}
	}
	switch {
	case err != nil:
		return Agenda{}, err
	case len(due) > 0:
		return Agenda{More: true}, nil
	case next == 0:
		return Agenda{}, nil
	}
	c.asked.Store(int64(next))
	return Agenda{Next: next}, nil
}

// WorkDue notes that another process has left background work that can be done from the
// instant wake on (Watcher.Committed). If Work has not asked to be called by then, it calls
// Watcher.Due.
func (c *Committer) WorkDue(wake muster.Instant) {
	if int64(wake) < c.asked.Load() {
		c.watch.Due()
	}
}

// doAll does the steps of all sources.
func (c *Committer) doAll(ctx context.Context, due []func() []func(*Tx) error) error {
	var steps []func(*Tx) error
	for _, s := range due {
		steps = append(steps, s()...)
	}
	return c.Background(ctx, steps)
}

// due asks all sources on one snapshot. It returns their steps, and the earliest instant
// at which more is due.
func (c *Committer) due(ctx context.Context, sources []Source, asked Asked) (steps []func() []func(*Tx) error, next muster.Instant, err error) {
	all := Due{}
	asked.Now = c.Now()
	if !asked.Grow {
		all.Sooner(asked.Now.Add(RoomWait))
	}
	err = c.View(ctx, func(r store.Reader) error {
		steps = nil
		PrefetchView(r, func(w *Wants) {
			for _, s := range sources {
				s.Wants(w)
			}
		})
		for _, s := range sources {
			d, err := s.Due(r, asked)
			if err != nil {
				return err
			}
			if d.Steps != nil {
				steps = append(steps, d.Steps)
			}
			if d.Next != 0 {
				all.Sooner(d.Next)
			}
		}
		return nil
	})
	return steps, all.Next, err
}
