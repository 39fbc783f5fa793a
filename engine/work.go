package engine

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
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

// never is later than every deadline.
const never = muster.Instant(math.MaxInt64)

// Agenda says when Work wants to be called again.
type Agenda struct {
	More bool           // at once: there is more to do now
	Next muster.Instant // else at this instant; zero when only Due can tell
}

// jobsMax bounds the jobs that one round works on: as many as a transaction
// takes, so that those which are due at the same tick share it.
const jobsMax = batchMax

// Work does one round of what is due now: for every job in work a few steps,
// and the timers. It is meant for one caller at a time, the scheduler.
func (e *Engine) Work(ctx context.Context) (Agenda, error) {
	if e.room(reserve.Finish) != nil {
		return Agenda{Next: e.o.Now().Add(roomWait)}, nil
	}
	grow := e.room(reserve.Grow) == nil
	e.asked.Store(0) // what comes up now is seen at the end of this round
	due, err := e.due(ctx, grow)
	if err != nil {
		return Agenda{}, err
	}
	var steps []func(*batch) error
	if due.timers {
		steps = append(steps, (*batch).fire)
	}
	if due.turns {
		steps = append(steps, (*batch).giveTurns)
	}
	for _, id := range due.expired {
		steps = append(steps, func(b *batch) error { return b.expire(id) })
	}
	for range max(1, stepsAhead/max(1, len(due.jobs))) {
		for _, id := range due.jobs {
			steps = append(steps, func(b *batch) error { return b.step(id, grow) })
		}
	}
	for _, id := range due.departures {
		steps = append(steps, func(b *batch) error { return b.depart(id, stepMax) })
	}
	steps = append(steps, due.index.steps()...)
	if err := e.workAll(ctx, steps); err != nil {
		return Agenda{}, err
	}
	e.asked.Store(int64(never)) // from here on Due tells of everything new
	if due, err = e.due(ctx, grow); err != nil {
		return Agenda{}, err
	}
	if due.any() {
		return Agenda{More: true}, nil
	}
	if due.next == 0 {
		return Agenda{}, nil
	}
	e.asked.Store(int64(due.next))
	return Agenda{Next: due.next}, nil
}

// dueWork is the background work that can be done at an instant.
type dueWork struct {
	timers     bool
	turns      bool // a job that waits may roll out
	jobs       []muster.JobID
	expired    []muster.JobID // past their retention
	departures []string
	index      indexWork
	next       muster.Instant // when more is due; zero when nothing is known
}

func (d dueWork) any() bool {
	return d.timers || d.turns || len(d.jobs)+len(d.expired)+len(d.departures) > 0 || d.index.any()
}

// due looks up what there is to do now, when the data may grow or not.
func (e *Engine) due(ctx context.Context, grow bool) (dueWork, error) {
	var d dueWork
	now := e.o.Now()
	later := func(at muster.Instant) {
		if d.next == 0 || at < d.next {
			d.next = at
		}
	}
	err := e.view(ctx, func(r store.Reader) (err error) {
		if d.turns, err = e.turnDue(r); err != nil {
			return err
		}
		var expires muster.Instant
		if d.expired, expires, err = e.expired(r, now); err != nil {
			return err
		}
		if expires != 0 {
			later(expires)
		}
		for t, err := range r.Timers(never) {
			if err != nil {
				return err
			}
			if d.timers = t.Due <= now; !d.timers {
				later(t.Due)
			}
			break
		}
		for row, err := range alarms.Scan(r, "", "") {
			if err != nil {
				return err
			}
			at, id := alarmOf(row.Key)
			if at > now {
				later(at)
				break
			}
			if d.jobs = append(d.jobs, id); len(d.jobs) == jobsMax {
				break
			}
		}
		for row, err := range leaving.Scan(r, "", "") {
			if err != nil {
				return err
			}
			d.departures = append(d.departures, row.Key)
		}
		d.index, err = e.indexWork(r)
		return err
	})
	if !grow {
		d.restrict(now)
	}
	return d, err
}

// workOf returns when Work has something to do because a record was written:
// zero for at once, never if it has nothing. It names all that due looks up, but
// for deadlines.
func (e *Engine) workOf(t store.Table, key string) muster.Instant {
	switch t {
	case alarms.Table:
		at, _ := alarmOf(key)
		return at
	case ended.Table:
		if e.o.Limits.RetentionDays > 0 {
			at, _ := alarmOf(key)
			return e.keptUntil(at)
		}
	case line.Table, leaving.Table, building.Table, indexStates.Table:
		return 0
	}
	return never
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

// workAll submits background commands together and waits for all; it returns
// the first error.
func (e *Engine) workAll(ctx context.Context, runs []func(*batch) error) error {
	done := make(chan error, len(runs))
	commands := make([]command, len(runs))
	for i, run := range runs {
		commands[i] = command{run: run, done: func(err error) { done <- err }}
	}
	e.submitWork(commands)
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

// step does the next piece of a job's background work, if any is due. Unless the
// data may grow, a job that would give things its executions keeps its place and
// looks again later.
func (b *batch) step(id muster.JobID, grow bool) error {
	old, err := b.job(id)
	if err != nil || old == nil || old.Wake == 0 || old.Wake > b.now {
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
		j.Wake = b.now
	case j.Revealing:
		j, err = b.revealSome(j)
		j.Wake = b.now
	case waiting && !j.Hides():
		err = b.resume(&j)
		j.Wake = b.now
	case !grow && (joiners && !j.Hides() && j.Gives() || j.RollsOut() && !j.Waiting):
		j.Wake = b.now.Add(roomWait)
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
	for t, err := range b.Timers(b.now) {
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
		after, err := found[0].Apply(muster.Update{By: muster.Clock, To: muster.TimedOut}, b.now)
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
