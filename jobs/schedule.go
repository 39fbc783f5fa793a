package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file moves a job through its schedule: start time, maintenance windows,
// end time (jobs-lifecycle.md section 9).

// open returns a new job as its schedule lets it begin, with its Wake set.
func open(tx *transaction, j muster.Job) (muster.Job, error) {
	j, _, err := keepTime(tx, j)
	if err == nil && j.Status == muster.JobInProgress {
		j.Wake = tx.Now
	}
	return j, err
}

// keepTime brings a job in step with its schedule at this instant and returns
// the state of that. Wake is set to when the schedule changes next.
func keepTime(tx *transaction, j muster.Job) (muster.Job, rollout.State, error) {
	j.Wake = 0
	if !j.Status.Active() || j.Over {
		return j, rollout.State{}, nil
	}
	t, err := rollout.Compile(j.Config.Schedule)
	if err != nil {
		return j, rollout.State{}, err
	}
	state := t.At(tx.Now)
	switch {
	case state.Phase == rollout.Ended:
		return finish(tx, j), state, nil
	case state.Phase == rollout.Open && j.Status == muster.JobScheduled:
		j, err = j.Apply(muster.JobStarts, tx.Now)
		if j.Rollout.Started == 0 {
			j.Rollout.Started = tx.Now
		}
		j = reveals(j)
	case state.Phase == rollout.Closed && j.Status == muster.JobInProgress:
		j, err = j.Apply(muster.JobPauses, tx.Now)
		j = reveals(j)
	}
	j.Wake = state.Next
	return j, state, err
}

// reveals begins to tell the things of a job that its window opened or closed.
func reveals(j muster.Job) muster.Job {
	j.Revealing, j.Revealed = j.Windowed(), muster.Mark{}
	return j
}

// finish ends the giving of a job whose end time has come; the end behavior
// says what becomes of what is pending (jobs-lifecycle.md section 9.3).
func finish(tx *transaction, j muster.Job) muster.Job {
	j.Over, j.UpdatedAt = true, tx.Now
	j.Rollout = muster.Rollout{Done: true, Started: max(j.Rollout.Started, 1), Pace: j.Rollout.Pace}
	j.Settling = j.Config.Schedule.EndBehavior == muster.CancelAtEnd || j.Config.Schedule.EndBehavior == muster.ForceAtEnd
	tx.retire(j)
	return reveals(j)
}

// revealSome tells some of a job's queued things that a window opened or
// closed. It returns the job with its progress.
func revealSome(tx *transaction, j muster.Job) (muster.Job, error) {
	after := store.Cursor{QueuedAt: j.Revealed.QueuedAt, Thing: j.Revealed.Thing, Number: j.Revealed.Number}
	n := 0
	var keys []store.QueueKey
	for x, err := range tx.ExecutionsOfJob(j.ID, muster.Queued, after) {
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
		if err := tx.reveal(key, &j); err != nil {
			return j, err
		}
	}
	if n <= stepMax {
		j.Revealing, j.Revealed = false, muster.Mark{}
	}
	return j, nil
}
