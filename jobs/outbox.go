package jobs

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// This file makes the notifications of a command (jobs-data-plane.md section 11), and
// keeps the promise that a subscriber with a persistent session ends up with the newest
// ones, whenever the process stops. What such a subscriber is owed is stored in the
// transaction that changes the queue, and deleted when the message is safe
// (Delivered). After a restart what is still stored is sent again (Redeliver).

// outbox is what the running command owes to things. Its notifications are made at
// the end of the command, of the queues as it leaves them.
type outbox struct {
	tx     *transaction
	before []muster.Queue          // the queues that the command changed, as they were before it
	others map[store.QueueKey]bool // in before, all but the first: few commands change more than one
	noted  int                     // of before, those whose notification is made
	notes  []Notification          // to be sent
}

// outbox returns the outbox of the running command.
func (tx *transaction) outbox() *outbox {
	o := commit.OfCommand[outbox](tx.Tx, tx.s)
	o.tx = tx
	return o
}

// rank is when jobs make the notifications of a command (commit.Tx.Before): after
// all that the registry settles.
const rank = registry.Rank + 1

// remember keeps a queue as it was before the command, when that changes it first.
func (o *outbox) remember(q muster.Queue) {
	key := keyOf(q)
	switch {
	case len(o.before) == 0:
	case keyOf(o.before[0]) == key || o.others[key]:
		return
	case o.others == nil:
		o.others = map[store.QueueKey]bool{key: true}
	default:
		o.others[key] = true
	}
	if o.before = append(o.before, q); len(o.before) == o.noted+1 {
		o.tx.Before(rank, func() error { return o.noteAll() })
	}
}

func keyOf(q muster.Queue) store.QueueKey {
	return store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}
}

// noteAll makes the notifications of the queues that the command changed.
func (o *outbox) noteAll() error {
	if err := o.readFor(o.before[o.noted:]); err != nil {
		return err
	}
	for ; o.noted < len(o.before); o.noted++ {
		if err := o.note(o.before[o.noted]); err != nil {
			return err
		}
	}
	return nil
}

// readFor reads at once what the notifications of some queues need, which are as they were
// before the command.
func (o *outbox) readFor(all []muster.Queue) error {
	var failed error
	o.tx.prefetch(func(w wants) {
		for _, before := range all {
			key := keyOf(before)
			after, err := o.tx.Queue(key)
			if err != nil {
				failed = err
				return
			}
			change := muster.Diff(before, after)
			if head, ok := after.Head(); ok && change.Next {
				w.Execution(store.ExecutionKey{Thing: key.Thing, Job: head.Job, Number: head.Number})
				w.Record(tables.jobs.Table, string(head.Job))
				w.Record(tables.documents.Table, string(head.Job))
			}
			if change.Any() && o.tx.s.audience.Keep(key, change) {
				w.Record(tables.outbox.Table, outboxKey(key))
			}
		}
	})
	return failed
}

// note makes the notification that the command owes the thing of a queue, if any. What
// a thing must be told follows from its queue before and after the command alone
// (muster.Diff), so it does not matter how often the queue changed in between.
func (o *outbox) note(before muster.Queue) error {
	key := keyOf(before)
	after, err := o.tx.Queue(key)
	if err != nil {
		return err
	}
	change := muster.Diff(before, after)
	if !change.Any() {
		return nil
	}
	n := Notification{QueueKey: key, At: o.tx.Now, Change: change, Queue: after, jobs: o.tx.s}
	if change.Next {
		if err = o.present(&n); err != nil {
			return err
		}
	}
	if err := o.owe(&n); err != nil {
		return err
	}
	o.tell(n)
	return nil
}

// tell has a thing told of n after the command.
func (o *outbox) tell(n Notification) {
	if o.notes = append(o.notes, n); len(o.notes) > 1 {
		return
	}
	o.tx.After(func() {
		o.tx.s.waiters.wake(keysOf(o.notes))
		o.tx.s.audience.Notify(o.notes)
	})
}

// keysOf yields the queues of notifications.
func keysOf(notes []Notification) iter.Seq[store.QueueKey] {
	return func(yield func(store.QueueKey) bool) {
		for i := range notes {
			if !yield(notes[i].QueueKey) {
				return
			}
		}
	}
}

// head returns the execution that comes first in q, or nil.
func (o *outbox) head(q muster.Queue) (*muster.Execution, error) {
	entry, ok := q.Head()
	if !ok {
		return nil, nil
	}
	found, err := o.tx.Executions(store.ExecutionKey{Thing: q.Thing, Job: entry.Job, Number: entry.Number})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// present adds the head of the queue to a notification, with its job and document. If
// the document has links and a subscriber would get the notification now, the execution
// is also given the instant of its URLs, in this transaction: otherwise the publisher
// would need another transaction for each thing of a rollout (Notification.Document).
func (o *outbox) present(n *Notification) (err error) {
	n.HeadRev = n.Queue.Rev
	if n.Head, err = o.head(n.Queue); err != nil || n.Head == nil {
		return err
	}
	if n.job, err = o.tx.job(n.Head.Job); err != nil {
		return err
	}
	if n.document, err = o.tx.document(n.Head.Job); err != nil {
		return err
	}
	if n.job == nil || !n.job.Links || !o.tx.s.audience.Hears(n.QueueKey) {
		return nil
	}
	before, after := n.Head, renewed(n.job, *n.Head, o.tx.Now)
	n.Head = &after
	return o.tx.reissue(before, &after)
}

// owing is what a thing must still be told.
type owing struct {
	List, Next bool
	Receipt    uint64 // tells a delivery of this from one of an earlier debt
}

func outboxKey(key store.QueueKey) string {
	return store.JoinKey(string(key.Thing), string(key.Namespace))
}

// owe stores what n owes, in addition to what was owed before, if a subscriber with a
// persistent session would get it.
func (o *outbox) owe(n *Notification) error {
	if !o.tx.s.audience.Keep(n.QueueKey, n.Change) {
		return nil
	}
	debt := n.Change
	if old, err := tables.outbox.Get(o.tx, outboxKey(n.QueueKey)); err != nil {
		return err
	} else if old != nil {
		debt = debt.Or(muster.Change{List: old.List, Next: old.Next})
	}
	// A debt may grow while an earlier notification of the thing is on its way. Then the
	// receipt of that one no longer matches, and Delivered leaves the debt.
	n.receipt = rand.Uint64() | 1 // zero means that nothing is stored
	tables.outbox.Put(o.tx, outboxKey(n.QueueKey), owing{List: debt.List, Next: debt.Next, Receipt: n.receipt})
	return nil
}

// Delivered deletes what is stored of n, unless more was owed since. It is called when
// the messages of n are safe with their subscribers, and does not wait. Where several processes share
// the store, those of others may not have it yet, and it is deleted later (settleTime).
func (s *Jobs) Delivered(n Notification) {
	switch {
	case n.receipt == 0:
	case s.commits.Clustered():
		for _, d := range s.delivered.add(delivery{n.QueueKey, n.receipt, s.now()}) {
			settle(s, d.QueueKey, d.receipt)
		}
	default:
		settle(s, n.QueueKey, n.receipt)
	}
}

// settle deletes a debt unless it has another receipt by now.
func settle(s *Jobs, key store.QueueKey, receipt uint64) {
	named := func(w *commit.Wants) {
		if w.Far() {
			w.Record(tables.outbox.Table, outboxKey(key))
		}
	}
	submit(s, key.Thing, named, func(tx *transaction) (struct{}, error) {
		debt, err := tables.outbox.Get(tx, outboxKey(key))
		if err == nil && debt != nil && debt.Receipt == receipt {
			tables.outbox.Delete(tx, outboxKey(key))
		}
		return struct{}{}, err
	}, func(_ struct{}, err error) {
		if err != nil {
			s.commits.Log().Debug("a notification may be sent again after a restart", "thing", key.Thing, "error", err)
		}
	})
}

// settleTime is how long a debt remains after a process has delivered it, because sessions of
// another one may be owed the same: by then that one has delivered it as well, or was found
// dead, and those who have its sessions now have asked for what is Owed.
const settleTime muster.Instant = 30_000

// delivery is a debt that this process has delivered.
type delivery struct {
	store.QueueKey
	receipt uint64
	at      muster.Instant
}

// deliveries are those whose debts remain for settleTime. They are looked at when another one
// comes; what is left when the process ends, or none comes, may be told once more. The zero value is empty.
type deliveries struct {
	mu      sync.Mutex
	newest  map[store.QueueKey]uint64 // the receipt of each queue that was delivered last
	waiting []delivery                // the first one first
}

// add takes a delivery, and returns those that are to be settled now, at most two: so they
// become fewer, and nobody has to settle many.
func (d *deliveries) add(one delivery) (due []delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.newest == nil {
		d.newest = map[store.QueueKey]uint64{}
	}
	if d.newest[one.QueueKey] != one.receipt {
		d.newest[one.QueueKey] = one.receipt
		d.waiting = append(d.waiting, one)
	}
	for range 2 {
		if len(d.waiting) == 0 || one.at < d.waiting[0].at+settleTime {
			break
		}
		first := d.waiting[0]
		d.waiting = d.waiting[1:]
		if d.newest[first.QueueKey] == first.receipt { // or else the debt has grown, and a later one settles it
			delete(d.newest, first.QueueKey)
			due = append(due, first)
		}
	}
	return due
}

// Redeliver notifies again of what was still owed when the process stopped. It is
// called once, when the Audience is ready to publish. Where several processes share the store it
// leaves to the others what this process's Audience does not keep.
func (s *Jobs) Redeliver(ctx context.Context) error {
	var debts []store.Row[owing]
	if err := s.commits.View(ctx, func(r store.Reader) error {
		debts = nil
		for row, err := range tables.outbox.Scan(r, "", "") {
			if err != nil {
				return err
			}
			if !s.commits.Clustered() || s.audience.Keep(owedQueue(row), muster.Change{List: row.Value.List, Next: row.Value.Next}) {
				debts = append(debts, row)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	var runs []func(*transaction) error
	for some := range slices.Chunk(debts, stepMax) {
		runs = append(runs, func(tx *transaction) error { return redeliver(tx, some) })
	}
	return s.commits.Background(ctx, stepsIn(s, runs))
}

func redeliver(tx *transaction, debts []store.Row[owing]) error {
	tx.Prefetch(func(w *commit.Wants) {
		for _, debt := range debts {
			w.Head(owedQueue(debt), tables.jobs.Table, tables.documents.Table)
		}
	})
	for _, debt := range debts {
		if err := redeliverOne(tx, debt); err != nil {
			return err
		}
	}
	return nil
}

// Owed returns what is written down that things are owed, whichever process has done that, for CatchUp: what this
// process was to learn of it from the others may have been lost. After is not set.
func (s *Jobs) Owed(ctx context.Context) (owed []News, err error) {
	err = s.commits.View(ctx, func(r store.Reader) error {
		owed = nil
		for row, err := range tables.outbox.Scan(r, "", "") {
			if err != nil {
				return err
			}
			owed = append(owed, News{QueueKey: owedQueue(row), Change: muster.Change{List: row.Value.List, Next: row.Value.Next}})
		}
		return nil
	})
	return owed, err
}

// owedQueue returns the queue that a debt is about.
func owedQueue(debt store.Row[owing]) store.QueueKey {
	parts := store.SplitKey(debt.Key)
	return store.QueueKey{Thing: muster.ThingName(parts[0]), Namespace: muster.Namespace(parts[1])}
}

func redeliverOne(tx *transaction, debt store.Row[owing]) error {
	key := owedQueue(debt)
	q, err := tx.Queue(key)
	if err != nil {
		return err
	}
	n := Notification{
		QueueKey: key, At: tx.Now, Queue: q, jobs: tx.s, receipt: debt.Value.Receipt,
		Change: muster.Change{List: debt.Value.List, Next: debt.Value.Next},
	}
	o := tx.outbox()
	if err := o.present(&n); err != nil {
		return err
	}
	o.tell(n)
	return nil
}
