package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// refusing is a store that refuses the next transactions.
type refusing struct {
	store.Store
	left int
}

func (s *refusing) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.Store.Apply(ctx, func(tx store.Tx) error {
		if s.left--; s.left >= 0 {
			return fmt.Errorf("refused: %w", store.ErrAgain)
		}
		return fn(tx)
	})
}

func TestUpdateRunsARefusedTransactionAgain(t *testing.T) {
	for refusals, want := range map[int]error{0: nil, 9: nil, 10: store.ErrAgain} {
		s := &refusing{memstore.New(), refusals}
		runs := 0
		err := store.Update(t.Context(), s, func(tx store.Tx) error { runs++; tx.Put("table", "key", nil); return nil })
		if !errors.Is(err, want) || (runs == 1) != (want == nil) {
			t.Errorf("refused %d times: Update() = %v after %d runs, want %v", refusals, err, runs, want)
		}
	}
}

func TestUpdateRunsATransactionThatFailsOnce(t *testing.T) {
	s, failure, runs := memstore.New(), errors.New("no"), 0
	if err := store.Update(t.Context(), s, func(store.Tx) error { runs++; return failure }); !errors.Is(err, failure) || runs != 1 {
		t.Errorf("Update() = %v after %d runs, want %v after 1", err, runs, failure)
	}
}

// contended is a store that refuses whatever does not run alone.
type contended struct {
	store.Laned // is not asked for anything else
	in          store.Store
	shared      bool
	refused     int
}

func (s *contended) Shared() bool { return s.shared }

func (s *contended) Settled(context.Context) (store.Moment, error) { return 0, nil }

func (s *contended) Apply(context.Context, func(store.Tx) error) (func() error, error) {
	s.refused++
	return nil, store.ErrAgain
}

func (s *contended) ApplyIn(ctx context.Context, _ int, fn func(store.Tx) error) (func() error, error) {
	return s.Apply(ctx, fn)
}

func (s *contended) ApplyAlone(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.in.Apply(ctx, fn)
}

func TestUpdateRunsATransactionAloneThatOthersHinder(t *testing.T) {
	for way, update := range map[string]func(*contended, func(store.Tx) error) error{
		"Update":   func(s *contended, fn func(store.Tx) error) error { return store.Update(t.Context(), s, fn) },
		"UpdateIn": func(s *contended, fn func(store.Tx) error) error { return store.UpdateIn(t.Context(), s, 1, fn) },
	} {
		for shared, want := range map[bool]error{true: nil, false: store.ErrAgain} {
			s := &contended{in: memstore.New(), shared: shared}
			err := update(s, func(tx store.Tx) error { tx.Put("table", "key", nil); return nil })
			if !errors.Is(err, want) || shared != (s.refused == 3) {
				t.Errorf("shared %t: %s() = %v after %d refusals, want %v", shared, way, err, s.refused, want)
			}
		}
	}
}
