package pgstore_test

import (
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
	"github.com/muster-iot/muster/store/storetest"
)

// empty returns a store on a database of its own.
func empty(t *testing.T) store.Store {
	t.Helper()
	return teststore.Open(t, postgres.Shared(t).Database(t))
}

func TestStore(t *testing.T) {
	t.Run("without lanes", func(t *testing.T) { storetest.Run(t, empty) })
	storetest.RunLaned(t, func(t *testing.T) store.Laned {
		s, err := pgstore.Open(t.Context(), pgstore.Options{Database: postgres.Shared(t).Database(t), Node: "test", Lanes: 3})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestReopen(t *testing.T) {
	storetest.Reopen(t, func(t *testing.T) func() store.Store {
		database := postgres.Shared(t).Database(t)
		return func() store.Store { return teststore.Open(t, database) }
	})
}

// The wrappers that other tests put around a store keep its promises.
func TestStoreWithinWrappers(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return storetest.Late(storetest.Twice(empty(t)), storetest.AnyTime(1, 50*time.Microsecond))
	})
}
