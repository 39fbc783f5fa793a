package engine

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
func (b *batch) owe(n *Notification) error {
	if !b.e.o.Keep(n.QueueKey, n.Change) {
		return nil
	}
	debt := n.Change
	if old, err := outbox.Get(b, outboxKey(n.QueueKey)); err != nil {
		return err
	} else if old != nil {
		debt = debt.Or(muster.Change{List: old.List, Next: old.Next})
	}
	n.receipt = rand.Uint64() | 1 // zero means nothing was written down
	outbox.Put(b, outboxKey(n.QueueKey), owing{List: debt.List, Next: debt.Next, Receipt: n.receipt})
	return nil
}

// Delivered crosses out what n owed. It is called when its messages are safe
// with whoever is to get them, and does not wait.
func (e *Engine) Delivered(n Notification) {
	if n.receipt == 0 {
		return
	}
	submitFor(e, func(b *batch) (struct{}, error) {
		debt, err := outbox.Get(b, outboxKey(n.QueueKey))
		if err == nil && debt != nil && debt.Receipt == n.receipt {
			outbox.Delete(b, outboxKey(n.QueueKey))
		}
		return struct{}{}, err
	}, func(_ struct{}, err error) {
		if err != nil {
			e.o.Log.Debug("a notification may be sent again after a restart", "thing", n.Thing, "error", err)
		}
	})
}

// Redeliver notifies again of what was still owed when the process stopped. It
// is called once, after whoever publishes is ready.
func (e *Engine) Redeliver(ctx context.Context) error {
	var debts []store.Row[owing]
	if err := e.view(ctx, func(r store.Reader) error {
		for row, err := range outbox.Scan(r, "", "") {
			if err != nil {
				return err
			}
			debts = append(debts, row)
		}
		return nil
	}); err != nil {
		return err
	}
	runs := make([]func(*batch) error, 0, len(debts))
	for _, debt := range debts {
		runs = append(runs, func(b *batch) error { return b.redeliver(debt) })
	}
	return e.background(ctx, runs)
}

func (b *batch) redeliver(debt store.Row[owing]) error {
	parts := store.SplitKey(debt.Key)
	key := store.QueueKey{Thing: muster.ThingName(parts[0]), Namespace: muster.Namespace(parts[1])}
	q, err := b.Queue(key)
	if err != nil {
		return err
	}
	n := Notification{
		QueueKey: key, At: b.Now, Queue: q, engine: b.e, receipt: debt.Value.Receipt,
		Change: muster.Change{List: debt.Value.List, Next: debt.Value.Next},
	}
	if n.Head, err = b.head(q); err != nil {
		return err
	}
	if err := b.present(&n); err != nil {
		return err
	}
	b.tellThings(n)
	return nil
}
