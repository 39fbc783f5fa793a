package pgstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-iot/muster"
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

// A server that is alone works on what several nodes have left, such as queues without entries.
func TestAServerAloneAfterSeveralNodes(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	several := node(t, database, "several")
	x := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 1_700_000_000_000}
	key := store.QueueKey{Thing: x.Thing}
	if err := store.Update(t.Context(), several, func(tx store.Tx) error {
		tx.PutQueue(muster.Queue{Thing: "lamp", Rev: 7})
		tx.PutQueue(muster.Queue{Thing: "pump", Rev: 7})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	beats(t, several, store.Beat{Take: []string{"a"}})
	if err := several.Close(); err != nil {
		t.Fatal(err)
	}
	alone := open(t, database, "alone")
	if err := store.Update(t.Context(), alone, func(tx store.Tx) error {
		q, err := tx.Queues(key)
		tx.PutQueue(q[0].With(x).Revised(0))
		tx.Change(nil, &x)
		tx.PutQueue(muster.Queue{Thing: "pump"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if problems, err := store.Verify(t.Context(), alone, "job"); err != nil || len(problems) > 0 {
		t.Errorf("Verify() = %v, %v", problems, err)
	}
	if rows := query(t, server, database, "SELECT thing FROM muster.queue"); rows != "lamp" {
		t.Errorf("the queues are %q, want that of lamp", rows)
	}
	if _, err := alone.Beat(t.Context(), store.Beat{}); err == nil {
		t.Error("Beat() of a server that is alone = nil")
	}
}
