package service

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

var errDisk = errors.New("the disk cannot be read")

// broken is a store that fails some reads within transactions.
type broken struct {
	store.Store
	fails   func(table store.Table, key string) bool // asked at every read; execution and queue reads have no table
	failed  atomic.Bool                              // some read did
	applied atomic.Bool                              // a transaction whose read had failed
}

func (s *broken) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.Store.Apply(ctx, func(tx store.Tx) error {
		b := &brokenTx{Tx: tx, s: s}
		err := fn(b)
		if b.failed {
			s.failed.Store(true)
			if err == nil {
				s.applied.Store(true)
			}
		}
		return err
	})
}

type brokenTx struct {
	store.Tx
	s      *broken
	failed bool
}

func (tx *brokenTx) read(table store.Table, key string) error {
	if tx.s.fails(table, key) {
		tx.failed = true
		return errDisk
	}
	return nil
}

func (tx *brokenTx) Get(table store.Table, key string) ([]byte, error) {
	if err := tx.read(table, key); err != nil {
		return nil, err
	}
	return tx.Tx.Get(table, key)
}

func (tx *brokenTx) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	if err := tx.read("", ""); err != nil {
		return nil, err
	}
	return tx.Tx.Queues(keys...)
}

func (tx *brokenTx) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	if err := tx.read("", ""); err != nil {
		return nil, err
	}
	return tx.Tx.Executions(keys...)
}

func (tx *brokenTx) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	if err := tx.read("", ""); err != nil {
		return nil, err
	}
	return tx.Tx.Latest(keys...)
}

func (tx *brokenTx) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	if err := tx.read("", ""); err != nil {
		return nil, err
	}
	return tx.Tx.Counts(jobs...)
}

func (tx *brokenTx) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	if err := tx.read(table, from); err != nil {
		return func(yield func(store.Record, error) bool) { yield(store.Record{}, err) }
	}
	return tx.Tx.Scan(table, from, to)
}

func (tx *brokenTx) ExecutionsOfJob(job muster.JobID, status muster.Status, after store.Cursor) iter.Seq2[muster.Execution, error] {
	if err := tx.read("", ""); err != nil {
		return func(yield func(muster.Execution, error) bool) { yield(muster.Execution{}, err) }
	}
	return tx.Tx.ExecutionsOfJob(job, status, after)
}

// Whichever read of a command fails, the command fails, and nothing of the
// transaction is kept.
func TestACommandWhoseReadFailsChangesNothing(t *testing.T) {
	for name, test := range valueCommands {
		t.Run(name, func(t *testing.T) {
			failures := 0
			for n := 1; n < 1000; n++ {
				s := &broken{Store: memstore.New(), fails: func(store.Table, string) bool { return false }}
				env := newEnvOnJust(t, s, Options{Sinks: eventlog.Sinks{Webhook: map[muster.EventType]bool{muster.EventThing: true}}})
				env.givenCommands(test.before)
				left := n
				env.fails(s, func(store.Table, string) bool { left--; return left == 0 })
				_, err := test.call(t.Context(), env)
				if s.applied.Load() {
					t.Fatalf("a transaction whose read number %d failed was applied; the caller was told %v", n, err)
				}
				if !s.failed.Load() { // it reads less than that
					break
				}
				failures++
			}
			if failures == 0 {
				t.Error("it reads nothing")
			}
		})
	}
}

// fails changes which reads fail while nothing is under way.
func (env *env) fails(s *broken, fails func(store.Table, string) bool) {
	env.t.Helper()
	env.write(func(store.Tx) {}) // after all that came before
	s.fails = fails
}

// Of commands that wait together, one reads what cannot be read: it fails, and
// the others are done, in another transaction.
func TestAStoreErrorIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &broken{Store: memstore.New(), fails: func(t store.Table, key string) bool { return t == things.Table && key == "b" }}
		env := newEnvOnJust(t, s, Options{})
		held := make(chan struct{})
		env.submit(func(*commit.Tx) error { <-held; return nil }, func(error) {})
		synctest.Wait()
		outcomes := map[muster.ThingName]chan error{}
		for _, name := range []muster.ThingName{"a", "b", "c"} {
			told := make(chan error, 1)
			outcomes[name] = told
			go func() {
				_, err := env.CreateThing(t.Context(), muster.Thing{Name: name})
				told <- err
			}()
			synctest.Wait()
		}
		close(held)
		for _, name := range []muster.ThingName{"a", "c"} {
			if err := <-outcomes[name]; err != nil {
				t.Errorf("CreateThing(%s) = %v", name, err)
			}
		}
		if err := <-outcomes["b"]; !errors.Is(err, errDisk) {
			t.Errorf("CreateThing(b) = %v, want %v", err, errDisk)
		}
		wantKind(t, "CreateThing(b)", func() error { _, err := env.CreateThing(t.Context(), muster.Thing{Name: "b"}); return err }(), muster.Internal)
		if s.applied.Load() {
			t.Error("a transaction whose read failed was applied")
		}
	})
}

// Background work that cannot be done does not keep the rest from being done.
func TestAStoreErrorStopsOneStepOfWork(t *testing.T) {
	s := &broken{Store: memstore.New(), fails: func(store.Table, string) bool { return false }}
	env := newEnvOnJust(t, s, Options{})
	for _, id := range []string{"a", "b", "c"} {
		env.thing("lamp-" + id)
		env.job(id, "lamp-"+id)
	}
	for _, id := range []muster.JobID{"a", "b", "c"} {
		if _, err := env.CancelJob(t.Context(), id, jobs.Cancellation{}); err != nil {
			t.Fatal(err)
		}
	}
	env.fails(s, func(t store.Table, key string) bool { return t == jobRecords.Table && key == "b" })
	for range 5 {
		if _, err := env.Work(t.Context()); !errors.Is(err, errDisk) {
			t.Fatalf("Work = %v, want %v", err, errDisk)
		}
	}
	env.fails(s, func(store.Table, string) bool { return false })
	for id, want := range map[string]muster.Status{"a": muster.Canceled, "b": muster.Queued, "c": muster.Canceled} {
		if got := env.counts(id); got.Of(want) != 1 {
			t.Errorf("job %s counts %v, want one %s", id, got, want)
		}
	}
}
