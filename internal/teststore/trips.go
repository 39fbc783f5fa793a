package teststore

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

// Trips counts the round trips to a database, but not those of transactions that the database
// refuses, nor the end of a view, since no caller waits for that.
type Trips struct{ n atomic.Int64 }

// Counting returns an empty store on a database of the test's own, whatever the suites are
// aimed at, and the count of its round trips. It skips the test where there is no PostgreSQL.
// The store is closed after the test at the latest.
func Counting(t testing.TB) (store.Store, *Trips) {
	t.Helper()
	trips := &Trips{}
	s, err := pgstore.Open(context.Background(), pgstore.Options{
		Database: postgres.Shared(t).Database(t), Node: "test",
		OnCommit: func(c pgstore.Commit) { trips.n.Add(int64(c.Trips)) },
		OnView:   func(v pgstore.View) { trips.n.Add(int64(v.Trips)) },
	})
	if err != nil {
		t.Fatalf("open the store on PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // most tests have closed it
	return s, trips
}

// Want fails the test unless do, which is called what, makes n round trips. Nothing else may
// use the store meanwhile, and do must wait for what it begins.
func (c *Trips) Want(t testing.TB, n int, what string, do func()) {
	t.Helper()
	before := c.n.Load()
	do()
	if got := int(c.n.Load() - before); got != n {
		t.Errorf("%s took %d round trips, want %d", what, got, n)
	}
}
