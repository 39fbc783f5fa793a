package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-iot/muster/store"
)

// Roster is the list of nodes and leases of a store.Roster, in memory.
type Roster struct {
	now func() time.Time

	mu     sync.Mutex
	newest store.Incarnation
	nodes  map[store.Incarnation]store.Member
	steady map[store.Incarnation]time.Time // since when each has beaten in time
	leases map[string]store.Incarnation
}

// NewRoster returns a list without nodes. now is the clock of the store.
func NewRoster(now func() time.Time) *Roster {
	return &Roster{now: now, nodes: map[store.Incarnation]store.Member{}, steady: map[store.Incarnation]time.Time{}, leases: map[string]store.Incarnation{}}
}

// Join returns a new node, which works on s, or s with a list of nodes if you like; s may be
// nil for tests that need the list only. A node that is fenced begins no more transactions,
// and none of which the function has not ended is applied. To kill a node is to let it beat no more.
func (r *Roster) Join(name string, s store.Shared) *Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest++
	now := r.now()
	r.steady[r.newest] = now
	r.nodes[r.newest] = store.Member{Name: name, Incarnation: r.newest, Started: now, Expires: now.Add(store.TermTime)}
	return &Node{sharedStore: s, roster: r, me: r.newest}
}

// sharedStore is store.Shared, which as the name of a field would hide its method.
type sharedStore = store.Shared

// Node is a store.Roster with a list of nodes in memory.
type Node struct {
	sharedStore
	roster *Roster
	me     store.Incarnation
}

var _ store.Roster = (*Node)(nil)

// Me returns the incarnation of the node.
func (n *Node) Me() store.Incarnation { return n.me }

// Beat is that of store.Roster.
func (n *Node) Beat(ctx context.Context, b store.Beat) (store.Roll, error) {
	if err := ctx.Err(); err != nil {
		return store.Roll{}, err
	}
	r := n.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refused(n.me); err != nil {
		return store.Roll{}, err
	}
	now := r.now()
	m := r.nodes[n.me]
	if m.Expires.Before(now) {
		r.steady[n.me] = now
	}
	for _, i := range b.Fence {
		if m, ok := r.nodes[i]; ok && i != n.me && m.Expires.Before(now) && now.Sub(r.steady[n.me]) >= store.TermTime {
			m.Fenced = true
			r.nodes[i] = m
		}
	}
	m.Expires, m.Load, m.Draining = now.Add(store.TermTime), b.Load, b.Draining
	r.nodes[n.me] = m
	for _, name := range b.Drop {
		if r.leases[name] == n.me {
			delete(r.leases, name)
		}
	}
	for _, name := range b.Take {
		if holder, ok := r.nodes[r.leases[name]]; !ok || holder.Fenced {
			r.leases[name] = n.me
		}
	}
	for _, d := range b.Drain {
		for i, m := range r.nodes {
			if m.Name == d.Name {
				m.Drain = !d.Stop
				r.nodes[i] = m
			}
		}
	}
	return r.roll(now), nil
}

// roll returns the list. The caller holds mu.
func (r *Roster) roll(now time.Time) store.Roll {
	roll := store.Roll{Now: now, Leases: map[string]store.Incarnation{}, Newest: r.newest}
	held := map[store.Incarnation]bool{}
	for name, holder := range r.leases {
		roll.Leases[name], held[holder] = holder, true
	}
	for i, m := range r.nodes {
		if m.Fenced && !held[i] {
			continue
		}
		roll.Nodes = append(roll.Nodes, m)
	}
	slices.SortFunc(roll.Nodes, func(a, b store.Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return roll
}

// refused returns an error if a node was fenced. The caller holds mu.
func (r *Roster) refused(node store.Incarnation) error {
	if m, ok := r.nodes[node]; ok && !m.Fenced {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrStopped, store.ErrFenced)
}

func (n *Node) fenced() error {
	n.roster.mu.Lock()
	defer n.roster.mu.Unlock()
	return n.roster.refused(n.me)
}

// Close closes the store; the node is gone.
func (n *Node) Close() error {
	n.roster.mu.Lock()
	delete(n.roster.nodes, n.me)
	for name, holder := range n.roster.leases {
		if holder == n.me {
			delete(n.roster.leases, name)
		}
	}
	n.roster.mu.Unlock()
	if n.sharedStore == nil {
		return nil
	}
	return n.sharedStore.Close()
}

// View is that of the store.
func (n *Node) View(ctx context.Context, fn func(store.Reader) error) error {
	if err := n.fenced(); err != nil {
		return err
	}
	return n.sharedStore.View(ctx, fn)
}

// Apply is that of the store.
func (n *Node) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return n.sharedStore.Apply(ctx, n.unlessFenced(fn))
}

// ApplyIn is that of the store.
func (n *Node) ApplyIn(ctx context.Context, lane int, fn func(store.Tx) error) (func() error, error) {
	return n.sharedStore.ApplyIn(ctx, lane, n.unlessFenced(fn))
}

// ApplyAlone is that of the store.
func (n *Node) ApplyAlone(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return n.sharedStore.ApplyAlone(ctx, n.unlessFenced(fn))
}

func (n *Node) unlessFenced(fn func(store.Tx) error) func(store.Tx) error {
	return func(tx store.Tx) error {
		if err := n.fenced(); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		return n.fenced()
	}
}
