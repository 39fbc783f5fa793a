package jobs

import (
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// This file is the background work of jobs: rollouts, timers, and the end of
// cancelled and deleted jobs. What to do for a job is decided by rollout.Next; this
// file reads what that needs and carries the answer out.
//
// Work is done in short steps, each a command of its own that stores its progress in
// the job. So a stop at any instant loses nothing, and a device that comes meanwhile
// waits for at most one step.

// stepMax bounds the executions that one step changes, and with them how long a
// device waits.
const stepMax = 128

// timersMax bounds the timers that one step fires.
const timersMax = stepMax

// jobsMax bounds the jobs that one round works on. It is as many as one transaction
// takes, so that jobs which are due at the same tick share a transaction.
const jobsMax = commit.BatchMax

// dueJobs is the background work of jobs that is due at an instant.
type dueJobs struct {
	timers  bool
	turns   bool // a job that waits may roll out
	jobs    []muster.JobID
	expired []muster.JobID // past their retention

	undecided []muster.JobID // whose counts are to be looked at again
}

func (d dueJobs) any() bool {
	return d.timers || d.turns || len(d.jobs)+len(d.expired)+len(d.undecided) > 0
}

// Wants implements commit.Source.
func (s *Jobs) Wants(w *commit.Wants) {
	w.Timers(commit.Never)
	for _, table := range []store.Table{tables.line.Table, tables.alarms.Table} {
		w.Range(table, "", "")
	}
	if s.limits.ConcurrentJobs > 0 {
		w.Range(tables.concurrent.Table, "", "")
	}
	if s.limits.RetentionDays > 0 {
		w.Range(tables.ended.Table, "", "")
	}
}

// Due implements commit.Source. It reads what is due, up to a bound, and what comes
// after that, so it costs the same however many jobs there are. What an earlier transaction of
// this process has not looked at again is its own work, whatever is asked for.
func (s *Jobs) Due(r store.Reader, asked commit.Asked) (due commit.Due, err error) {
	var d dueJobs
	if d.undecided, err = s.leftUndecided(r); err != nil {
		return due, err
	}
	if asked.Mine("jobs") {
		if d.turns, err = s.turnDue(r); err != nil {
			return due, err
		}
		var expires muster.Instant
		if d.expired, expires, err = s.expired(r, asked.Now); err != nil {
			return due, err
		}
		if expires != 0 {
			due.Sooner(expires)
		}
	}
	if d.timers, err = timersDue(r, asked, &due); err != nil {
		return due, err
	}
	if d.jobs, err = jobsDue(r, asked, &due); err != nil {
		return due, err
	}
	if d.any() {
		due.Steps = func() []func(*commit.Tx) error { return stepsIn(s, d.steps(asked)) }
	}
	return due, nil
}

// The search for what is asked for passes over the work of others, which may have piled up if
// one of them is slow: othersMax pieces of it at most. Then it is done again othersWait later.
const (
	othersMax  = 1024
	othersWait = time.Second
)

// timersDue reports whether a timer is due that is asked for. due is given the instant of the next
// one.
func timersDue(r store.Reader, asked commit.Asked, due *commit.Due) (bool, error) {
	n := 0
	for t, err := range r.Timers(commit.Never) {
		if err != nil {
			return false, err
		}
		mine := asked.Mine(string(t.Thing))
		if mine && t.Due <= asked.Now {
			return true, nil
		}
		if mine {
			due.Sooner(t.Due)
			break
		}
		if n++; n == othersMax {
			due.Sooner(max(t.Due, asked.Now.Add(othersWait)))
			break
		}
	}
	return false, nil
}

// jobsDue returns the jobs whose alarm is due and that are asked for, jobsMax of them at most. due
// is given the instant of the next alarm.
func jobsDue(r store.Reader, asked commit.Asked, due *commit.Due) (ids []muster.JobID, err error) {
	n := 0
	for row, err := range tables.alarms.Scan(r, "", "") {
		if err != nil {
			return nil, err
		}
		at, id := alarmOf(row.Key)
		mine := asked.Mine(string(id))
		if mine && at > asked.Now {
			due.Sooner(at)
			break
		}
		if mine {
			if ids = append(ids, id); len(ids) == jobsMax {
				break
			}
		} else if n++; n == othersMax {
			due.Sooner(max(at, asked.Now.Add(othersWait)))
			break
		}
	}
	return ids, nil
}

func (d dueJobs) steps(asked commit.Asked) []func(*transaction) error {
	var steps []func(*transaction) error
	if d.timers {
		steps = append(steps, func(tx *transaction) error { return fireTimers(tx, asked) })
	}
	if d.turns {
		steps = append(steps, giveTurns)
	}
	steps = append(steps, conclusions(d.undecided)...)
	steps = append(steps, forEach(d.expired, expireJob)...)
	for range max(1, commit.StepsAhead/max(1, len(d.jobs))) {
		steps = append(steps, forEach(d.jobs, func(tx *transaction, id muster.JobID) error { return step(tx, id, asked.Grow) })...)
	}
	return steps
}

// forEach returns a step for each of some jobs.
func forEach(ids []muster.JobID, step func(*transaction, muster.JobID) error) []func(*transaction) error {
	steps := make([]func(*transaction) error, len(ids))
	for i, id := range ids {
		steps[i] = func(tx *transaction) error {
			if err := tx.readAhead(ids[i:]); err != nil {
				return err
			}
			return step(tx, id)
		}
	}
	return steps
}

// stepsIn returns steps as the committer runs them.
func stepsIn(s *Jobs, of []func(*transaction) error) []func(*commit.Tx) error {
	steps := make([]func(*commit.Tx) error, len(of))
	for i, step := range of {
		steps[i] = func(tx *commit.Tx) error { return step(s.in(tx)) }
	}
	return steps
}

// step does the next piece of a job's background work, if any is due
// (rollout.Next). Unless the data may grow, a job that would give things
// executions keeps its place and looks again later.
func step(tx *transaction, id muster.JobID, grow bool) error {
	old, err := tx.job(id)
	if err != nil || old == nil || !old.Due(tx.Now) {
		return err
	}
	j, schedule, err := followSchedule(tx, *old)
	if err != nil {
		return err
	}
	if j, err = takeTurn(tx, old, j); err != nil {
		return err
	}
	facts, err := factsOf(tx, &j, schedule)
	if err != nil {
		return err
	}
	if !grow {
		facts.RoomAt = tx.Now.Add(commit.RoomWait)
	}
	return carryOut(tx, j, schedule, rollout.Next(j, facts, tx.Now))
}

// factsOf reads what decides about the next piece of a job's work. There is room
// for it.
func factsOf(tx *transaction, j *muster.Job, schedule rollout.State) (f rollout.Facts, err error) {
	f.Schedule = schedule
	list := waitlist{tx, j}
	if f.Deferred, err = list.anyDeferred(); err != nil {
		return f, err
	}
	f.Joining, err = list.anyJoining()
	return f, err
}

// carryOut does a piece of a job's work and stores the job.
func carryOut(tx *transaction, j muster.Job, schedule rollout.State, piece rollout.Piece) (err error) {
	switch piece.Work {
	case rollout.Settle:
		j, err = settleSome(tx, j)
	case rollout.Reveal:
		j, err = revealSome(tx, j)
	case rollout.Resume:
		err = waitlist{tx, &j}.resume()
	case rollout.Admit:
		j, err = admit(tx, j, schedule)
	case rollout.RollOut:
		j, err = rollOut(tx, j, schedule, stepMax)
	case rollout.Erase:
		return eraseJob(tx, j)
	case rollout.Wait, rollout.Nothing:
	}
	switch {
	case err != nil:
		return err
	case piece.Then == rollout.Erase && !j.Settling:
		return eraseJob(tx, j)
	}
	return storeStep(tx, j, piece.Wake)
}

// storeStep stores a job after a piece of its work. It is due again at its Wake or
// at the instant again, whichever is earlier; zero is never.
func storeStep(tx *transaction, j muster.Job, again muster.Instant) error {
	if again != 0 && (j.Wake == 0 || again < j.Wake) {
		j.Wake = again
	}
	if err := tx.putJob(j); err != nil {
		return err
	}
	return tx.completeJob(j)
}

// fireTimers times out the executions whose timer is due and asked for (jobs-lifecycle.md
// section 8). All timers are read first, since ending an execution changes them.
func fireTimers(tx *transaction, asked commit.Asked) error {
	var due []store.Timer
	n := 0
	for t, err := range tx.Timers(tx.Now) {
		if err != nil {
			return err
		}
		if asked.Mine(string(t.Thing)) {
			due = append(due, t)
		} else {
			n++
		}
		if len(due) == timersMax || n == othersMax {
			break
		}
	}
	if err := readFor(tx, due); err != nil {
		return err
	}
	for _, t := range due {
		found, err := tx.Executions(t.ExecutionKey)
		if err != nil {
			return err
		}
		if found[0] == nil || found[0].Status != muster.InProgress {
			continue // a timer before it aborted the job
		}
		after, err := found[0].Apply(muster.Update{By: muster.Clock, To: muster.TimedOut}, tx.Now)
		if err != nil {
			return err
		}
		j, err := tx.job(t.Job)
		if err != nil {
			return err
		}
		if err := tx.endExecution(found[0], &after, j); err != nil {
			return err
		}
	}
	return nil
}

// readFor reads at once what firing timers needs.
func readFor(tx *transaction, timers []store.Timer) error {
	tx.Prefetch(func(w *commit.Wants) {
		for _, t := range timers {
			w.Execution(t.ExecutionKey)
			wants{w, tx.s}.job(t.Job)
		}
	})
	var failed error
	tx.Prefetch(func(w *commit.Wants) {
		for _, t := range timers {
			found, err := tx.Executions(t.ExecutionKey)
			if err != nil {
				failed = err
				return
			}
			if found[0] == nil {
				continue
			}
			w.Queue(store.QueueKey{Thing: t.Thing, Namespace: found[0].Namespace})
			j, err := tx.job(t.Job)
			if err != nil {
				failed = err
				return
			}
			if j != nil && len(j.Config.Retry) > 0 && j.Selection == muster.Continuous { // hasLeft
				lookup.WantTargetsOf(w, t.Thing)
			}
		}
	})
	return failed
}

// settleSome ends some of the executions of a job that was cancelled, deleted or is
// over. When it finds none, the job is settled. A job that is being deleted loses
// those that have ended, too.
func settleSome(tx *transaction, j muster.Job) (muster.Job, error) {
	var found []muster.Execution
	for _, status := range []muster.Status{muster.Queued, muster.InProgress, 0} {
		if status == 0 && j.Status != muster.JobDeleting {
			continue // what has ended stays
		}
		if status == muster.InProgress && fateOf(&j, status) == stays {
			continue
		}
		for x, err := range tx.ExecutionsOfJob(j.ID, status, store.Cursor{}) {
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
	queues := make([]store.QueueKey, len(found))
	for i, x := range found {
		queues[i] = store.QueueKey{Thing: x.Thing, Namespace: x.Namespace}
	}
	tx.prefetch(func(w wants) {
		for i, x := range found {
			w.Queue(queues[i])
			w.Execution(store.Key(x)) // or else it is looked for when it is written
		}
	})
	if err := tx.Load(queues); err != nil {
		return j, err
	}
	for i := range found {
		after, err := fated(&found[i], &j, tx.Now)
		if err != nil {
			return j, err
		}
		if err := tx.changeExecution(&found[i], after); err != nil {
			return j, err
		}
	}
	if len(found) > 0 {
		return j, nil
	}
	// A command that has read the job as it was before may still give a thing a retry.
	return j.Note(muster.JobIsSettled), tx.Alone()
}

// eraseJob removes the last records of a deleted job, whose executions are gone.
func eraseJob(tx *transaction, j muster.Job) error {
	tables.documents.Delete(tx, string(j.ID))
	delete(tx.texts, j.ID)
	tables.newest.Delete(tx, newestKey(j))
	tables.deletions.Delete(tx, string(j.ID))
	for _, t := range j.Targets {
		tables.byTarget.Delete(tx, targetKey(t, j.ID))
	}
	tags.Put(tx, KindJob, string(j.ID), nil)
	if err := tx.deleteJob(j.ID); err != nil {
		return err
	}
	return tellOfJob(tx, eventlog.Deleted, j)
}
