package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// fate is what a job's own state means for one of its executions.
type fate uint8

const (
	stays  fate = iota // it lives on
	ends               // it is CANCELED, though the background has not come to it yet
	forced             // the same, by force
	goes               // it is deleted
)

// fateOf says what becomes of an execution in status s of job j. The job
// decides from the moment it is cancelled, deleted or over; its executions
// follow in the background, and nobody can tell the difference
// (jobs-lifecycle.md J12, jobs-data-plane.md J14).
func fateOf(j *muster.Job, s muster.Status) fate {
	switch {
	case j == nil || j.Status == muster.JobDeleting:
		return goes
	case s.Terminal():
		return stays
	case j.Status == muster.JobCanceled && j.ForceCanceled,
		j.Over && j.Config.Schedule.EndBehavior == muster.ForceAtEnd:
		return forced
	case s == muster.Queued && (j.Status == muster.JobCanceled || j.Over && j.Config.Schedule.EndBehavior == muster.CancelAtEnd):
		return ends
	}
	return stays
}

// deviceQueue returns what a device may see of its queue: without what is about
// to be cancelled or deleted, or is outside its maintenance windows. It fails with NotFound when the thing is
// not in the registry (jobs-data-plane.md J11).
func deviceQueue(r jobReader, thing muster.ThingName, ns muster.Namespace) (muster.Queue, error) {
	if err := lookup.RequireThing(r, thing); err != nil {
		return muster.Queue{}, err
	}
	found, err := r.Queues(store.QueueKey{Thing: thing, Namespace: ns})
	if err != nil {
		return muster.Queue{}, err
	}
	q := found[0]
	for _, entry := range found[0].Entries {
		j, err := r.job(entry.Job)
		if err != nil {
			return muster.Queue{}, err
		}
		if fateOf(j, entry.Status) != stays {
			q = q.Without(entry.Job, entry.Number)
		} else {
			q = q.Hide(entry.Job, j.Hides())
		}
	}
	return q, nil
}

// deviceQueue is the same for a command, which ends at once what is about to
// end.
func (tx *transaction) deviceQueue(thing muster.ThingName, ns muster.Namespace) (muster.Queue, error) {
	if err := lookup.RequireThing(tx, thing); err != nil {
		return muster.Queue{}, err
	}
	return tx.settledQueue(store.QueueKey{Thing: thing, Namespace: ns})
}

// settledQueue returns a queue after it has met the fate of its jobs, and shows what
// their maintenance windows let it.
func (tx *transaction) settledQueue(key store.QueueKey) (muster.Queue, error) {
	q, err := tx.Queue(key)
	if err != nil {
		return q, err
	}
	for _, entry := range q.Entries {
		j, err := tx.job(entry.Job)
		if err != nil {
			return q, err
		}
		if fateOf(j, entry.Status) == stays {
			if err := tx.revealEntry(key, j); err != nil {
				return q, err
			}
			continue
		}
		found, err := tx.Executions(store.ExecutionKey{Thing: key.Thing, Job: entry.Job, Number: entry.Number})
		if err != nil {
			return q, err
		}
		if err := tx.settleExecution(found[0], j); err != nil {
			return q, err
		}
	}
	return tx.Queue(key)
}

// revealEntry shows or hides the entry of j in a queue, as its windows say.
func (tx *transaction) revealEntry(key store.QueueKey, j *muster.Job) error {
	old, err := tx.Queue(key)
	if err != nil {
		return err
	}
	entry, ok := old.Find(j.ID)
	if ok && entry.Status == muster.Queued && entry.Hidden != j.Hides() {
		tx.replaceQueue(old, old.Hide(j.ID, j.Hides()))
	}
	return nil
}

// settleExecution lets an execution meet the fate of its job.
func (tx *transaction) settleExecution(x *muster.Execution, j *muster.Job) error {
	after, err := fated(x, j, tx.Now)
	if err != nil || after == x {
		return err
	}
	return tx.endExecution(x, after, j)
}

// fated returns an execution as the fate of its job leaves it: x itself, a
// cancelled one, or nil.
func fated(x *muster.Execution, j *muster.Job, now muster.Instant) (*muster.Execution, error) {
	fate := fateOf(j, x.Status)
	switch fate {
	case stays:
		return x, nil
	case goes:
		return nil, nil
	}
	after, err := x.Apply(muster.Update{By: cancelActor(fate == forced), To: muster.Canceled}, now)
	return &after, err
}

// endExecution changes an execution and, when that ended it, lets the job draw its
// conclusions in the order of jobs-lifecycle.md J22: abort, or else retry; then
// completion.
func (tx *transaction) endExecution(before, after *muster.Execution, j *muster.Job) error {
	if err := tx.changeExecution(before, after); err != nil {
		return err
	}
	if j == nil || (after != nil && !after.Status.Terminal()) {
		return nil
	}
	if after != nil && after.Status == muster.Succeeded {
		if err := tx.s.catalog.Install(tx.Tx, after.Thing, j.Packages); err != nil {
			return err
		}
	}
	if after != nil {
		if aborted, err := tx.abortJob(j); err != nil || aborted {
			return err
		}
		if err := retryExecution(tx, after, j); err != nil {
			return err
		}
	}
	return tx.completeJob(*j)
}

// abortJob cancels a job when one of its criteria is met, and reports whether it
// did (jobs-lifecycle.md section 11).
func (tx *transaction) abortJob(j *muster.Job) (bool, error) {
	if len(j.Config.Abort) == 0 || !j.Status.Active() {
		return false, nil
	}
	counts, err := tx.Counts(j.ID)
	if err != nil {
		return false, err
	}
	comment, met := rollout.Abort(j.Config.Abort, counts)
	if !met {
		return false, nil
	}
	canceled, err := j.Apply(muster.JobIsCanceled, tx.Now)
	if err != nil {
		return false, err
	}
	canceled.Comment, canceled.ReasonCode, canceled.Wake = comment, rollout.AbortReasonCode, tx.Now
	retire(tx, canceled)
	return true, tx.putJob(canceled)
}

// completeJob completes a job whose last execution ended.
func (tx *transaction) completeJob(j muster.Job) error {
	if j.Selection != muster.Snapshot && !j.Over {
		return nil
	}
	if !j.Status.Active() || !j.Rollout.Done {
		return nil
	}
	counts, err := tx.Counts(j.ID)
	if err != nil || !j.Ended(counts) {
		return err
	}
	done, err := j.Apply(muster.JobFinishes, tx.Now)
	if err != nil {
		return err
	}
	if waiting, err := (waitlist{tx, &done}).any(); err != nil {
		return err
	} else if waiting {
		done.Wake = tx.Now // to forget who waits
	}
	return tx.putJob(done)
}

// deviceExecution returns an execution of job on thing: the latest, or the one numbered.
func deviceExecution(r store.Reader, thing muster.ThingName, ns muster.Namespace, job muster.JobID, number *int64) (*muster.Execution, error) {
	x, err := ownExecution(r, thing, job, number)
	if err == nil && x.Namespace != ns {
		return nil, noExecution(thing, job)
	}
	return x, err
}

// ownExecution is findExecution without what an earlier thing of the name had
// (arbitration A26). History of a thing that is gone is found.
func ownExecution(r store.Reader, thing muster.ThingName, job muster.JobID, number *int64) (*muster.Execution, error) {
	x, err := findExecution(r, thing, job, number)
	if err != nil || !x.Status.Terminal() {
		return x, err
	}
	t, err := lookup.Thing(r, thing)
	if err == nil && t != nil && !t.Had(x) {
		err = noExecution(thing, job)
	}
	return x, err
}

func findExecution(r store.Reader, thing muster.ThingName, job muster.JobID, number *int64) (*muster.Execution, error) {
	var x *muster.Execution
	var err error
	if number == nil {
		x, err = r.Latest(thing, job)
	} else {
		var found []*muster.Execution
		if found, err = r.Executions(store.ExecutionKey{Thing: thing, Job: job, Number: *number}); err == nil {
			x = found[0]
		}
	}
	if err == nil && x == nil {
		err = noExecution(thing, job)
	}
	return x, err
}

func cancelActor(force bool) muster.Actor {
	if force {
		return muster.Forced
	}
	return muster.Operator
}

func noExecution(thing muster.ThingName, job muster.JobID) error {
	return muster.Errorf(muster.NotFound, "Job execution for job %s on thing %s does not exist", job, thing)
}
