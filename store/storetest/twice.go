package storetest

import (
	"context"
	"errors"

	"github.com/muster-iot/muster/store"
)

// Twice returns s with every transaction run twice: the first run is undone, and
// the second one counts. On it, the tests of a package fail if a transaction has
// effects beyond its writes.
func Twice(s store.Store) store.Store { return &twice{Store: s} }

type twice struct{ store.Store }

var errUndone = errors.New("storetest: the first run is undone")

func (s *twice) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	var failed error
	_, err := s.Store.Apply(ctx, func(tx store.Tx) error {
		failed = fn(tx)
		return errUndone
	})
	if !errors.Is(err, errUndone) {
		return nil, errors.Join(failed, err) // the store's own error
	}
	return s.Store.Apply(ctx, fn)
}
