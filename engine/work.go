package engine

import (
	"context"
	"fmt"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file is what happens without a request: rollouts, the ending of
// cancelled and deleted jobs, timers. It is done in short steps that commit
// their progress, so that a stop at any instant loses nothing and devices never
// wait long behind it.

// stepMax bounds the executions that one step touches: what a device may find
// before it.
const stepMax = 128

// stepsAhead is how many steps are submitted together when few jobs are due, so
// that some run while those before them are being synced.
const stepsAhead = 16

// timersMax bounds the timers that fire in one step.
const timersMax = stepMax

// jobsMax bounds the jobs that one round works on: as many as a transaction
// takes, so that those which are due at the same tick share it.
const jobsMax = commit.BatchMax

// Work does one round of what is due now: for every job in work a few steps,
// and the timers. It is meant for one caller at a time, the scheduler.
func (e *Engine) Work(ctx context.Context) (commit.Agenda, error) {
	return e.commits.Work(ctx, e.jobWork(), e.registryWork())
}

// sourceFunc makes a commit.Source of a function.
type sourceFunc func(r store.Reader, now muster.Instant, grow bool) (commit.Due, error)

func (s sourceFunc) Due(r store.Reader, now muster.Instant, grow bool) (commit.Due, error) {
	return s(r, now, grow)
}

// dueJobs is the background work of jobs that can be done at an instant.
type dueJobs struct {
	timers  bool
	turns   bool // a job that waits may roll out
	jobs    []muster.JobID
	expired []muster.JobID // past their retention
}

func (d dueJobs) any() bool { return d.timers || d.turns || len(d.jobs)+len(d.expired) > 0 }

// jobWork looks up what there is to do for jobs.
func (e *Engine) jobWork() commit.Source {
	return sourceFunc(func(r store.Reader, now muster.Instant, grow bool) (due commit.Due, err error) {
		var d dueJobs
		if d.turns, err = e.turnDue(r); err != nil {
			return due, err
		}
		var expires muster.Instant
		if d.expired, expires, err = e.expired(r, now); err != nil {
			return due, err
		}
		if expires != 0 {
			due.Sooner(expires)
		}
		for t, err := range r.Timers(commit.Never) {
			if err != nil {
				return due, err
			}
			if d.timers = t.Due <= now; !d.timers {
				due.Sooner(t.Due)
			}
			break
		}
		for row, err := range alarms.Scan(r, "", "") {
			if err != nil {
				return due, err
			}
			at, id := alarmOf(row.Key)
			if at > now {
				due.Sooner(at)
				break
			}
			if d.jobs = append(d.jobs, id); len(d.jobs) == jobsMax {
				break
			}
		}
		if d.any() {
			due.Steps = func() []func(*commit.Tx) error { return e.steps(d.steps(grow)) }
		}
		return due, nil
	})
}

func (d dueJobs) steps(grow bool) []func(*batch) error {
	var steps []func(*batch) error
	if d.timers {
		steps = append(steps, (*batch).fire)
	}
	if d.turns {
		steps = append(steps, (*batch).giveTurns)
	}
	for _, id := range d.expired {
		steps = append(steps, func(b *batch) error { return b.expire(id) })
	}
	for range max(1, stepsAhead/max(1, len(d.jobs))) {
		for _, id := range d.jobs {
			steps = append(steps, func(b *batch) error { return b.step(id, grow) })
		}
	}
	return steps
}

// registryWork looks up what there is to do for groups and the index.
func (e *Engine) registryWork() commit.Source {
	return sourceFunc(func(r store.Reader, _ muster.Instant, grow bool) (due commit.Due, err error) {
		var departures []string
		for row, err := range leaving.Scan(r, "", "") {
			if err != nil {
				return due, err
			}
			departures = append(departures, row.Key)
		}
		index, err := e.indexWork(r)
		if err != nil {
			return due, err
		}
		if !grow {
			index.extent, index.groups = false, nil
		}
		if len(departures) > 0 || index.any() {
			due.Steps = func() []func(*commit.Tx) error {
				var steps []func(*batch) error
				for _, id := range departures {
					steps = append(steps, func(b *batch) error { return b.depart(id, stepMax) })
				}
				return e.steps(append(steps, index.steps()...))
			}
		}
		return due, nil
	})
}

// steps returns steps as the committer runs them.
func (e *Engine) steps(of []func(*batch) error) []func(*commit.Tx) error {
	steps := make([]func(*commit.Tx) error, len(of))
	for i, step := range of {
		steps[i] = func(tx *commit.Tx) error { return step(e.batch(tx)) }
	}
	return steps
}

// background runs background steps together and waits for all; it returns the
// first error.
func (e *Engine) background(ctx context.Context, steps []func(*batch) error) error {
	return e.commits.Background(ctx, e.steps(steps))
}

// alarmKey sorts alarms by when they are due.
func alarmKey(at muster.Instant, id muster.JobID) string {
	return store.JoinKey(fmt.Sprintf("%016x", uint64(at)), string(id))
}

func alarmOf(key string) (muster.Instant, muster.JobID) {
	parts := store.SplitKey(key)
	at, _ := strconv.ParseUint(parts[0], 16, 64)
	return muster.Instant(at), muster.JobID(parts[1])
}

// step does the next piece of a job's background work, if any is due. Unless the
// data may grow, a job that would give things its executions keeps its place and
// looks again later.
func (b *batch) step(id muster.JobID, grow bool) error {
	old, err := b.job(id)
	if err != nil || old == nil || old.Wake == 0 || old.Wake > b.Now {
		return err
	}
	j, schedule, err := b.keepTime(*old)
	if err != nil {
		return err
	}
	if j, err = b.turn(old, j); err != nil {
		return err
	}
	waiting, err := b.anyDeferred(&j)
	if err != nil {
		return err
	}
	joiners, err := b.anyJoining(&j)
	if err != nil {
		return err
	}
	changes := j.Wake // of the schedule
	switch {
	case j.Settling:
		if j, err = b.settleSome(j); err != nil {
			return err
		}
		if j.Status == muster.JobDeleting && !j.Settling && !waiting && !joiners {
			return b.erase(j)
		}
		j.Wake = b.Now
	case j.Revealing:
		j, err = b.revealSome(j)
		j.Wake = b.Now
	case waiting && !j.Hides():
		err = b.resume(&j)
		j.Wake = b.Now
	case !grow && (joiners && !j.Hides() && j.Gives() || j.RollsOut() && !j.Waiting):
		j.Wake = b.Now.Add(commit.RoomWait)
	case joiners && !j.Hides():
		j, err = b.admit(j, schedule)
	case j.Status == muster.JobDeleting:
		return b.erase(j)
	case j.RollsOut() && !j.Waiting:
		j, err = b.rollOut(j, schedule, stepMax)
	}
	if err != nil {
		return err
	}
	return b.stepped(j, changes)
}

// stepped stores a job after a piece of its work. It has more to do at its Wake,
// or when its schedule changes, if it does.
func (b *batch) stepped(j muster.Job, changes muster.Instant) error {
	if changes != 0 && (j.Wake == 0 || changes < j.Wake) {
		j.Wake = changes
	}
	if err := b.putJob(j); err != nil {
		return err
	}
	return b.conclude(j)
}

// fire times out what is due.
func (b *batch) fire() error {
	var due []store.Timer
	for t, err := range b.Timers(b.Now) {
		if err != nil {
			return err
		}
		if due = append(due, t); len(due) == timersMax {
			break
		}
	}
	for _, t := range due {
		found, err := b.Executions(t.ExecutionKey)
		if err != nil {
			return err
		}
		if found[0] == nil || found[0].Status != muster.InProgress {
			continue // an earlier one aborted its job
		}
		after, err := found[0].Apply(muster.Update{By: muster.Clock, To: muster.TimedOut}, b.Now)
		if err != nil {
			return err
		}
		j, err := b.job(t.Job)
		if err != nil {
			return err
		}
		if err := b.end(found[0], &after, j); err != nil {
			return err
		}
	}
	return nil
}

// settleSome ends some of the executions of a job that was cancelled, deleted
// or is over; when none is left, the job is settled.
func (b *batch) settleSome(j muster.Job) (muster.Job, error) {
	var found []muster.Execution
	for _, status := range []muster.Status{muster.Queued, muster.InProgress, 0} {
		if status == 0 && j.Status != muster.JobDeleting {
			continue // what has ended stays
		}
		if status == muster.InProgress && fateOf(&j, status) == stays {
			continue
		}
		for x, err := range b.ExecutionsOfJob(j.ID, status, store.Cursor{}) {
			if err != nil {
				return j, err
			}
			if found = append(found, x); len(found) == stepMax {
				break
			}
		}
		if len(found) > 0 {
			break
		}
	}
	for i := range found {
		after, err := b.fated(&found[i], &j)
		if err != nil {
			return j, err
		}
		if err := b.change(&found[i], after); err != nil {
			return j, err
		}
	}
	j.Settling = len(found) > 0
	return j, nil
}

// erase removes the last of a deleted job.
func (b *batch) erase(j muster.Job) error {
	documents.Delete(b, string(j.ID))
	delete(b.texts, j.ID)
	newest.Delete(b, newestKey(j))
	deletions.Delete(b, string(j.ID))
	for _, t := range j.Targets {
		targets.Delete(b, targetKey(t, j.ID))
	}
	b.putTags(kindJob, string(j.ID), nil)
	if err := b.deleteJob(j.ID); err != nil {
		return err
	}
	return b.tellOfJob(Deleted, j)
}
