// Package storetest is the contract of package store as tests. The test of a
// store is a few lines that call Run, and Reopen if the store persists. Muster can
// run on a store that passes. The package does not depend on any particular store.
package storetest

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// promise is one sentence of package store and the test that it is kept.
type promise struct {
	name string
	test func(*testing.T, store.Store)
}

// Run fails t unless the stores that open returns keep every promise made in
// package store. Each subtest gets an empty store and closes it; open should use
// t.Cleanup for everything else.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	for _, p := range allPromises() {
		t.Run(p.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { _ = s.Close() }) // some tests have closed it
			p.test(t, s)
		})
	}
}

func allPromises() []promise {
	var all []promise
	for _, some := range [][]promise{
		transactions(), queues(), executions(), ofJob(), derived(), records(), histories(),
	} {
		all = append(all, some...)
	}
	return all
}

// update applies fn and waits until it is durable.
func update(t *testing.T, s store.Store, fn func(store.Tx)) {
	t.Helper()
	err := store.Update(context.Background(), s, func(tx store.Tx) error { fn(tx); return nil })
	if err != nil {
		t.Fatalf("Update() = %v", err)
	}
}

// view runs fn on a snapshot.
func view(t *testing.T, s store.Store, fn func(store.Reader)) {
	t.Helper()
	err := s.View(context.Background(), func(r store.Reader) error { fn(r); return nil })
	if err != nil {
		t.Fatalf("View() = %v", err)
	}
}

// create stores executions that were not there.
func create(t *testing.T, s store.Store, executions ...muster.Execution) {
	t.Helper()
	update(t, s, func(tx store.Tx) {
		for _, e := range executions {
			tx.Change(nil, &e)
		}
	})
}

// expect compares the result of a call with the expected one by how they print:
// nil and empty are equal.
func expect(t *testing.T, call string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s\n got %s\nwant %s", call, g, w)
	}
}

// list collects a sequence, or at most the first n values if n is not zero.
func list[T any](t *testing.T, seq iter.Seq2[T, error], n int) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatalf("sequence ended after %d values: %v", len(all), err)
		}
		if all = append(all, v); len(all) == n {
			break
		}
	}
	return all
}

// must returns v, the answer of a call that may not fail.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		return v
	}
}

// queued returns a new execution.
func queued(thing muster.ThingName, job muster.JobID, number int64, at muster.Instant) muster.Execution {
	return muster.Execution{
		Thing: thing, Job: job, Number: number, Status: muster.Queued, Version: 1, QueuedAt: at, UpdatedAt: at,
	}
}

// with returns e in another status.
func with(e muster.Execution, status muster.Status) muster.Execution {
	e.Status = status
	e.Version++
	return e
}

// due returns e in progress with a deadline.
func due(e muster.Execution, deadline muster.Instant) muster.Execution {
	e = with(e, muster.InProgress)
	e.JobDeadline = deadline
	return e
}

// values dereferences what Executions and Latest return; a missing one prints
// as "none".
func values(executions ...*muster.Execution) []any {
	all := make([]any, len(executions))
	for i, e := range executions {
		all[i] = "none"
		if e != nil {
			all[i] = *e
		}
	}
	return all
}
