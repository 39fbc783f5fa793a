package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// waitlist is the things that are given a job later. There are two lists: the
// deferred wait for an instant, of a window or of the rollout, and the joining wait
// for the pace (joiners.go). What waits for a job that gives nothing any more is
// struck off.
type waitlist struct {
	tx *transaction
	j  *muster.Job
}

// deferral is what a thing on the list waits for. Of a continuous job it is a retry, or
// the first execution after the thing joined, and it waits for the next maintenance
// window. Of a snapshot it is the first execution of a thing that left early, and it
// waits until the rollout has reached all others (next.go).
type deferral struct {
	Join    bool   // it came under a target; else it is a retry
	Number  int64  // of a retry: the execution that it follows
	ThingID string `json:",omitempty"` // of a snapshot: which thing of the name it was for
}

// any reports whether things wait for the job, for whatever reason.
func (w waitlist) any() (bool, error) {
	if deferred, err := w.anyDeferred(); err != nil || deferred {
		return deferred, err
	}
	return w.anyJoining()
}

// anyDeferred reports whether things wait for a window of the job, or for what it
// will never do. Things that a rollout under way has still to reach do not count.
func (w waitlist) anyDeferred() (bool, error) {
	if !w.j.Windowed() && (w.j.Selection != muster.Snapshot || isSnapshotUnderWay(w.j)) {
		return false, nil
	}
	return tables.deferred.AnyUnder(w.tx, string(w.j.ID))
}

// anyJoining reports whether things wait for the pace of the job.
func (w waitlist) anyJoining() (bool, error) {
	if w.j.Selection != muster.Continuous {
		return false, nil
	}
	return tables.joining.AnyUnder(w.tx, string(w.j.ID))
}

// resume gives some of the deferred things what they have waited for, or strikes them
// off when the job gives nothing any more.
func (w waitlist) resume() error {
	waiting, err := w.nextDeferred(stepMax)
	if err != nil {
		return err
	}
	w.readFor(namesOf(waiting))
	for _, row := range waiting {
		tables.deferred.Delete(w.tx, row.Key)
		if !w.j.Gives() {
			continue
		}
		if err := w.resumeOne(nameOf(row), row.Value); err != nil {
			return err
		}
	}
	return nil
}

// nextDeferred returns the first deferred things, at most limit.
func (w waitlist) nextDeferred(limit int) (waiting []store.Row[deferral], err error) {
	from, to := store.Under(string(w.j.ID))
	for row, err := range tables.deferred.Scan(w.tx, from, to) {
		if err != nil {
			return nil, err
		}
		if waiting = append(waiting, row); len(waiting) == limit {
			break
		}
	}
	return waiting, nil
}

// nameOf returns the thing of a row of a list, and namesOf those of some.
func nameOf[T any](row store.Row[T]) muster.ThingName {
	return muster.ThingName(store.SplitKey(row.Key)[1])
}

func namesOf[T any](rows []store.Row[T]) []muster.ThingName {
	names := make([]muster.ThingName, len(rows))
	for i, row := range rows {
		names[i] = nameOf(row)
	}
	return names
}

// readFor reads at once what giving the job to things needs, if it still gives.
func (w waitlist) readFor(things []muster.ThingName) {
	if !w.j.Gives() || len(things) == 0 {
		return
	}
	w.tx.Prefetch(func(wants *commit.Wants) {
		for _, thing := range things {
			wants.Latest(store.QueueKey{Thing: thing, Namespace: w.j.Namespace}, w.j.ID)
			lookup.WantTargetsOf(wants, thing)
		}
	})
}

// resumeOne gives a thing the execution that d defers, unless the thing has left
// meanwhile or the job has moved on.
func (w waitlist) resumeOne(thing muster.ThingName, d deferral) error {
	t, err := lookup.Thing(w.tx, thing)
	if err != nil || t == nil {
		return err
	}
	if left, err := hasLeft(w.tx, thing, w.j); err != nil || left {
		return err
	}
	if d.Join {
		return enqueue(w.tx, w.j, t)
	}
	latest, err := store.LatestOf(w.tx, thing, w.j.ID)
	if err != nil || latest == nil || latest.Number != d.Number {
		return err
	}
	return retryExecution(w.tx, latest, w.j) // as the job is by now: an operator may have ended retries
}
