package cluster

import (
	"slices"
	"time"

	"github.com/muster-iot/muster/store"
)

// This file has the rules of leases. They see what the store knew at the last Beat, and say
// what the next one asks for.

// situation is what a node knows when it makes a Beat.
type situation struct {
	me       store.Incarnation
	roll     store.Roll
	leases   []string        // all that there are
	leaving  map[string]bool // those of this node that it stops acting on, to drop them
	draining bool
}

// plan is what a node wants next.
type plan struct {
	take  []string // in the order of the wish
	leave []string // to be stopped and dropped
	fence []store.Incarnation
}

// next returns what a node wants. Leases are taken in the order that shuffle makes, so that
// nodes which look for free ones at the same time seldom want the same.
func (s situation) next(shuffle func([]string)) plan {
	p := plan{fence: s.dead()}
	share := s.share()
	var mine, free []string
	for _, lease := range s.leases {
		holder, held := s.roll.Leases[lease]
		switch {
		case held && holder == s.me:
			if !s.leaving[lease] {
				mine = append(mine, lease)
			}
		case !held || s.lost(holder):
			free = append(free, lease)
		}
	}
	shuffle(mine)
	shuffle(free)
	if len(mine) > share {
		p.leave = mine[share:]
	} else {
		p.take = free[:min(len(free), share-len(mine))]
	}
	return p
}

// A node that finds leases free, or that another one is about to be dead, does not wait for its
// next turn.
const (
	soonTime  = 100 * time.Millisecond // before it asks for free leases
	afterTime = 20 * time.Millisecond  // after the moment from which a node counts as dead
)

// wait returns how long this node should wait, after the Beat that brought the roll, before the next
// one.
func (s situation) wait() time.Duration {
	p := s.next(func([]string) {})
	if len(p.take)+len(p.fence) > 0 {
		return soonTime
	}
	wait := store.BeatTime
	for _, m := range s.roll.Nodes {
		if m.Incarnation != s.me && s.alive(m) {
			wait = min(wait, m.Expires.Sub(s.roll.Now)+afterTime)
		}
	}
	return wait
}

// share is how many leases this node should have: as many as each other one, rounded up. A
// node that drains has none, unless it is the only one.
func (s situation) share() int {
	others := 0
	for _, m := range s.roll.Nodes {
		if m.Incarnation != s.me && s.alive(m) && !m.Draining {
			others++
		}
	}
	switch {
	case others == 0:
		return len(s.leases)
	case s.draining:
		return 0
	}
	return (len(s.leases) + others) / (others + 1)
}

func (s situation) alive(m store.Member) bool { return !m.Fenced && m.Expires.After(s.roll.Now) }

// dead returns the nodes that can be fenced.
func (s situation) dead() []store.Incarnation {
	var dead []store.Incarnation
	for _, m := range s.roll.Nodes {
		if m.Incarnation != s.me && !m.Fenced && !s.alive(m) {
			dead = append(dead, m.Incarnation)
		}
	}
	return dead
}

// lost reports whether what a node holds can be taken, now or once it is fenced.
func (s situation) lost(holder store.Incarnation) bool {
	return s.roll.Gone(holder) || slices.Contains(s.dead(), holder)
}

// live returns the nodes that work, draining ones too.
func live(r store.Roll) []store.Member {
	var nodes []store.Member
	for _, m := range r.Nodes {
		if (situation{roll: r}).alive(m) {
			nodes = append(nodes, m)
		}
	}
	return nodes
}
