package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func transactions() []promise {
	return []promise{
		{"a new store is empty", newStoreIsEmpty},
		{"what is applied is seen by every later transaction, and by every view once it is durable", appliedIsSeen},
		{"a transaction sees its own writes", ownWritesAreSeen},
		{"a transaction that fails leaves no mark and returns its error as it is", failureLeavesNoMark},
		{"a view is one snapshot whatever is applied meanwhile", viewIsASnapshot},
		{"the error of a view is returned as it is", viewReturnsItsError},
		{"a transaction is durable with all before it once its wait returns", waitsAreOrdered},
		{"a wait may be called twice, from anywhere, or never", waitsAreFree},
		{"a context that has ended stops a call before it begins", endedContextStops},
		{"a closed store answers ErrClosed and old waits stay true", closedStoreFails},
		{"concurrent transactions add up as if each ran alone", concurrentTransactionsAddUp},
	}
}

const table store.Table = "table"

func newStoreIsEmpty(t *testing.T, s store.Store) {
	view(t, s, func(r store.Reader) {
		expect(t, "AllExecutions()", list(t, r.AllExecutions(), 0), "[]")
		expect(t, "AllQueues()", list(t, r.AllQueues(), 0), "[]")
		expect(t, "Timers(max)", list(t, r.Timers(1<<62), 0), "[]")
		expect(t, "Scan(all)", list(t, r.Scan(table, "", ""), 0), "[]")
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")), muster.Counts{})
	})
}

func appliedIsSeen(t *testing.T, s store.Store) {
	wait, err := s.Apply(context.Background(), func(tx store.Tx) error {
		tx.Put(table, "k", []byte("v"))
		return nil
	})
	if err != nil {
		t.Fatalf("Apply() = %v", err)
	}
	update(t, s, func(tx store.Tx) {
		expect(t, "Get(k) in the next transaction", must[[]byte](t)(tx.Get(table, "k")), []byte("v"))
	})
	if err := wait(); err != nil {
		t.Fatalf("wait() = %v", err)
	}
	view(t, s, func(r store.Reader) {
		expect(t, "Get(k) in a view", must[[]byte](t)(r.Get(table, "k")), []byte("v"))
	})
}

func ownWritesAreSeen(t *testing.T, s store.Store) {
	old, kept := queued("pump", "old", 1, 10), queued("pump", "kept", 1, 20)
	create(t, s, old, kept)
	update(t, s, func(tx store.Tx) {
		started, fresh := due(kept, 500), queued("pump", "fresh", 1, 30)
		tx.Change(&kept, &started)
		tx.Change(&old, nil)
		tx.Change(nil, &fresh)
		tx.PutQueue(muster.Queue{Thing: "pump"}.With(started))
		tx.Put(table, "k", []byte("v"))

		expect(t, "Executions()", values(must[[]*muster.Execution](t)(
			tx.Executions(store.Key(kept), store.Key(old), store.Key(fresh)))...), values(&started, nil, &fresh))
		expect(t, "Latest(kept)", values(must[*muster.Execution](t)(store.LatestOf(tx, "pump", "kept"))), values(&started))
		expect(t, "Latest(old)", values(must[*muster.Execution](t)(store.LatestOf(tx, "pump", "old"))), values(nil))
		expect(t, "ExecutionsOfThing()", list(t, tx.ExecutionsOfThing("pump"), 0), []muster.Execution{fresh, started})
		expect(t, "ExecutionsOfJob(kept)", list(t, tx.ExecutionsOfJob("kept", 0, store.Cursor{}), 0), []muster.Execution{started})
		expect(t, "ExecutionsOfJob(kept, QUEUED)", list(t, tx.ExecutionsOfJob("kept", muster.Queued, store.Cursor{}), 0), "[]")
		expect(t, "Counts(kept)", must[muster.Counts](t)(store.CountsOf(tx, "kept")), muster.Counts{}.Add(muster.InProgress, 1))
		expect(t, "Counts(old)", must[muster.Counts](t)(store.CountsOf(tx, "old")), muster.Counts{})
		expect(t, "Timers(500)", list(t, tx.Timers(500), 0), []store.Timer{{Due: 500, ExecutionKey: store.Key(kept)}})
		expect(t, "AllExecutions()", len(list(t, tx.AllExecutions(), 0)), 2)
		expect(t, "AllQueues()", list(t, tx.AllQueues(), 0), []muster.Queue{muster.Queue{Thing: "pump"}.With(started)})
		expect(t, "Queues()", must[[]muster.Queue](t)(tx.Queues(store.QueueKey{Thing: "pump"}))[0].Entries[0].Job, "kept")
		expect(t, "Get(k)", must[[]byte](t)(tx.Get(table, "k")), []byte("v"))
		expect(t, "Scan()", list(t, tx.Scan(table, "", ""), 0), []store.Record{{Key: "k", Value: []byte("v")}})

		tx.Change(&fresh, nil)
		tx.PutQueue(muster.Queue{Thing: "pump"})
		tx.Delete(table, "k")
		expect(t, "Latest(fresh) once deleted", values(must[*muster.Execution](t)(store.LatestOf(tx, "pump", "fresh"))), values(nil))
		expect(t, "Counts(fresh) once deleted", must[muster.Counts](t)(store.CountsOf(tx, "fresh")), muster.Counts{})
		expect(t, "AllQueues() once emptied", list(t, tx.AllQueues(), 0), "[]")
		expect(t, "Get(k) once deleted", must[[]byte](t)(tx.Get(table, "k")), []byte(nil))
	})
	view(t, s, func(r store.Reader) {
		expect(t, "AllExecutions() afterwards", list(t, r.AllExecutions(), 0), []muster.Execution{due(kept, 500)})
	})
}

func failureLeavesNoMark(t *testing.T, s store.Store) {
	kept := queued("pump", "job", 1, 10)
	create(t, s, kept)
	refused := errors.New("refused")
	_, err := s.Apply(context.Background(), func(tx store.Tx) error {
		started, second := due(kept, 99), queued("pump", "job", 2, 20)
		tx.Change(&kept, &started)
		tx.Change(nil, &second)
		tx.PutQueue(muster.Queue{Thing: "pump"}.With(started))
		tx.Put(table, "k", []byte("v"))
		for range tx.ExecutionsOfThing("pump") {
			break
		}
		return refused
	})
	if err != refused { //nolint:errorlint // the promise is this very value
		t.Fatalf("Apply() = %v, want %v itself", err, refused)
	}
	view(t, s, func(r store.Reader) {
		expect(t, "AllExecutions()", list(t, r.AllExecutions(), 0), []muster.Execution{kept})
		expect(t, "ExecutionsOfJob()", list(t, r.ExecutionsOfJob("job", 0, store.Cursor{}), 0), []muster.Execution{kept})
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")), muster.Counts{}.Add(muster.Queued, 1))
		expect(t, "Timers()", list(t, r.Timers(1<<60), 0), "[]")
		expect(t, "AllQueues()", list(t, r.AllQueues(), 0), "[]")
		expect(t, "Get(k)", must[[]byte](t)(r.Get(table, "k")), []byte(nil))
	})
}

func viewIsASnapshot(t *testing.T, s store.Store) {
	if scattered(s) {
		t.Skip("the store is scattered: its views are not of one instant")
	}
	first := queued("pump", "job", 1, 10)
	create(t, s, first)
	view(t, s, func(r store.Reader) {
		expect(t, "Get(k), which takes the snapshot at the latest", must[[]byte](t)(r.Get(table, "k")), []byte(nil))
		update(t, s, func(tx store.Tx) {
			started, second := due(first, 50), queued("pump", "job", 2, 20)
			tx.Change(&first, &started)
			tx.Change(nil, &second)
			tx.PutQueue(muster.Queue{Thing: "pump"}.With(second))
			tx.Put(table, "k", []byte("v"))
		})
		expect(t, "Executions()", values(must[[]*muster.Execution](t)(r.Executions(store.Key(first)))...), values(&first))
		expect(t, "Latest()", values(must[*muster.Execution](t)(store.LatestOf(r, "pump", "job"))), values(&first))
		expect(t, "ExecutionsOfJob()", list(t, r.ExecutionsOfJob("job", 0, store.Cursor{}), 0), []muster.Execution{first})
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")), muster.Counts{}.Add(muster.Queued, 1))
		expect(t, "Timers()", list(t, r.Timers(1<<60), 0), "[]")
		expect(t, "Queues()", must[[]muster.Queue](t)(r.Queues(store.QueueKey{Thing: "pump"}))[0], muster.Queue{Thing: "pump"})
		expect(t, "Get(k)", must[[]byte](t)(r.Get(table, "k")), []byte(nil))
	})
}

func viewReturnsItsError(t *testing.T, s store.Store) {
	want := errors.New("seen enough")
	if err := s.View(context.Background(), func(store.Reader) error { return want }); err != want { //nolint:errorlint // the promise is this very value
		t.Fatalf("View() = %v, want %v itself", err, want)
	}
}

func waitsAreOrdered(t *testing.T, s store.Store) {
	var waits []func() error
	for i := range 20 {
		wait, err := s.Apply(context.Background(), func(tx store.Tx) error {
			tx.Put(table, fmt.Sprint(i), []byte("v"))
			return nil
		})
		if err != nil {
			t.Fatalf("Apply() = %v", err)
		}
		waits = append(waits, wait)
	}
	for i, wait := range slices.Backward(waits) {
		if err := wait(); err != nil {
			t.Fatalf("wait %d = %v", i, err)
		}
	}
}

func waitsAreFree(t *testing.T, s store.Store) {
	ctx := context.Background()
	put := func(tx store.Tx) error { tx.Put(table, "k", []byte("v")); return nil }
	if _, err := s.Apply(ctx, put); err != nil { // never awaited
		t.Fatalf("Apply() = %v", err)
	}
	wait, err := s.Apply(ctx, put)
	if err != nil {
		t.Fatalf("Apply() = %v", err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := wait(); err != nil {
				t.Errorf("wait() = %v", err)
			}
		})
	}
	all.Wait()
	view(t, s, func(r store.Reader) {})
}

func endedContextStops(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.View(ctx, func(store.Reader) error { t.Error("the view ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("View() = %v, want %v", err, context.Canceled)
	}
	_, err := s.Apply(ctx, func(store.Tx) error { t.Error("the transaction ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Apply() = %v, want %v", err, context.Canceled)
	}
}

func closedStoreFails(t *testing.T, s store.Store) {
	ctx := context.Background()
	wait, err := s.Apply(ctx, func(tx store.Tx) error { tx.Put(table, "k", []byte("v")); return nil })
	if err != nil {
		t.Fatalf("Apply() = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	if err := wait(); err != nil {
		t.Errorf("wait() of a transaction before Close = %v", err)
	}
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View() = %v, want %v", err, store.ErrClosed)
	}
	if _, err := s.Apply(ctx, func(store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Apply() = %v, want %v", err, store.ErrClosed)
	}
	if err := s.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("second Close() = %v, want %v", err, store.ErrClosed)
	}
}

func scattered(s store.Store) bool {
	several, ok := s.(store.Scattered)
	return ok && several.Scattered()
}

func isShared(s store.Store) bool {
	shared, ok := s.(interface{ Shared() bool })
	return ok && shared.Shared()
}

func concurrentTransactionsAddUp(t *testing.T, s store.Store) {
	const callers, rounds = 8, 25
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				update(t, s, func(tx store.Tx) {
					latest, err := store.LatestOf(tx, "pump", "job")
					if err != nil {
						t.Errorf("Latest() = %v", err)
						return
					}
					next := queued("pump", "job", 1, 10)
					if latest != nil {
						next.Number = latest.Number + 1
					}
					tx.Change(nil, &next)
				})
				view(t, s, func(r store.Reader) {
					counts, latest := must[muster.Counts](t)(store.CountsOf(r, "job")), must[*muster.Execution](t)(store.LatestOf(r, "pump", "job"))
					if counts.Total() != latest.Number && !scattered(s) {
						t.Errorf("a view sees %d executions, and number %d as the latest", counts.Total(), latest.Number)
					}
				})
			}
		})
	}
	all.Wait()
	view(t, s, func(r store.Reader) {
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")).Total(), callers*rounds)
	})
}
