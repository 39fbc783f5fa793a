package commit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// On a store with lanes (store.Laned) a Committer runs several transactions at the same
// time. Commands that concern one thing go to the lane of that thing. All others, and
// background work, go to the wide lane, whose transactions are those of Store.Apply.
//
// A lane has snapshot isolation: two transactions that write different things do not see
// each other. It is as if they ran one after the other as long as neither decides anything
// by what the other one changes. Commands keep to that in four ways. Where one would decide
// something that concerns more than its thing, or read what is known to the wide lane
// alone, it goes to the wide lane (Tx.Wide). A decision of the wide lane that follows from
// the absence of something is made while no lane runs (Tx.Alone). One that follows from what
// a queue has, and leaves the queue as it is, writes it nevertheless (Tx.Touch). What
// several transactions can bring about only together is looked at once more when they are
// durable (Tx.Look).
//
// On a store without lanes everything is the wide lane, and none of this does anything. Lanes of
// other processes are no different from those of this one (clustered.go).

// guard is one of these ways.
type guard uint8

const (
	guardWide guard = 1 << iota
	guardAlone
	guardTouch
	guardLook
)

// errWide makes a command go to the wide lane.
var errWide = errors.New("commit: this is for the wide lane")

// errAlone makes a batch run again while no lane runs. It is no refusal.
var errAlone = fmt.Errorf("%w alone", store.ErrAgain)

// Wide returns nil in a transaction of the wide lane. In that of another one it returns an
// error, which the command must return; it then runs in the wide lane. That costs least
// before the command has written anything.
func (t *Tx) Wide() error {
	if t.narrow && t.c.off&guardWide == 0 {
		return errWide
	}
	return nil
}

// Alone returns nil if no other transaction runs, and all before this one are visible in
// it. Otherwise it returns an error, which the command must return; it then runs again so.
func (t *Tx) Alone() error {
	switch {
	case t.c.off&guardAlone != 0:
	case t.narrow:
		return errWide
	case t.Shared() && !t.alone:
		return errAlone
	}
	return nil
}

// Shared reports whether other transactions may run at the same time.
func (t *Tx) Shared() bool { return t.c.Shared() }

// Touch writes a queue as it is, so that a transaction which changes it at the same time is
// refused, or this one. It does nothing if there are no such transactions.
func (t *Tx) Touch(key store.QueueKey) error {
	if !t.Shared() || t.alone || t.c.off&guardTouch != 0 {
		return nil
	}
	q, err := t.Queue(key)
	if err == nil {
		t.PutQueue(q)
	}
	return err
}

// Over registers a function that is called when what the transaction has written is
// visible, or when it is given up. It must be quick.
func (t *Tx) Over(tell func()) { t.over = append(t.over, tell) }

// lanesOf returns the lanes of a store.
func lanesOf(c *Committer, s store.Laned) []*lane {
	lanes := make([]*lane, s.Lanes())
	for n := range lanes {
		lanes[n] = newLane(c, func(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
			return s.ApplyIn(ctx, n, fn)
		})
		lanes[n].narrow = true
	}
	return lanes
}

// laneOf returns the lane of the commands that concern a thing.
func (c *Committer) laneOf(thing muster.ThingName) *lane {
	if thing == "" || len(c.lanes) == 0 {
		return c.wide
	}
	return c.lanes[c.laned.LaneOf(thing)]
}

// follow hands those of commands to the wide lane that come after one of their thing which
// is there already, and returns the others. The caller holds mu.
func (c *Committer) follow(commands []command) []command {
	stay := commands[:0:0]
	for _, cmd := range commands {
		if c.away[cmd.thing] > 0 {
			c.send(cmd)
		} else {
			stay = append(stay, cmd)
		}
	}
	return stay
}

// send hands a command of a lane to the wide lane. The caller holds mu.
func (c *Committer) send(cmd command) {
	c.away[cmd.thing]++
	cmd.away = true
	c.wide.waiting = append(c.wide.waiting, cmd)
	c.wide.announce()
}

// sendAll hands commands to the wide lane.
func (c *Committer) sendAll(commands []command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range commands {
		c.send(cmd)
	}
}

// back lets the things of commands return to their lanes once the wide lane has run all
// that it had of them.
func (c *Committer) back(commands []command) {
	if len(c.lanes) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range commands {
		if !cmd.away {
			continue
		}
		if c.away[cmd.thing]--; c.away[cmd.thing] == 0 {
			delete(c.away, cmd.thing)
		}
	}
}

// removes notes that a queue was removed with a revision.
func (c *Committer) removes(rev int64) {
	for {
		known := c.removed.Load()
		if rev <= known || c.removed.CompareAndSwap(known, rev) {
			return
		}
	}
}

// gate lets the transactions of lanes run at the same time, or none of them.
type gate struct {
	mu     sync.Mutex
	moved  *sync.Cond
	inside int // transactions of lanes
	closed bool
}

func (g *gate) init() { g.moved = sync.NewCond(&g.mu) }

// enter waits until the gate is open.
func (g *gate) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed {
		g.moved.Wait()
	}
	g.inside++
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.moved.Broadcast()
}

// close closes the gate and waits until no transaction is inside.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for g.inside > 0 {
		g.moved.Wait()
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	g.moved.Broadcast()
}
