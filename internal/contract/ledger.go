package contract

import (
	"context"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// ledger is a store that counts writes. A request that is refused must not write.
type ledger struct {
	store.Store
	writes atomic.Int64
}

// Apply is Apply of the store with a transaction that counts writes.
func (l *ledger) Apply(ctx context.Context, fn func(store.Tx) error) (wait func() error, err error) {
	var n int64
	wait, err = l.Store.Apply(ctx, func(tx store.Tx) error {
		n = 0 // the function may run more than once
		return fn(counting{tx, &n})
	})
	if err == nil {
		l.writes.Add(n)
	}
	return wait, err
}

// counting is a transaction that counts its writes.
type counting struct {
	store.Tx
	n *int64
}

// PutQueue counts and writes, like the methods that follow.
func (c counting) PutQueue(q muster.Queue) { *c.n++; c.Tx.PutQueue(q) }

// Change counts and writes.
func (c counting) Change(before, after *muster.Execution) { *c.n++; c.Tx.Change(before, after) }

// Put counts and writes.
func (c counting) Put(t store.Table, key string, value []byte) { *c.n++; c.Tx.Put(t, key, value) }

// Delete counts and writes.
func (c counting) Delete(t store.Table, key string) { *c.n++; c.Tx.Delete(t, key) }
