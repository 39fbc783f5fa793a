package service

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// breaking is a store whose disk can break, in one of the two places where that
// shows.
type breaking struct {
	store.Store
	broken atomic.Bool
	late   bool // in wait instead of Apply
}

func (b *breaking) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	err := fmt.Errorf("no space left: %w", store.ErrStopped)
	if b.broken.Load() && !b.late {
		return nil, err
	}
	wait, applied := b.Store.Apply(ctx, fn)
	if b.broken.Load() && applied == nil {
		return func() error { return err }, nil
	}
	return wait, applied
}

func TestRunEndsWhenTheStoreCannotGoOn(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := &breaking{Store: memstore.New(), late: late}
		e := roomsOf(New(Options{
			Store: s, Account: muster.Account{ID: "000000000000", Region: "us-east-1"},
			Now: func() muster.Instant { return muster.At(time.Now()) },
		}))
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context()) }()
		if _, err := e.CreateThing(t.Context(), muster.Thing{Name: "lamp"}); err != nil {
			t.Fatal(err)
		}
		s.broken.Store(true)
		_, err := e.CreateThing(t.Context(), muster.Thing{Name: "pump"})
		if refusal, ok := errors.AsType[*muster.Error](err); !ok || refusal.Kind != muster.Internal {
			t.Errorf("late %v: CreateThing() on a broken store = %v, want an Internal error", late, err)
		}
		if err := <-ended; !errors.Is(err, store.ErrStopped) {
			t.Errorf("late %v: Run() = %v, want store.ErrStopped", late, err)
		}
		_, err = e.CreateThing(t.Context(), muster.Thing{Name: "fan"})
		if refusal, ok := errors.AsType[*muster.Error](err); !ok || refusal.Kind != muster.Unavailable {
			t.Errorf("late %v: CreateThing() after the end = %v, want an Unavailable error", late, err)
		}
	}
}
