package storetest

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Refusing returns s with about one of four transactions refused (store.ErrAgain), as
// by a store with optimistic transactions: at one of its first reads or when all its
// work is done, and at most refusedMax one after the other. The same seed refuses the same
// ones of a sequence of calls.
func Refusing(s store.Store, seed uint64) store.Store {
	return &refusing{Store: s, rng: rand.New(rand.NewPCG(seed, 12))}
}

// refusedMax is fewer than make a caller give up, so that no test fails by chance.
const refusedMax = 4

type refusing struct {
	store.Store
	mu      sync.Mutex
	rng     *rand.Rand
	refused int // one after the other
}

func (s *refusing) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	s.mu.Lock()
	refused, reads := s.rng.IntN(4) == 0 && s.refused < refusedMax, s.rng.IntN(8)
	if s.refused++; !refused {
		s.refused = 0
	}
	s.mu.Unlock()
	if !refused {
		return s.Store.Apply(ctx, fn)
	}
	return s.Store.Apply(ctx, func(tx store.Tx) error {
		_ = fn(&refusedTx{Tx: tx, left: reads}) // whatever it returns
		return store.ErrAgain
	})
}

// refusedTx is a transaction whose reads of single keys fail when some have been done.
type refusedTx struct {
	store.Tx
	left int
}

func (tx *refusedTx) read() error {
	if tx.left--; tx.left < 0 {
		return store.ErrAgain
	}
	return nil
}

func (tx *refusedTx) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	if err := tx.read(); err != nil {
		return nil, err
	}
	return tx.Tx.Queues(keys...)
}

func (tx *refusedTx) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	if err := tx.read(); err != nil {
		return nil, err
	}
	return tx.Tx.Executions(keys...)
}

func (tx *refusedTx) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	if err := tx.read(); err != nil {
		return nil, err
	}
	return tx.Tx.Latest(keys...)
}

func (tx *refusedTx) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	if err := tx.read(); err != nil {
		return nil, err
	}
	return tx.Tx.Counts(jobs...)
}

func (tx *refusedTx) Get(table store.Table, key string) ([]byte, error) {
	if err := tx.read(); err != nil {
		return nil, err
	}
	return tx.Tx.Get(table, key)
}
