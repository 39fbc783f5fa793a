package pgstore

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/storetest"
)

// citusVariable is the environment variable that names a database on the coordinator of a
// Citus cluster, for the tests of this file. It must have the extension and workers, and no
// schema of Muster: the tests make one and remove it.
const citusVariable = "MUSTER_CITUS"

// citus returns the address of a database whose tables are distributed.
func citus(t *testing.T) string {
	t.Helper()
	address := os.Getenv(citusVariable)
	if address == "" {
		t.Skipf("%s is not set: nothing was tried on Citus", citusVariable)
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := Schema(SchemaOptions{Distributed: true})
	if err == nil {
		_, err = conn.Exec(t.Context(), statements)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), `DROP SCHEMA muster CASCADE`); err != nil {
			t.Error(err)
		}
	})
	return address
}

// openEmptied opens the store on a database and empties it.
func openEmptied(t *testing.T, address string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Database: address, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreOnCitus(t *testing.T) {
	address := citus(t)
	t.Run("Apply", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return openEmptied(t, address) })
	})
	storetest.RunLaned(t, func(t *testing.T) store.Laned { return openEmptied(t, address) })
}

// sent records the statements of a connection.
type sent struct{ statements []pgx.QueuedQuery }

func (s *sent) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (s *sent) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (s *sent) TraceBatchStart(ctx context.Context, _ *pgx.Conn, b pgx.TraceBatchStartData) context.Context {
	for _, q := range b.Batch.QueuedQueries {
		s.statements = append(s.statements, *q)
	}
	return ctx
}
func (s *sent) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (s *sent) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// What devices do concerns one shard in each of its statements, so that a commit in a lane is
// one on one server. The exception is the sum of a job's counts, which is only read.
func TestStatementsOnCitusConcernOneShard(t *testing.T) {
	address := citus(t)
	s := openEmptied(t, address)
	defer s.Close()
	lane := s.LaneOf("lamp-0")
	var things []muster.ThingName
	for n := 0; len(things) < 5; n++ {
		if thing := muster.ThingName(fmt.Sprint("lamp-", n)); s.LaneOf(thing) == lane {
			things = append(things, thing)
		}
	}
	wanted := store.Wanted{OfHeads: []store.Table{"job"}, Counts: []muster.JobID{"job"}, Executions: []store.ExecutionKey{{Thing: "none", Job: "job", Number: 1}}}
	e := muster.Execution{Job: "job", Number: 1, Status: muster.Queued, Version: 1}
	if err := store.Update(t.Context(), s, func(tx store.Tx) error {
		for _, e.Thing = range things {
			tx.PutQueue(muster.Queue{Thing: e.Thing}.With(e).Revised(0))
			tx.Change(nil, &e)
		}
		tx.Put("job", "job", []byte("{}"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, thing := range things {
		key := store.QueueKey{Thing: thing}
		wanted.Heads, wanted.Queues = append(wanted.Heads, key), append(wanted.Queues, store.QueueKey{Thing: thing, Namespace: "other"})
		wanted.Latest = append(wanted.Latest, store.AttemptsKey{Thing: thing, Job: "job"})
	}
	wanted.Executions[0].Thing = things[0]

	var all sent
	s.lanes[lane].config.Tracer = &all
	for _, step := range []func(tx store.Tx, e *muster.Execution){
		func(tx store.Tx, e *muster.Execution) { // is started
			started := *e
			started.Status = muster.InProgress
			tx.Change(e, &started)
			tx.PutQueue(muster.Queue{Thing: e.Thing}.With(started).Revised(0))
		},
		func(tx store.Tx, e *muster.Execution) { // fails, and is tried again
			failed, next := *e, *e
			failed.Status, next.Status, next.Number = muster.Failed, muster.Queued, 2
			tx.Change(e, &failed)
			tx.Change(nil, &next)
			tx.PutQueue(muster.Queue{Thing: e.Thing}.With(next).Revised(0))
			tx.PutQueue(muster.Queue{Thing: e.Thing, Namespace: "other"}.With(next).Revised(0))
		},
		func(tx store.Tx, e *muster.Execution) { // is removed
			tx.Change(e, nil)
			tx.PutQueue(muster.Queue{Thing: e.Thing})
		},
	} {
		wait, err := s.ApplyIn(t.Context(), lane, func(tx store.Tx) error {
			if err := tx.(store.Prefetcher).Prefetch(wanted); err != nil {
				return err
			}
			latest, err := tx.Latest(wanted.Latest...)
			for _, e := range latest {
				step(tx, e)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}

	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	kinds := map[string]bool{}
	for _, q := range all.statements {
		if q.SQL == beginLane[0] || q.SQL == "COMMIT" {
			continue
		}
		rows, err := conn.Query(t.Context(), "EXPLAIN (COSTS off) "+q.SQL, q.Arguments...)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("EXPLAIN of %s: %v", q.SQL, err)
		}
		kinds[strings.Join(strings.Fields(q.SQL)[:3], " ")] = true
		text := strings.Join(plan, "\n")
		if one := strings.Count(text, "Task Count: ") == 1 && strings.Contains(text, "Task Count: 1\n"); !one && q.SQL != selectCounts {
			t.Errorf("this is not for one shard:\n%s\n%s", q.SQL, text)
		}
	}
	for _, kind := range []string{"UPDATE muster.queue q", "UPDATE muster.execution e", "DELETE FROM muster.queue", "DELETE FROM muster.execution", "INSERT INTO muster.queue", "INSERT INTO muster.execution", "INSERT INTO muster.counts", "WITH claimed AS"} {
		if !kinds[kind] {
			t.Errorf("no statement begins with %q: %v", kind, kinds)
		}
	}
}
