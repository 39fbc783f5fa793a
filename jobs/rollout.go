package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file rolls jobs out: walk (next.go) says which things come next, rollout.Plan
// how many may be given the job now, and giveFirst gives it to them.

// A rollout is small when at most smallMax things are left, and looking at smallLooks
// members and groups is enough to find them.
const (
	smallMax   = stepMax
	smallLooks = 1024
)

// rollOutSmall rolls a job out within the command that created or extended it, if
// what is left is small (arbitration A21): a caller that creates a job for a few
// things finds their executions as soon as it has the answer. A larger rollout, and
// one that has to wait, is left to the background. It returns the job as stored.
func rollOutSmall(tx *transaction, id muster.JobID) (muster.Job, error) {
	old, err := tx.job(id)
	if err != nil {
		return muster.Job{}, err
	}
	if !old.RollsOutNow() || old.PaceJoiners {
		return *old, nil
	}
	j, schedule, err := followSchedule(tx, *old)
	if err != nil || !j.RollsOut() {
		return *old, err
	}
	// A look ahead, before anything is written: a rollout is either done here as far as
	// its rate allows, or not begun at all.
	ahead := walk{tx: tx, j: &j, at: j.BeginRollout(tx.Now).Rollout}
	if small, err := ahead.isSmall(); err != nil || !small {
		return *old, err
	}
	if j, err = rollOut(tx, j, schedule, smallLooks); err != nil {
		return j, err
	}
	facts, err := factsOf(tx, &j, schedule)
	if err != nil {
		return j, err
	}
	if work := rollout.Next(j, facts, tx.Now).Work; work != rollout.RollOut && work != rollout.Nothing {
		j.Wake = tx.Now // it has other work
	}
	if err := storeStep(tx, j, schedule.Next); err != nil {
		return j, err
	}
	now, err := tx.job(id)
	return *now, err
}

// rollOut gives the next things of a job their executions: as many as its rate
// allows, looking at no more than looks members and groups. It stores how far it got
// in the same transaction, so that a stop in between neither loses nor repeats one.
// It returns the job with its Wake set.
func rollOut(tx *transaction, j muster.Job, schedule rollout.State, looks int) (muster.Job, error) {
	plan, err := pace(tx, j, schedule)
	if err != nil {
		return j, err
	}
	w := walk{tx: tx, j: &j, at: j.Rollout}
	if waits, err := w.mustWait(); err != nil || waits {
		j = j.Note(muster.JobIsHeld)
		j.Wake = 0
		return j, err
	}
	j = j.BeginRollout(tx.Now)
	w.at = j.Rollout
	done, err := w.exhausted()
	if err != nil {
		return j, err
	}
	// A step ends when the rate is used up, when it has given or looked at as many as a
	// step may, or at the end of the targets. Looks are counted apart, since a thing that
	// has the job already costs a look and is not given anything.
	given, allowed := 0, min(stepMax, plan.Queue)
	for held := false; looks > 0 && given < allowed && !done && !held; {
		var next []muster.ThingName // of several groups if they are small, so that they are read for at once
		for looks > 0 && given+len(next) < allowed && !done && !held {
			found, looked, err := w.next(min(looks, allowed-given-len(next)))
			if err != nil {
				return j, err
			}
			next = append(next, found...)
			looks -= max(looked, 1)
			if done, err = w.exhausted(); err != nil {
				return j, err
			}
			held = looked == 0 && w.at.Target == len(j.Targets) // by a group that is being deleted
		}
		n, err := giveFirst(tx, &j, next)
		if err != nil {
			return j, err
		}
		given += n
	}
	j.Rollout = w.at
	j.Rollout.Pace = plan.Pace.With(given)
	switch {
	case done:
		j = j.Note(muster.JobIsRolledOut)
		j.UpdatedAt, j.Wake = tx.Now, 0
	case given == plan.Queue:
		j.Wake = plan.Wake
	default:
		j.Wake = tx.Now
	}
	return j, nil
}

// pace asks the planner how many things may be given the job now. The counts are read
// only for a rate that depends on them.
func pace(tx *transaction, j muster.Job, schedule rollout.State) (rollout.Decision, error) {
	s := rollout.Snapshot{
		Status: j.Status, Schedule: schedule, Config: j.Config.Rollout,
		Maximum: tx.s.rolloutPerMinute, Pace: j.Rollout.Pace,
	}
	if j.Config.Rollout.Exponential != nil {
		var err error
		if s.Counts, err = store.CountsOf(tx, j.ID); err != nil {
			return rollout.Decision{}, err
		}
	}
	return rollout.Plan(tx.Now, s), nil
}

// withNewRate returns a job whose rate was just changed, with what the old rate has
// earned up to now. One that has begun without a rate has earned nothing.
func withNewRate(tx *transaction, j muster.Job) (muster.Job, error) {
	if j.Rollout.Pace.Rate == 0 {
		return j, nil
	}
	t, err := rollout.Compile(j.Config.Schedule)
	if err != nil {
		return j, err
	}
	plan, err := pace(tx, j, t.At(tx.Now))
	j.Rollout.Pace = plan.Pace
	return j, err
}

// giveFirst gives each of the things, which are in the registry, its first execution of
// j, unless it has had one, and returns how many it gave. A thing that was taken out of a
// continuous job is given it again, like any that rejoins (jobs-lifecycle.md J9), and
// so is one when only an earlier thing of its name had it.
func giveFirst(tx *transaction, j *muster.Job, names []muster.ThingName) (int, error) {
	queues := make([]store.QueueKey, len(names))
	for i, thing := range names {
		queues[i] = store.QueueKey{Thing: thing, Namespace: j.Namespace}
	}
	ended, err := anyEnded(tx, j)
	if err != nil {
		return 0, err
	}
	if ended {
		tx.prefetch(func(w wants) {
			for i, thing := range names {
				w.Queue(queues[i])
				w.Execution(first(j, thing))
			}
		})
	}
	if err := tx.Load(queues); err != nil {
		return 0, err
	}
	latest := make([]*muster.Execution, len(names))
	if ended {
		if latest, err = latestEnded(tx, j, names); err != nil {
			return 0, err
		}
	}
	given := 0
	for i, thing := range names {
		q, err := tx.Queue(queues[i])
		if err != nil {
			return 0, err
		}
		if _, pending := q.Find(j.ID); pending {
			continue
		}
		if owed, err := isOwed(tx, j, thing, latest[i]); err != nil {
			return 0, err
		} else if !owed {
			continue
		}
		given++
		if latest[i] != nil {
			if err := tx.queueNext(j, thing, latest[i], muster.Retries{}, tx.Now); err != nil {
				return 0, err
			}
			continue
		}
		x := muster.NewExecution(j, thing, 1, tx.Now)
		if j.Links && len(q.Entries) == 0 && tx.s.audience.Hears(queues[i]) {
			x = renewed(j, x, tx.Now) // as the head that it will be; present would write it again
		}
		if err := tx.changeExecution(nil, &x); err != nil {
			return 0, err
		}
	}
	return given, nil
}

// anyEnded reports whether an execution of j has ended. As long as none has ended, each thing
// that was given the job still has it in its queue.
func anyEnded(tx *transaction, j *muster.Job) (bool, error) {
	counts, err := store.CountsOf(tx, j.ID)
	return counts.Total() != counts.Pending(), err
}

// first returns the key of the first execution of j on a thing.
func first(j *muster.Job, thing muster.ThingName) store.ExecutionKey {
	return store.ExecutionKey{Thing: thing, Job: j.ID, Number: 1}
}

// latestEnded returns the latest executions of j on things that have none pending, in
// the order of names. For a thing that has one pending the result may be nil.
//
// The common case is that no thing had the job before. So the first executions are read, and
// the latest is looked up only where one is found, or where the first may have been deleted
// (Gaps).
func latestEnded(tx *transaction, j *muster.Job, names []muster.ThingName) ([]*muster.Execution, error) {
	firsts := make([]store.ExecutionKey, len(names))
	for i, thing := range names {
		firsts[i] = first(j, thing)
	}
	latest, err := tx.Executions(firsts...)
	if err != nil {
		return nil, err
	}
	var had []store.AttemptsKey
	var places []int
	for i, thing := range names {
		if latest[i] != nil || j.Gaps {
			had, places = append(had, store.AttemptsKey{Thing: thing, Job: j.ID}), append(places, i)
		}
	}
	if len(had) == 0 {
		return latest, nil
	}
	found, err := tx.Latest(had...)
	if err != nil {
		return nil, err
	}
	var again []muster.ThingName // isOwed asks which thing had it
	for n, i := range places {
		if latest[i] = found[n]; found[n] != nil {
			again = append(again, names[i])
		}
	}
	lookup.ReadThings(tx.Tx, again)
	return latest, nil
}

// isOwed reports whether a thing, which is in the registry, is to be given j by the
// rollout; latest is the newest execution under its name, nil when there is none.
func isOwed(tx *transaction, j *muster.Job, thing muster.ThingName, latest *muster.Execution) (bool, error) {
	if latest == nil || j.Selection == muster.Continuous && latest.Status == muster.Removed {
		return true, nil
	}
	t, err := lookup.Thing(tx, thing)
	return t != nil && !t.Had(latest), err
}
