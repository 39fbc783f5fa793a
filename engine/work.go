package engine

import (
	"context"
	"math"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file is what happens without anybody asking: rollouts, the ending of
// cancelled and deleted jobs, timers. It is done in short steps that commit
// their progress, so that a stop at any instant loses nothing and devices never
// wait long behind it.

// stepMax bounds the executions that one step touches.
const stepMax = 256

// stepsAhead is how many steps of one job are submitted together: one runs
// while the one before it is being synced.
const stepsAhead = 4

// timersMax bounds the timers that fire in one step.
const timersMax = 512

// never is later than every deadline.
const never = muster.Instant(math.MaxInt64)

// Agenda says when Work wants to be called again.
type Agenda struct {
	More bool           // at once: there is more to do now
	Next muster.Instant // else at this instant; zero when only Due can tell
}

// Work does one round of what is due now: for every job in work a few steps,
// and the timers. It is meant for one caller at a time, the scheduler.
func (e *Engine) Work(ctx context.Context) (Agenda, error) {
	var ids []muster.JobID
	var gone []string
	e.asked.Store(int64(never))
	if err := e.view(ctx, func(r store.Reader) error {
		for row, err := range working.Scan(r, "", "") {
			if err != nil {
				return err
			}
			ids = append(ids, muster.JobID(row.Key))
		}
		for row, err := range leaving.Scan(r, "", "") {
			if err != nil {
				return err
			}
			gone = append(gone, row.Key)
		}
		return nil
	}); err != nil {
		return Agenda{}, err
	}

	agenda := Agenda{More: len(ids)+len(gone) > 0}
	steps := []func(*batch) error{func(b *batch) (err error) {
		agenda.Next, err = b.fire()
		return err
	}}
	for _, id := range ids {
		for range stepsAhead {
			steps = append(steps, func(b *batch) error { return b.step(id) })
		}
	}
	for _, id := range gone {
		steps = append(steps, func(b *batch) error { _, err := b.depart(id, stepMax); return err })
	}
	if err := e.doAll(ctx, steps); err != nil {
		return Agenda{}, err
	}
	if agenda.Next == 0 {
		return agenda, nil
	}
	e.asked.Store(int64(agenda.Next))
	return agenda, nil
}

// doAll submits commands together and waits for all; it returns the first
// error.
func (e *Engine) doAll(ctx context.Context, runs []func(*batch) error) error {
	done := make(chan error, len(runs))
	for _, run := range runs {
		e.submit(command{run: run, done: func(err error) { done <- err }})
	}
	var first error
	for range runs {
		select {
		case err := <-done:
			if first == nil {
				first = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return first
}

// work notes that a job has background work.
func (b *batch) work(id muster.JobID) {
	working.Put(b, string(id), link{})
	b.due = true
}

// step does the next piece of a job's background work.
func (b *batch) step(id muster.JobID) error {
	j, err := b.job(id)
	if err != nil {
		return err
	}
	switch {
	case j == nil:
		working.Delete(b, string(id))
		return nil
	case j.Status == muster.JobInProgress && !j.Rollout.Done:
		return b.rollOut(*j)
	case j.Settling:
		return b.settleJob(*j)
	}
	working.Delete(b, string(id))
	return nil
}

// fire times out what is due, and returns when the next timer is.
func (b *batch) fire() (muster.Instant, error) {
	var due []store.Timer
	next := muster.Instant(0)
	for t, err := range b.Timers(never) {
		if err != nil {
			return 0, err
		}
		if t.Due > b.now || len(due) == timersMax {
			next = max(t.Due, 1)
			break
		}
		due = append(due, t)
	}
	for _, t := range due {
		found, err := b.Executions(t.ExecutionKey)
		if err != nil {
			return 0, err
		}
		if found[0] == nil {
			continue
		}
		after, err := found[0].Apply(muster.Update{By: muster.Clock, To: muster.TimedOut}, b.now)
		if err != nil {
			return 0, err
		}
		j, err := b.job(t.Job)
		if err != nil {
			return 0, err
		}
		if err := b.end(found[0], &after, j); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// settleJob ends some of the executions of a cancelled or deleted job; when
// none is left, the job is settled, or gone.
func (b *batch) settleJob(j muster.Job) error {
	statuses := []muster.Status{muster.Queued}
	switch {
	case j.Status == muster.JobDeleting:
		statuses = []muster.Status{0}
	case j.ForceCanceled:
		statuses = []muster.Status{muster.Queued, muster.InProgress}
	}
	n := 0
	for _, status := range statuses {
		var found []muster.Execution
		for x, err := range b.ExecutionsOfJob(j.ID, status, store.Cursor{}) {
			if err != nil {
				return err
			}
			if n++; n > stepMax {
				break
			}
			found = append(found, x)
		}
		for i := range found {
			if err := b.settle(&found[i], &j); err != nil {
				return err
			}
		}
		if n > stepMax {
			return nil
		}
	}
	working.Delete(b, string(j.ID))
	if j.Status == muster.JobDeleting {
		b.erase(j)
		return nil
	}
	j.Settling = false
	b.putJob(j)
	return nil
}

// erase removes the last of a deleted job.
func (b *batch) erase(j muster.Job) {
	documents.Delete(b, string(j.ID))
	newest.Delete(b, newestKey(j))
	for _, t := range j.Targets {
		targets.Delete(b, store.JoinKey(targetKey(t), string(j.ID)))
	}
	b.putTags(kindJob, string(j.ID), nil)
	b.deleteJob(j.ID)
}
