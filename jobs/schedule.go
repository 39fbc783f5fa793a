package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file moves a job through its schedule: start time, maintenance windows, end
// time (jobs-lifecycle.md section 9). The transitions are rollout.OnSchedule.

// openJob returns a new job in step with its schedule, with its Wake set: at once if
// it is IN_PROGRESS.
func openJob(tx *transaction, j muster.Job) (muster.Job, error) {
	j, _, err := followSchedule(tx, j)
	if err == nil && j.Status == muster.JobInProgress {
		j.Wake = tx.Now
	}
	return j, err
}

// followSchedule brings a job in step with its schedule (rollout.OnSchedule), and takes
// one whose end time has come out of the way of things that join groups.
func followSchedule(tx *transaction, old muster.Job) (muster.Job, rollout.State, error) {
	j, state, err := rollout.OnSchedule(old, tx.Now)
	if err == nil && j.Over && !old.Over {
		retire(tx, j)
	}
	return j, state, err
}

// revealedUpTo returns the place of the last execution that was shown or hidden.
func revealedUpTo(j *muster.Job) store.Cursor {
	return store.Cursor{QueuedAt: j.Revealed.QueuedAt, Thing: j.Revealed.Thing, Number: j.Revealed.Number}
}

// revealSome shows or hides some of a job's queued executions after a window opened or
// closed, so that devices are notified. It returns the job with its progress. Queues
// that a device asks for meanwhile are right already (settledQueue).
func revealSome(tx *transaction, j muster.Job) (muster.Job, error) {
	n := 0
	var keys []store.QueueKey
	for x, err := range tx.ExecutionsOfJob(j.ID, muster.Queued, revealedUpTo(&j)) {
		if err != nil {
			return j, err
		}
		if n++; n > stepMax {
			break
		}
		keys = append(keys, store.QueueKey{Thing: x.Thing, Namespace: x.Namespace})
		j.Revealed = muster.Mark{QueuedAt: x.QueuedAt, Thing: x.Thing, Number: x.Number}
	}
	if err := tx.Load(keys); err != nil {
		return j, err
	}
	for _, key := range keys {
		if err := tx.revealEntry(key, &j); err != nil {
			return j, err
		}
	}
	if n <= stepMax {
		j = j.Note(muster.JobIsRevealed)
	}
	return j, nil
}
