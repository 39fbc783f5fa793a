package memstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}

func TestChangeMustKnowWhatIsStored(t *testing.T) {
	stored := muster.Execution{Thing: "pump", Job: "job", Number: 1, Status: muster.Queued, Version: 2}
	stale, other, fresh := stored, stored, stored
	stale.Version, other.Number, fresh.Number = 1, 2, 3

	for name, change := range map[string]struct{ before, after *muster.Execution }{
		"created twice":               {nil, &stored},
		"changed from an old version": {&stale, &stored},
		"changed though not there":    {&fresh, &fresh},
		"changed into another":        {&stored, &other},
		"deleted though not there":    {&fresh, nil},
		"nothing at all":              {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := memstore.New()
			if err := store.Update(context.Background(), s, func(tx store.Tx) error { tx.Change(nil, &stored); return nil }); err != nil {
				t.Fatal(err)
			}
			_, err := s.Apply(context.Background(), func(tx store.Tx) error { tx.Change(change.before, change.after); return nil })
			if err == nil {
				t.Fatalf("Apply() of Change(%v, %v) = nil, want an error", change.before, change.after)
			}
		})
	}
}

func TestAForkGoesItsOwnWay(t *testing.T) {
	ctx := context.Background()
	put := func(s *memstore.Store, key, value string) {
		t.Helper()
		if err := store.Update(ctx, s, func(tx store.Tx) error { tx.Put("table", key, []byte(value)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	get := func(s *memstore.Store, key string) string {
		t.Helper()
		var value []byte
		if err := s.View(ctx, func(r store.Reader) (err error) { value, err = r.Get("table", key); return err }); err != nil {
			t.Fatal(err)
		}
		return string(value)
	}
	s := memstore.New()
	put(s, "both", "1")
	fork := s.Fork()
	put(s, "both", "2")
	put(fork, "own", "3")
	if got := get(fork, "both"); got != "1" {
		t.Errorf("the fork shows %q, want what there was when it was made: 1", got)
	}
	if got := get(s, "own"); got != "" {
		t.Errorf("the store shows %q, which was written to its fork", got)
	}
}

// The wrappers that other tests put around a store keep its promises.
func TestStoreWithinWrappers(t *testing.T) {
	for name, wrapped := range map[string]func(*memstore.Store) store.Store{
		"twice": func(s *memstore.Store) store.Store { return storetest.Twice(s) },
		"late": func(s *memstore.Store) store.Store {
			return storetest.Late(s, storetest.AnyTime(1, 50*time.Microsecond))
		},
		"behind": func(s *memstore.Store) store.Store { return storetest.Behind(s, nil) },
		"all of them": func(s *memstore.Store) store.Store {
			return storetest.Late(storetest.Twice(storetest.Behind(s, nil)), storetest.AnyTime(2, 50*time.Microsecond))
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(*testing.T) store.Store { return wrapped(memstore.New()) })
		})
	}
}
