package jobs

import (
	"context"
	"math/rand/v2"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file keeps the promise that a subscriber who is kept across restarts
// ends up with the newest notifications, whenever the process stops: what it is
// owed is written in the transaction that owes it, and crossed out when the
// message is safe.

// owing is what a thing must still be told.
type owing struct {
	List, Next bool
	Receipt    uint64 // tells a delivery of this from one of an earlier debt
}

func outboxKey(key store.QueueKey) string {
	return store.JoinKey(string(key.Thing), string(key.Namespace))
}

// owe writes n down when somebody who is kept has subscribed to it.
func (tx *transaction) owe(n *Notification) error {
	if !tx.s.audience.Keep(n.QueueKey, n.Change) {
		return nil
	}
	debt := n.Change
	if old, err := tables.outbox.Get(tx, outboxKey(n.QueueKey)); err != nil {
		return err
	} else if old != nil {
		debt = debt.Or(muster.Change{List: old.List, Next: old.Next})
	}
	n.receipt = rand.Uint64() | 1 // zero means nothing was written down
	tables.outbox.Put(tx, outboxKey(n.QueueKey), owing{List: debt.List, Next: debt.Next, Receipt: n.receipt})
	return nil
}

// Delivered crosses out what n owed. It is called when its messages are safe
// with whoever is to get them, and does not wait.
func (s *Jobs) Delivered(n Notification) {
	if n.receipt == 0 {
		return
	}
	submit(s, nil, func(tx *transaction) (struct{}, error) {
		debt, err := tables.outbox.Get(tx, outboxKey(n.QueueKey))
		if err == nil && debt != nil && debt.Receipt == n.receipt {
			tables.outbox.Delete(tx, outboxKey(n.QueueKey))
		}
		return struct{}{}, err
	}, func(_ struct{}, err error) {
		if err != nil {
			s.commits.Log().Debug("a notification may be sent again after a restart", "thing", n.Thing, "error", err)
		}
	})
}

// Redeliver notifies again of what was still owed when the process stopped. It
// is called once, after whoever publishes is ready.
func (s *Jobs) Redeliver(ctx context.Context) error {
	var debts []store.Row[owing]
	if err := s.commits.View(ctx, func(r store.Reader) error {
		for row, err := range tables.outbox.Scan(r, "", "") {
			if err != nil {
				return err
			}
			debts = append(debts, row)
		}
		return nil
	}); err != nil {
		return err
	}
	runs := make([]func(*transaction) error, 0, len(debts))
	for _, debt := range debts {
		runs = append(runs, func(tx *transaction) error { return redeliver(tx, debt) })
	}
	return s.commits.Background(ctx, s.steps(runs))
}

func redeliver(tx *transaction, debt store.Row[owing]) error {
	parts := store.SplitKey(debt.Key)
	key := store.QueueKey{Thing: muster.ThingName(parts[0]), Namespace: muster.Namespace(parts[1])}
	q, err := tx.Queue(key)
	if err != nil {
		return err
	}
	n := Notification{
		QueueKey: key, At: tx.Now, Queue: q, jobs: tx.s, receipt: debt.Value.Receipt,
		Change: muster.Change{List: debt.Value.List, Next: debt.Value.Next},
	}
	if n.Head, err = tx.head(q); err != nil {
		return err
	}
	if err := tx.present(&n); err != nil {
		return err
	}
	tx.tellThings(n)
	return nil
}
