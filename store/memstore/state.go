package memstore

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/tidwall/btree"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// state is all that a store holds, in trees whose copies share what they have
// in common. The trees keep no locks: a state is either one transaction's own,
// or read only.
type state struct {
	queues     *btree.BTreeG[muster.Queue]
	executions *btree.BTreeG[muster.Execution]
	places     *btree.BTreeG[place]
	timers     *btree.BTreeG[store.Timer]
	counts     *btree.BTreeG[jobCounts]
	records    *btree.BTreeG[record]
}

// place is an entry in the index by job. Each execution has two: under its status,
// and under the zero status for "any".
type place struct {
	job    muster.JobID
	status muster.Status
	store.Cursor
}

type jobCounts struct {
	job    muster.JobID
	counts muster.Counts
}

type record struct {
	table store.Table
	key   string
	value []byte
}

func newState() *state {
	return &state{
		queues:     tree(func(a, b muster.Queue) int { return store.KeyOfQueue(a).Compare(store.KeyOfQueue(b)) }),
		executions: tree(func(a, b muster.Execution) int { return store.Key(a).Compare(store.Key(b)) }),
		places:     tree(comparePlaces),
		timers:     tree(store.Timer.Compare),
		counts:     tree(func(a, b jobCounts) int { return cmp.Compare(a.job, b.job) }),
		records:    tree(compareRecords),
	}
}

func tree[T any](compare func(a, b T) int) *btree.BTreeG[T] {
	less := func(a, b T) bool { return compare(a, b) < 0 }
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

// copy returns a copy for a writer. It must not run twice at the same time on one
// state, but it may run while that state is read.
func (s *state) copy() *state {
	return &state{
		queues:     s.queues.Copy(),
		executions: s.executions.Copy(),
		places:     s.places.Copy(),
		timers:     s.timers.Copy(),
		counts:     s.counts.Copy(),
		records:    s.records.Copy(),
	}
}

func comparePlaces(a, b place) int {
	return cmp.Or(
		cmp.Compare(a.job, b.job),
		cmp.Compare(a.status, b.status),
		a.Cursor.Compare(b.Cursor),
	)
}

func compareRecords(a, b record) int {
	return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
}

// first is the cursor before all others.
var first = store.Cursor{QueuedAt: math.MaxInt64}

func cloneQueue(q muster.Queue) muster.Queue {
	q.Entries = slices.Clone(q.Entries)
	return q
}

func cloneExecution(e muster.Execution) muster.Execution {
	e.Details = maps.Clone(e.Details)
	return e
}
