package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// What a faulty caller could write; the tests of pebblestore cover damage below
// this interface.
func TestVerifyFindsWhatWasWrittenWrongly(t *testing.T) {
	live := muster.Execution{Thing: "pump", Job: "job", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 10}
	second := live
	second.Number = 2
	other := live
	other.Namespace = "factory"
	done := live
	done.Status = muster.Succeeded
	queue := muster.Queue{Thing: "pump"}.With(live)
	stale := live
	stale.Version = 2

	for name, c := range map[string]struct {
		write func(store.Tx)
		want  store.Invariant // none, if empty
	}{
		"nothing": {func(store.Tx) {}, ""},
		"an execution and its queue": {
			func(tx store.Tx) { tx.Change(nil, &live); tx.PutQueue(queue) }, "",
		},
		"a hidden entry, which only the queue knows": {
			func(tx store.Tx) {
				tx.Change(nil, &live)
				q := muster.Queue{Thing: "pump"}.With(live)
				q.Entries[0].Hidden = true
				tx.PutQueue(q)
			}, "",
		},
		"a live execution that is in no queue": {
			func(tx store.Tx) { tx.Change(nil, &live) }, store.QueuesAreLive,
		},
		"a live execution that its queue knows in another version": {
			func(tx store.Tx) { tx.Change(nil, &stale); tx.PutQueue(queue) }, store.QueuesAreLive,
		},
		"a live execution in the queue of another namespace": {
			func(tx store.Tx) { tx.Change(nil, &other); tx.PutQueue(queue) }, store.QueuesAreLive,
		},
		"a queue that holds what is finished": {
			func(tx store.Tx) { tx.Change(nil, &done); tx.PutQueue(queue) }, store.QueuesAreLive,
		},
		"a queue that holds what does not exist": {
			func(tx store.Tx) { tx.PutQueue(queue) }, store.QueuesAreLive,
		},
		"a queue with two entries of a job": {
			func(tx store.Tx) {
				tx.Change(nil, &live)
				tx.PutQueue(muster.Queue{Thing: "pump", Entries: append(queue.Entries, queue.Entries...)})
			}, store.QueuesAreLive,
		},
		"two live executions of one job on one thing": {
			func(tx store.Tx) {
				tx.Change(nil, &live)
				tx.Change(nil, &second)
				tx.PutQueue(muster.Queue{Thing: "pump"}.With(second))
			}, store.OneLiveExecution,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := memstore.New(), context.Background()
			if err := store.Update(ctx, s, func(tx store.Tx) error { c.write(tx); return nil }); err != nil {
				t.Fatal(err)
			}
			problems, err := store.Verify(ctx, s)
			if err != nil {
				t.Fatalf("Verify() = %v", err)
			}
			found := c.want == "" && len(problems) == 0
			for _, p := range problems {
				found = found || (p.Invariant == c.want && strings.Contains(p.String(), string(c.want)))
			}
			if !found {
				t.Errorf("Verify() = %v, want a problem of %q", problems, c.want)
			}
		})
	}
}

// Each thing is compared with its own queues, whatever the things before and after it have.
func TestVerifyGoesThroughExecutionsAndQueuesSideBySide(t *testing.T) {
	of := func(thing muster.ThingName, namespace muster.Namespace, status muster.Status) muster.Execution {
		return muster.Execution{Thing: thing, Job: muster.JobID("job" + namespace), Namespace: namespace, Number: 1, Status: status, Version: 1, QueuedAt: 10}
	}
	s, ctx := memstore.New(), context.Background()
	err := store.Update(ctx, s, func(tx store.Tx) error {
		for _, name := range []muster.ThingName{"b", "d", "f"} { // sound, in two queues
			for _, e := range []muster.Execution{of(name, "", muster.Queued), of(name, "factory", muster.Queued)} {
				tx.PutQueue(muster.Queue{Thing: name, Namespace: e.Namespace}.With(e))
				tx.Change(nil, &e)
			}
		}
		for _, name := range []muster.ThingName{"a", "c", "g", "h"} { // no execution
			tx.PutQueue(muster.Queue{Thing: name}.With(of(name, "", muster.Queued)))
		}
		done, unqueued := of("cc", "", muster.Succeeded), of("e", "", muster.Queued)
		tx.Change(nil, &done)
		tx.Change(nil, &unqueued)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := store.Verify(ctx, s)
	if err != nil {
		t.Fatalf("Verify() = %v", err)
	}
	var found []string
	for _, p := range problems {
		if p.Invariant != store.QueuesAreLive {
			t.Errorf("Verify() finds %v", p)
		}
		thing, _, _ := strings.Cut(strings.TrimPrefix(p.Detail, "{"), " ")
		found = append(found, thing)
	}
	if got := strings.Join(found, " "); got != "a c e g h" {
		t.Errorf("Verify() finds problems of the things %s, want a c e g h: %v", got, problems)
	}
}

func TestVerifyStopsAtMaxProblems(t *testing.T) {
	s, ctx := memstore.New(), context.Background()
	err := store.Update(ctx, s, func(tx store.Tx) error {
		for n := range int64(store.MaxProblems + 500) {
			tx.Change(nil, &muster.Execution{Thing: "pump", Job: "job", Number: n, Status: muster.Queued})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := store.Verify(ctx, s); err != nil || len(problems) != store.MaxProblems {
		t.Errorf("Verify() = %d problems, %v, want %d", len(problems), err, store.MaxProblems)
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := memstore.New()
	cancel()
	if _, err := store.Verify(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify() = %v, want %v", err, context.Canceled)
	}
}
