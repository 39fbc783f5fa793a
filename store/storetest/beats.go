package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster/store"
)

// Nodes are handles on one store, each as another process would open it.
type Nodes struct {
	// Join opens the store for a node.
	Join func(name string) store.Roster

	// Pass lets time pass by the clock of the store, as far as the nodes of the list are
	// concerned.
	Pass func(time.Duration)
}

// RunRoster fails t unless the stores that open returns keep the promises of store.Roster about
// nodes and leases. Each subtest gets an empty store, and closes what it has joined.
func RunRoster(t *testing.T, open func(*testing.T) Nodes) {
	for _, p := range []struct {
		name string
		test func(*beating)
	}{
		{"nodes know each other, in order of their names", (*beating).nodesKnowEachOther},
		{"incarnations rise", (*beating).incarnationsRise},
		{"a node tells its load, and that it drains", (*beating).nodesTell},
		{"an order to drain reaches the node of that name", (*beating).drainReaches},
		{"a lease has one holder until it drops it", (*beating).leasesAreHeld},
		{"a lease of a dead node is free once that is fenced", (*beating).deadNodesLoseLeases},
		{"a live node is not fenced", (*beating).liveNodesStay},
		{"when the store was away for all, nobody is fenced who comes back", (*beating).nobodyIsFencedAtOnce},
		{"a node that closes is gone with its leases", (*beating).closedNodesAreGone},
		{"a node that was fenced is told so, by each call", (*beating).fencedNodesStop},
	} {
		t.Run(p.name, func(t *testing.T) { p.test(&beating{t, open(t)}) })
	}
}

// beating joins nodes and lets them beat.
type beating struct {
	*testing.T
	Nodes
}

func (b *beating) join(name string) store.Roster {
	b.Helper()
	n := b.Join(name)
	b.Cleanup(func() { _ = n.Close() }) // a test may have closed it, or it is fenced
	b.beat(n, store.Beat{})
	return n
}

// pass lets time pass in which some nodes beat and others do not.
func (b *beating) pass(d time.Duration, those ...store.Roster) {
	b.Helper()
	for ; d > 0; d -= store.BeatTime {
		b.Pass(store.BeatTime)
		for _, n := range those {
			b.beat(n, store.Beat{})
		}
	}
}

func (b *beating) beat(n store.Roster, said store.Beat) store.Roll {
	b.Helper()
	roll, err := n.Beat(context.Background(), said)
	if err != nil {
		b.Fatalf("Beat() = %v", err)
	}
	return roll
}

func namesOf(roll store.Roll) (all []string) {
	for _, m := range roll.Nodes {
		all = append(all, m.Name)
	}
	return all
}

// member returns one node of a roll.
func (b *beating) member(roll store.Roll, of store.Roster) store.Member {
	b.Helper()
	i := slices.IndexFunc(roll.Nodes, func(m store.Member) bool { return m.Incarnation == of.Me() })
	if i < 0 {
		b.Fatalf("node %d is not in %+v", of.Me(), roll)
	}
	return roll.Nodes[i]
}

func (b *beating) nodesKnowEachOther() {
	west, east := b.join("west"), b.join("east")
	for _, n := range []store.Roster{west, east} {
		roll := b.beat(n, store.Beat{})
		expect(b.T, "the names", namesOf(roll), []string{"east", "west"})
		for _, of := range []store.Roster{west, east} {
			m := b.member(roll, of)
			if left := m.Expires.Sub(roll.Now); m.Fenced || m.Draining || m.Drain || left <= store.TermTime/2 || left > store.TermTime || m.Started.After(roll.Now) {
				b.Errorf("at %v a node that has just beaten is %+v", roll.Now, m)
			}
			if roll.Gone(of.Me()) {
				b.Errorf("Gone(%d) of a node that is there", of.Me())
			}
		}
		if roll.Newest != east.Me() || roll.Gone(east.Me()+1) {
			b.Errorf("Newest = %d, Gone() = %v of the next; want %d and false", roll.Newest, roll.Gone(east.Me()+1), east.Me())
		}
	}
}

func (b *beating) incarnationsRise() {
	last := store.Incarnation(0)
	for range 3 {
		n := b.join("node")
		if n.Me() <= last {
			b.Errorf("Me() = %d after %d", n.Me(), last)
		}
		last = n.Me()
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *beating) nodesTell() {
	west, east := b.join("west"), b.join("east")
	load := store.Load{Connections: 17, Operations: 2.5}
	b.beat(west, store.Beat{Load: load, Draining: true})
	m := b.member(b.beat(east, store.Beat{}), west)
	expect(b.T, "the load", m.Load, load)
	expect(b.T, "Draining", m.Draining, true)
	b.beat(west, store.Beat{})
	m = b.member(b.beat(east, store.Beat{}), west)
	expect(b.T, "the load", m.Load, store.Load{})
	expect(b.T, "Draining", m.Draining, false)
}

func (b *beating) drainReaches() {
	west, east := b.join("west"), b.join("east")
	for _, stop := range []bool{false, true} {
		b.beat(west, store.Beat{Drain: []store.Drain{{Name: "east", Stop: stop}, {Name: "nobody"}}})
		for range 2 {
			roll := b.beat(east, store.Beat{})
			expect(b.T, "Drain of east", b.member(roll, east).Drain, !stop)
			expect(b.T, "Drain of west", b.member(roll, west).Drain, false)
		}
	}
}

func (b *beating) leasesAreHeld() {
	west, east := b.join("west"), b.join("east")
	held := func(n store.Roster, said store.Beat, want map[string]store.Incarnation) {
		b.Helper()
		expect(b.T, "the leases", b.beat(n, said).Leases, want)
	}
	held(west, store.Beat{Take: []string{"a", "b"}}, map[string]store.Incarnation{"a": west.Me(), "b": west.Me()})
	held(east, store.Beat{Take: []string{"b", "c"}}, map[string]store.Incarnation{"a": west.Me(), "b": west.Me(), "c": east.Me()})
	held(east, store.Beat{Drop: []string{"a", "none"}}, map[string]store.Incarnation{"a": west.Me(), "b": west.Me(), "c": east.Me()})
	held(west, store.Beat{Drop: []string{"b"}, Take: []string{"a"}}, map[string]store.Incarnation{"a": west.Me(), "c": east.Me()})
	held(east, store.Beat{Take: []string{"b"}, Drop: []string{"c"}}, map[string]store.Incarnation{"a": west.Me(), "b": east.Me()})
}

func (b *beating) deadNodesLoseLeases() {
	west, east := b.join("west"), b.join("east")
	b.beat(west, store.Beat{Take: []string{"a", "b"}})
	b.pass(store.TermTime+time.Second, east)
	roll := b.beat(east, store.Beat{Take: []string{"a"}})
	expect(b.T, "the holder, which is dead", roll.Leases["a"], west.Me())
	if m := b.member(roll, west); m.Expires.After(roll.Now) || m.Fenced || roll.Gone(west.Me()) {
		b.Errorf("at %v the dead node is %+v", roll.Now, m)
	}
	roll = b.beat(east, store.Beat{Fence: []store.Incarnation{west.Me()}, Take: []string{"a"}})
	expect(b.T, "the holder, once it is fenced", roll.Leases["a"], east.Me())
	expect(b.T, "Fenced, while it has a lease", b.member(roll, west).Fenced, true)
	expect(b.T, "Gone()", roll.Gone(west.Me()), true)
	b.Pass(2 * store.TermTime)
	roll = b.beat(east, store.Beat{Take: []string{"b"}})
	expect(b.T, "Gone()", roll.Gone(west.Me()), true)
	expect(b.T, "the leases", roll.Leases, map[string]store.Incarnation{"a": east.Me(), "b": east.Me()})
}

func (b *beating) liveNodesStay() {
	west, east := b.join("west"), b.join("east")
	b.beat(west, store.Beat{Take: []string{"a"}})
	roll := b.beat(east, store.Beat{Fence: []store.Incarnation{west.Me(), east.Me(), 99999}, Take: []string{"a"}})
	expect(b.T, "the holder", roll.Leases["a"], west.Me())
	b.pass(store.TermTime, west, east)
	b.pass(store.TermTime-time.Second, east)
	b.beat(west, store.Beat{}) // late, and so not dead
	b.beat(east, store.Beat{Fence: []store.Incarnation{west.Me()}})
	b.beat(west, store.Beat{})
}

func (b *beating) nobodyIsFencedAtOnce() {
	west, east := b.join("west"), b.join("east")
	b.pass(store.TermTime, west, east)
	b.Pass(2 * store.TermTime)
	fence := store.Beat{Fence: []store.Incarnation{west.Me()}}
	b.beat(east, fence)
	b.pass(store.TermTime-2*time.Second, east)
	b.beat(east, fence)
	b.beat(west, store.Beat{})
	b.pass(store.TermTime+time.Second, east)
	expect(b.T, "Gone() once it had the time to come back and did not", b.beat(east, fence).Gone(west.Me()), true)
}

func (b *beating) closedNodesAreGone() {
	west, east := b.join("west"), b.join("east")
	b.beat(west, store.Beat{Take: []string{"a"}})
	if err := west.Close(); err != nil {
		b.Fatal(err)
	}
	roll := b.beat(east, store.Beat{Take: []string{"a"}})
	expect(b.T, "the holder", roll.Leases["a"], east.Me())
	expect(b.T, "the names", namesOf(roll), []string{"east"})
	expect(b.T, "Gone()", roll.Gone(west.Me()), true)
}

func (b *beating) fencedNodesStop() {
	west, east := b.join("west"), b.join("east")
	b.beat(west, store.Beat{Take: []string{"a"}})
	b.pass(store.TermTime+time.Second, east)
	b.beat(east, store.Beat{Fence: []store.Incarnation{west.Me()}})
	for range 2 {
		if _, err := west.Beat(context.Background(), store.Beat{Take: []string{"b"}}); !errors.Is(err, store.ErrFenced) || !errors.Is(err, store.ErrStopped) {
			b.Errorf("Beat() of a fenced node = %v, want ErrFenced and ErrStopped", err)
		}
	}
	roll := b.beat(east, store.Beat{Take: []string{"a"}})
	expect(b.T, "the leases", roll.Leases, map[string]store.Incarnation{"a": east.Me()})
}
