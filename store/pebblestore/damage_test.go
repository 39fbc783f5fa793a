package pebblestore

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Each case damages one record of a sound folder, below the seam, and Verify
// must say which invariant that broke.
func TestVerifyFindsDamage(t *testing.T) {
	running := muster.Execution{
		Thing: "pump", Job: "job", Number: 2, Status: muster.InProgress, Version: 2, QueuedAt: 10, JobDeadline: 99,
	}
	done := muster.Execution{Thing: "pump", Job: "job", Number: 1, Status: muster.Succeeded, Version: 3, QueuedAt: 5}
	place := appendPlaceKey(nil, "job", muster.InProgress, store.CursorOf(running))
	timer := appendTimerKey(nil, store.Timer{Due: 99, ExecutionKey: store.Key(running)})
	queue := appendQueueKey(nil, store.QueueKey{Thing: "pump"})
	execution := appendExecutionKey(nil, store.Key(done))

	set := func(key, value []byte) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set(key, value, pebble.Sync) }
	}
	both := func(a, b func(*pebble.DB) error) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return errors.Join(a(db), b(db)) }
	}
	remove := func(key []byte) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Delete(key, pebble.Sync) }
	}
	counts := func(c muster.Counts) []byte { return appendCounts(nil, c) }

	for name, c := range map[string]struct {
		damage func(*pebble.DB) error
		want   store.Invariant // none, if empty
	}{
		"no damage":                     {func(*pebble.DB) error { return nil }, ""},
		"counts are gone":               {remove(appendCountsKey(nil, "job")), store.CountsAreSums},
		"counts are off by one":         {set(appendCountsKey(nil, "job"), counts(muster.Counts{0, 2, 1})), store.CountsAreSums},
		"counts of a job that is gone":  {set(appendCountsKey(nil, "gone"), counts(muster.Counts{1})), store.CountsAreSums},
		"counts cannot be read":         {set(appendCountsKey(nil, "job"), []byte{9}), store.Readable},
		"a timer is gone":               {remove(timer), store.TimersAreDeadlines},
		"a timer too many":              {set(appendTimerKey(nil, store.Timer{Due: 5, ExecutionKey: store.Key(done)}), nil), store.TimersAreDeadlines},
		"a timer of nothing":            {set(appendTimerKey(nil, store.Timer{Due: 5, ExecutionKey: store.ExecutionKey{Thing: "x", Job: "y"}}), nil), store.TimersAreDeadlines},
		"a timer of another instant":    {both(remove(timer), set(appendTimerKey(nil, store.Timer{Due: 98, ExecutionKey: store.Key(running)}), nil)), store.TimersAreDeadlines},
		"a timer's key is cut":          {set(timer[:12], nil), store.Readable},
		"a place is gone":               {remove(place), store.IndexIsComplete},
		"a place under a wrong status":  {set(appendPlaceKey(nil, "job", muster.Failed, store.CursorOf(running)), nil), store.Readable},
		"a place of nothing":            {set(appendPlaceKey(nil, "job", muster.Queued, store.Cursor{QueuedAt: 1, Thing: "x"}), nil), store.Readable},
		"a queue is gone":               {remove(queue), store.QueuesAreLive},
		"a queue cannot be read":        {set(queue, []byte{1, 200}), store.Readable},
		"an execution is gone":          {remove(execution), store.CountsAreSums},
		"an execution cannot be read":   {set(execution, []byte{7}), store.Readable},
		"an execution's key is cut":     {set(execution[:len(execution)-1], nil), store.Readable},
		"a thing's key has no mark":     {set([]byte("tpump\x00"), nil), store.Readable},
		"a live execution out of place": {set(appendExecutionKey(nil, store.ExecutionKey{Thing: "pump", Job: "job", Number: 3}), appendExecution(nil, &done)), store.OneLiveExecution},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			s, err := Open("data", Options{FS: vfs.NewMem()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = store.Update(ctx, s, func(tx store.Tx) error {
				tx.Change(nil, &done)
				tx.Change(nil, &running)
				tx.PutQueue(muster.Queue{Thing: "pump"}.With(running))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.damage(s.db); err != nil {
				t.Fatal(err)
			}
			now := new(commit) // views show what comes from commits
			s.views.add(s.db, now)
			s.views.show(now)
			problems, err := store.Verify(ctx, s, "gone")
			if err != nil {
				t.Fatalf("Verify() = %v", err)
			}
			found := slices.ContainsFunc(problems, func(p store.Problem) bool { return p.Invariant == c.want })
			if found != (c.want != "") || (c.want == "" && len(problems) > 0) {
				t.Errorf("Verify() = %v, want a problem of %q", problems, c.want)
			}
		})
	}
}
