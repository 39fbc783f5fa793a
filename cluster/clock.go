package cluster

import (
	"fmt"
	"time"
)

// anchor is a moment at which both clocks were read: that of the store, and the one that the
// machine counts on from. The zero anchor knows nothing.
type anchor struct {
	local time.Time // with its monotonic reading
	store time.Time
}

// with returns the anchor after an answer. The store read its clock between sent and got, so
// half of that time is what the answer may be wrong by; a difference below it is none.
func (c anchor) with(a answer) anchor {
	half := a.got.Sub(a.sent) / 2
	next := anchor{a.sent.Add(half), a.roll.Now}
	if !c.local.IsZero() && next.store.Sub(c.at(next.local)).Abs() <= half {
		return c
	}
	return next
}

// at returns what the clock of the store shows when the machine reads local.
func (c anchor) at(local time.Time) time.Time { return c.store.Add(local.Sub(c.local)) }

// Now returns the time of the store, as far as it is known: the machine counts on from what the
// store showed at a Beat. Until the first one it is that of the machine.
func (n *Node) Now() time.Time {
	now := n.o.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.clock.local.IsZero() {
		return now
	}
	return n.clock.at(now)
}

// checkClock fails if the machine shows another time than the store.
func checkClock(a answer) error {
	wall := a.sent.Add(a.got.Sub(a.sent) / 2).Round(0) // without the monotonic reading
	off := wall.Sub(a.roll.Now)
	if off.Abs() <= clockMax {
		return nil
	}
	way := "ahead of"
	if off < 0 {
		way = "behind"
	}
	return fmt.Errorf("the clock of this machine is %s %s that of the database, and signatures and certificates are judged by it: set it, then start the node again", off.Abs().Round(time.Second), way)
}
