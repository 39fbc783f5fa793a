package pgstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
	"github.com/muster-iot/muster/store/storetest"
)

// node opens a store that other nodes share.
func node(t *testing.T, database, name string) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: name, Lanes: 2, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return s
}

func TestSharedStore(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) func() store.Shared {
		database, n := postgres.Shared(t).Database(t), 0
		return func() store.Shared { n++; return node(t, database, fmt.Sprint("node-", n)) }
	})
}

func TestRoster(t *testing.T) {
	storetest.RunRoster(t, func(t *testing.T) storetest.Nodes {
		server := postgres.Shared(t)
		database := server.Database(t)
		return storetest.Nodes{
			Join: func(name string) store.Roster { return node(t, database, name) },
			Pass: func(d time.Duration) {
				query(t, server, database, fmt.Sprintf("UPDATE muster.node SET expires = expires - i, steady = steady - i FROM (VALUES (interval '%d milliseconds')) AS v(i)", d.Milliseconds()))
			},
		}
	})
}
