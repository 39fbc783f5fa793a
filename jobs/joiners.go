package jobs

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file is about things that come under a target of a continuous job after its
// rollout began. They are given the job at once, as on AWS, or at the rate of the
// rollout if the job has the option PaceJoiners (arbitration A7).

// JobOptions are what the contract has no field for.
type JobOptions struct {
	PaceJoiners bool // late joiners go through the rollout's rate
}

// JobOptions returns the options of a job, or fails with NotFound.
func (s *Jobs) JobOptions(ctx context.Context, id muster.JobID) (JobOptions, error) {
	var o JobOptions
	err := s.commits.View(ctx, func(r store.Reader) error {
		j, err := tables.jobs.Get(r, string(id))
		if err == nil && j == nil {
			err = noJob(id)
		}
		if err == nil {
			o.PaceJoiners = j.PaceJoiners
		}
		return err
	})
	return o, err
}

// SetJobOptions replaces the options of a job. When PaceJoiners is cleared, the things
// that wait for the pace are given the job at once. It fails with NotFound, or with
// Invalid when PaceJoiners changes for a SNAPSHOT or for a job that has ended.
func (s *Jobs) SetJobOptions(ctx context.Context, id muster.JobID, o JobOptions) error {
	_, err := s.changeJob(ctx, id, nil, func(tx *transaction, j muster.Job) (muster.Job, error) {
		switch {
		case j.PaceJoiners == o.PaceJoiners:
			return j, nil
		case j.Selection != muster.Continuous:
			return j, muster.Errorf(muster.Invalid, "Job %s is a SNAPSHOT: nobody joins it", id)
		case !j.Status.Active():
			return j, muster.Errorf(muster.Invalid, "Job %s cannot be changed while its status is %s", id, j.Status)
		}
		j.PaceJoiners, j.UpdatedAt = o.PaceJoiners, tx.Now
		j.Wake = tx.Now
		return j, tx.putJob(j)
	})
	return err
}

// giveJoiner gives a thing that has come under a target of j its execution: at once, or
// when the pace allows it.
func giveJoiner(tx *transaction, j *muster.Job, t *muster.Thing) error {
	if !j.PaceJoiners {
		return enqueue(tx, j, t)
	}
	tables.joining.Put(tx, store.JoinKey(string(j.ID), string(t.Name)), store.Link{})
	if j.Due(tx.Now) {
		return nil
	}
	next := *j
	next.Wake = tx.Now
	return tx.putJob(next)
}

// admit gives some of the things that wait for the pace their executions, or strikes
// them off when the job gives nothing any more. It returns the job with its Wake set.
func admit(tx *transaction, j muster.Job, schedule rollout.State) (muster.Job, error) {
	plan := rollout.Decision{Queue: rollout.Unlimited}
	if j.PaceJoiners && j.Gives() {
		var err error
		if plan, err = pace(tx, j, schedule); err != nil {
			return j, err
		}
	}
	list := waitlist{tx, &j}
	waiting, err := list.nextJoining()
	if err != nil {
		return j, err
	}
	list.readFor(waiting)
	given, allowed := 0, min(stepMax, plan.Queue)
	for _, thing := range waiting {
		if given == allowed {
			break
		}
		tables.joining.Delete(tx, store.JoinKey(string(j.ID), string(thing)))
		got, err := list.admitOne(thing)
		if err != nil {
			return j, err
		}
		if got {
			given++
		}
	}
	j.Wake = tx.Now
	if plan.Queue == rollout.Unlimited {
		return j, nil
	}
	j.Rollout.Pace = plan.Pace.With(given)
	if given == plan.Queue {
		j.Wake = plan.Wake
	}
	return j, nil
}

// nextJoining returns things that wait for the pace of the job, by name.
func (w waitlist) nextJoining() ([]muster.ThingName, error) {
	var waiting []muster.ThingName
	from, to := store.Under(string(w.j.ID))
	for row, err := range tables.joining.Scan(w.tx, from, to) {
		if err != nil {
			return nil, err
		}
		if waiting = append(waiting, nameOf(row)); len(waiting) == stepMax {
			break
		}
	}
	return waiting, nil
}

// admitOne gives a thing an execution, and reports whether it did: not to one
// that has left meanwhile, or has the job already.
func (w waitlist) admitOne(thing muster.ThingName) (bool, error) {
	if !w.j.Gives() {
		return false, nil
	}
	if ok, err := lookup.HasThing(w.tx, thing); err != nil || !ok {
		return false, err
	}
	if left, err := hasLeft(w.tx, thing, w.j); err != nil || left {
		return false, err
	}
	latest, err := store.LatestOf(w.tx, thing, w.j.ID)
	if err != nil || (latest != nil && !latest.Status.Terminal()) {
		return false, err
	}
	return true, w.tx.queueNext(w.j, thing, latest, muster.Retries{}, w.tx.Now)
}
