package pebblestore

import (
	"context"
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func openAt(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func viewOf(t *testing.T, s *Store, fn func(store.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// put changes an execution with its queue, as package jobs does.
func put(t *testing.T, s *Store, before, after *muster.Execution) {
	t.Helper()
	err := store.Update(context.Background(), s, func(tx store.Tx) error {
		e := after
		if e == nil {
			e = before
		}
		queues, err := tx.Queues(store.QueueKey{Thing: e.Thing, Namespace: e.Namespace})
		if err != nil {
			return err
		}
		if after == nil {
			tx.PutQueue(queues[0].Without(e.Job, e.Number))
		} else {
			tx.PutQueue(queues[0].With(*after))
		}
		tx.Change(before, after)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// records returns how many executions have a record of their own.
func records(t *testing.T, s *Store) (n int) {
	t.Helper()
	for row, err := range sequence(&reader{from: s.db}, []byte{ofThing}, []byte{ofThing + 1}, decodeOfThing) {
		if err != nil {
			t.Fatal(err)
		}
		if row.execution != nil {
			n++
		}
	}
	return n
}

// An execution has a record from the moment on at which its entry does not say all of
// it, and as long as that is so. In each state everything that reads finds it.
func TestABareExecutionHasNoRecord(t *testing.T) {
	s := openAt(t, t.TempDir())
	at := benchStart
	waiting := muster.Execution{Thing: "lamp", Job: "job", Number: 2, Status: muster.Queued, Version: 1, QueuedAt: at, UpdatedAt: at, Windowed: true}
	started := waiting
	started.Status, started.Version, started.StartedAt, started.UpdatedAt = muster.InProgress, 2, at.Minutes(1), at.Minutes(1)
	reported, again, done := started, started, started
	reported.Version, reported.Details = 3, map[string]string{"progress": "50 %"}
	again.Version = 4
	done.Version, done.Status = 5, muster.Succeeded
	elsewhere := waiting
	elsewhere.Namespace = "factory"
	presigned := waiting
	presigned.PresignedAt = at
	for i, step := range []struct {
		execution *muster.Execution
		records   int
	}{
		{&waiting, 0},
		{&started, 0},
		{&reported, 1},
		{&again, 0},
		{&presigned, 1},
		{&waiting, 0},
		{&done, 1},
		{nil, 0},
		{&elsewhere, 1},
		{nil, 0},
		{&started, 0},
		{nil, 0},
	} {
		when := fmt.Sprintf("step %d", i)
		var before *muster.Execution
		viewOf(t, s, func(r store.Reader) (err error) { before, err = store.LatestOf(r, "lamp", "job"); return err })
		put(t, s, before, step.execution)
		if got := records(t, s); got != step.records {
			t.Errorf("%s: there are %d records of executions, want %d", when, got, step.records)
		}
		wantExecution(t, when, s, "lamp", "job", 2, step.execution)
		if problems, err := store.Verify(t.Context(), s, "job"); err != nil || len(problems) > 0 {
			t.Errorf("%s: Verify = %v, %v", when, problems, err)
		}
	}
}

// wantExecution holds that everything that reads executions finds want, or nothing.
func wantExecution(t *testing.T, when string, s *Store, thing muster.ThingName, job muster.JobID, number int64, want *muster.Execution) {
	t.Helper()
	viewOf(t, s, func(r store.Reader) error {
		var found []muster.Execution
		collect := func(e muster.Execution, err error) bool {
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			found = append(found, e)
			return true
		}
		one, err := r.Executions(store.ExecutionKey{Thing: thing, Job: job, Number: number})
		if err != nil {
			return err
		}
		latest, err := store.LatestOf(r, thing, job)
		if err != nil {
			return err
		}
		for _, e := range []*muster.Execution{one[0], latest} {
			if e != nil {
				found = append(found, *e)
			}
		}
		r.ExecutionsOfThing(thing)(collect)
		r.ExecutionsOfJob(job, 0, store.Cursor{})(collect)
		r.AllExecutions()(collect)
		ways := 5
		if want == nil {
			ways = 0
		}
		if len(found) != ways {
			t.Errorf("%s: %d of 5 ways to read find something: %+v", when, len(found), found)
		}
		for _, e := range found {
			if !e.Equal(*want) {
				t.Errorf("%s: found %+v, want %+v", when, e, *want)
			}
		}
		return nil
	})
}

// The state of a queue that a transaction changes several times is written once.
func TestAQueueIsWrittenOncePerTransaction(t *testing.T) {
	var commits []Commit
	s, err := Open(t.TempDir(), Options{OnCommit: func(c Commit) { commits = append(commits, c) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	first := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 5, UpdatedAt: 5}
	err = store.Update(t.Context(), s, func(tx store.Tx) error {
		var before *muster.Execution
		q := muster.Queue{Thing: "lamp"}
		for version := range int64(10) {
			e := first
			e.Version += version
			q = q.With(e)
			tx.PutQueue(q)
			tx.Change(before, &e)
			before = &e
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(commits) != 1 || commits[0].Writes != 3 {
		t.Errorf("the commits are %+v, want one with 3 writes: queue, index and counts", commits)
	}
}

// A transaction that takes a bare execution out of its queue and does not change it
// would lose it.
func TestABareExecutionCannotLeaveItsQueueAlone(t *testing.T) {
	s := openAt(t, t.TempDir())
	e := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Queued, Version: 1}
	put(t, s, nil, &e)
	err := store.Update(t.Context(), s, func(tx store.Tx) error {
		tx.PutQueue(muster.Queue{Thing: "lamp"})
		return nil
	})
	if err == nil {
		t.Error("the transaction succeeds")
	}
	wantExecution(t, "after it", s, "lamp", "job", 1, &e)
}

// A queue is put before its executions are changed, so for a moment its entry names an
// execution that does not exist yet. Until then the one before it is the latest.
func TestTheLatestIsWhatExistsAlready(t *testing.T) {
	s := openAt(t, t.TempDir())
	first := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Failed, Version: 2, QueuedAt: benchStart, UpdatedAt: benchStart}
	put(t, s, nil, &first)
	second := muster.Execution{Thing: "lamp", Job: "job", Number: 2, Status: muster.Queued, Version: 1, QueuedAt: benchStart, UpdatedAt: benchStart}
	for _, details := range []map[string]string{nil, {"progress": "0 %"}} { // bare, and with a record
		second.Details = details
		err := store.Update(t.Context(), s, func(tx store.Tx) error {
			tx.PutQueue(muster.Queue{Thing: "lamp"}.With(second).Revised(0))
			before, err := store.LatestOf(tx, "lamp", "job")
			if err != nil || before == nil || !before.Equal(first) {
				t.Errorf("before the change the latest is %+v, %v, want %+v", before, err, first)
			}
			tx.Change(nil, &second)
			after, err := store.LatestOf(tx, "lamp", "job")
			if err != nil || after == nil || !after.Equal(second) {
				t.Errorf("after the change the latest is %+v, %v, want %+v", after, err, second)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, &second, nil)
	}
}
