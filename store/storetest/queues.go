package storetest

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func queues() []promise {
	return []promise{
		{"queues come in the order asked for, and a missing one is empty with its names", queuesInOrder},
		{"a queue keeps its revision and every field of its entries", queueKeepsFields},
		{"namespaces of one thing are queues of their own", namespacesAreApart},
		{"a queue without entries is removed, or of a shared store its revision is kept", emptyQueueIsRemoved},
		{"a queue that was read or written belongs to the caller", queueBelongsToCaller},
	}
}

func queueOf(thing muster.ThingName, namespace muster.Namespace, jobs ...muster.JobID) muster.Queue {
	q := muster.Queue{Thing: thing, Namespace: namespace}
	for i, job := range jobs {
		q = q.With(queued(thing, job, 1, muster.Instant(i+1)))
	}
	return q
}

func queuesInOrder(t *testing.T, s store.Store) {
	pump, lamp := queueOf("pump", "", "a", "b"), queueOf("lamp", "", "c")
	update(t, s, func(tx store.Tx) { tx.PutQueue(pump); tx.PutQueue(lamp) })
	view(t, s, func(r store.Reader) {
		got := must[[]muster.Queue](t)(r.Queues(
			store.QueueKey{Thing: "pump"}, store.QueueKey{Thing: "door", Namespace: "ns"},
			store.QueueKey{Thing: "lamp"}, store.QueueKey{Thing: "pump"}, store.QueueKey{Thing: "pum"}))
		expect(t, "Queues(pump, door, lamp, pump, pum)", got,
			[]muster.Queue{pump, {Thing: "door", Namespace: "ns"}, lamp, pump, {Thing: "pum"}})
		expect(t, "Queues()", must[[]muster.Queue](t)(r.Queues()), "[]")
	})
}

func queueKeepsFields(t *testing.T, s store.Store) {
	q := muster.Queue{Thing: "pump", Namespace: "ns", Entries: []muster.Entry{
		{
			Job: "a", Number: 1 << 40, Version: 7, Status: muster.InProgress, QueuedAt: 1_700_000_000_001,
			StartedAt: 1_700_000_000_002, UpdatedAt: 1_700_000_000_003, Windowed: true,
		},
		{Job: "b", Number: 1, Version: 1, Status: muster.Queued, QueuedAt: 1, Windowed: true, Hidden: true},
		{Job: "c", Number: 2, Version: 1, Status: muster.Queued, Hidden: true},
		{Job: "d", Number: 1, Version: 1, Status: muster.Queued},
	}}
	key := store.QueueKey{Thing: "pump", Namespace: "ns"}
	for _, q.Rev = range []int64{1<<62 + 1, 1, 0, q.LeastRev() + 7} {
		update(t, s, func(tx store.Tx) {
			tx.PutQueue(q)
			expect(t, "Queues() inside the transaction", must[[]muster.Queue](t)(tx.Queues(key)), []muster.Queue{q})
		})
		view(t, s, func(r store.Reader) {
			expect(t, "Queues()", must[[]muster.Queue](t)(r.Queues(key)), []muster.Queue{q})
			expect(t, "AllQueues()", list(t, r.AllQueues(), 0), []muster.Queue{q})
		})
	}
}

func namespacesAreApart(t *testing.T, s store.Store) {
	plain, factory := queueOf("pump", "", "a"), queueOf("pump", "factory", "b")
	update(t, s, func(tx store.Tx) { tx.PutQueue(plain); tx.PutQueue(factory) })
	update(t, s, func(tx store.Tx) { tx.PutQueue(queueOf("pump", "")) })
	view(t, s, func(r store.Reader) {
		expect(t, "AllQueues()", list(t, r.AllQueues(), 0), []muster.Queue{factory})
	})
}

func emptyQueueIsRemoved(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) { tx.PutQueue(queueOf("pump", "", "a").Revised(0)) })
	kept := int64(0)
	if isShared(s) {
		kept = 8
	}
	gone := func(r store.Reader) {
		got := must[[]muster.Queue](t)(r.Queues(store.QueueKey{Thing: "pump"}, store.QueueKey{Thing: "never"}))
		expect(t, "Queues(pump, never)", got, []muster.Queue{{Thing: "pump", Rev: kept}, {Thing: "never", Rev: kept}})
	}
	update(t, s, func(tx store.Tx) {
		tx.PutQueue(queueOf("pump", "").Revised(7))
		tx.PutQueue(queueOf("never", "").Revised(7))
		gone(tx)
	})
	view(t, s, func(r store.Reader) {
		gone(r)
		expect(t, "AllQueues()", list(t, r.AllQueues(), 0), "[]")
	})
}

func queueBelongsToCaller(t *testing.T, s store.Store) {
	want := queueOf("pump", "", "a", "b")
	update(t, s, func(tx store.Tx) {
		given := queueOf("pump", "", "a", "b")
		tx.PutQueue(given)
		given.Entries[0].Version = 99
		got := must[[]muster.Queue](t)(tx.Queues(store.QueueKey{Thing: "pump"}))
		expect(t, "Queues() after the written one was changed", got[0], want)
		got[0].Entries[1].Version = 99
	})
	view(t, s, func(r store.Reader) {
		got := must[[]muster.Queue](t)(r.Queues(store.QueueKey{Thing: "pump"}))
		got[0].Entries[1].Version = 99
		got = must[[]muster.Queue](t)(r.Queues(store.QueueKey{Thing: "pump"}))
		expect(t, "Queues() after the read one was changed", got[0], want)
	})
}
