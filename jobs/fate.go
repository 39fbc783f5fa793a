package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// Cancelling, deleting or ending a job decides about all its executions at once, and
// there may be a million of them. So the command changes only the job, and the
// executions follow in the background (settleSome). Until then their stored status is
// out of date. Whoever reads or changes one must first ask for its fate: readers leave
// out what has ended, and commands end it before they do anything else. That way no
// client can tell that the background is late.

// fate is what the state of a job means for one of its executions.
type fate uint8

const (
	stays  fate = iota // it remains as stored
	ends               // it is to be CANCELED
	forced             // it is to be CANCELED by force, also from IN_PROGRESS
	goes               // it is to be deleted
)

// fateOf returns the fate of an execution with the stored status s; j is its job, nil
// when that is gone (jobs-lifecycle.md J12, jobs-data-plane.md J14).
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

// deviceQueue returns a queue as a device may see it: without executions that their
// job has ended, and with those hidden that are outside their maintenance windows. It
// fails with NotFound when the thing is not in the registry (jobs-data-plane.md J11).
func deviceQueue(r jobReader, thing muster.ThingName, ns muster.Namespace) (muster.Queue, error) {
	found, err := r.Queues(store.QueueKey{Thing: thing, Namespace: ns})
	if err != nil {
		return muster.Queue{}, err
	}
	q := found[0]
	if err := requireOwner(r, q); err != nil {
		return muster.Queue{}, err
	}
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

// deviceQueue is the same for a command, which stores what it finds out: it ends the
// executions that their job has ended.
func (tx *transaction) deviceQueue(thing muster.ThingName, ns muster.Namespace) (muster.Queue, error) {
	key := store.QueueKey{Thing: thing, Namespace: ns}
	q, err := tx.Queue(key)
	if err != nil {
		return q, err
	}
	if err := requireOwner(tx, q); err != nil {
		return q, err
	}
	return tx.settledQueue(key)
}

// requireOwner fails with NotFound when the thing of a queue is not in the registry. That
// is looked up only if nothing is in the queue: what a thing has pending ends with it
// (ExecutionsBelong).
func requireOwner(r store.Reader, q muster.Queue) error {
	if len(q.Entries) > 0 {
		return nil
	}
	return lookup.RequireThing(r, q.Thing)
}

// settledQueue brings a queue and its executions up to date with their jobs and
// returns it: executions that their job has ended are ended, and entries are shown or
// hidden as the maintenance windows say.
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

// revealEntry shows or hides the entry of j in a queue, as the windows of j say.
func (tx *transaction) revealEntry(key store.QueueKey, j *muster.Job) error {
	old, err := tx.Queue(key)
	if err != nil {
		return err
	}
	entry, ok := old.Find(j.ID)
	if !ok || entry.Status != muster.Queued || entry.Hidden == j.Hides() {
		return nil
	}
	if err := tx.Wide(); err != nil { // revealSome must see it
		return err
	}
	tx.replaceQueue(old, old.Hide(j.ID, j.Hides()))
	return nil
}

// settleExecution brings an execution up to date with its job j.
func (tx *transaction) settleExecution(x *muster.Execution, j *muster.Job) error {
	after, err := fated(x, j, tx.Now)
	if err != nil || after == x {
		return err
	}
	return tx.endExecution(x, after, j)
}

// fated returns the execution x as its job j leaves it: x itself, a cancelled one, or
// nil when it is deleted.
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

// endExecution changes an execution and, if the change ends or deletes it, applies the
// consequences for its job j in the order of jobs-lifecycle.md J22: abort, or else
// retry; then completion. A success also installs the packages of the job on the
// thing. j is nil when the job is gone.
func (tx *transaction) endExecution(before, after *muster.Execution, j *muster.Job) error {
	ends := j != nil && (after == nil || after.Status.Terminal())
	if ends {
		if err := tx.foresee(before, after, j); err != nil {
			return err
		}
	}
	if err := tx.changeExecution(before, after); err != nil || !ends {
		return err
	}
	if mayBeDecided(j) {
		tx.lookAgain(j.ID)
	}
	if after != nil && after.Status == muster.Succeeded {
		if err := tx.s.catalog.Install(tx.Tx, after.Thing, j.Packages); err != nil {
			return err
		}
	}
	// A deleted execution counts for no abort criterion and is not retried.
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
	if !mayAbort(j) {
		return false, nil
	}
	tx.lookAgain(j.ID)
	if tx.Wide() != nil {
		return false, nil // foresee has decided it
	}
	counts, err := store.CountsOf(tx, j.ID)
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

// completeJob makes a job COMPLETED when its last execution has ended
// (jobs-lifecycle.md section 12). A continuous job is completed only after its end
// time.
func (tx *transaction) completeJob(j muster.Job) error {
	if !mayComplete(&j) {
		return nil
	}
	tx.lookAgain(j.ID)
	if tx.Wide() != nil {
		return nil // foresee has decided it
	}
	counts, err := store.CountsOf(tx, j.ID)
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
		done.Wake = tx.Now // to strike them off
	}
	return tx.putJob(done)
}

// deviceExecution returns an execution that a device asked for: the latest of job on
// thing, or that with the number.
func deviceExecution(r store.Reader, thing muster.ThingName, ns muster.Namespace, job muster.JobID, number *int64) (*muster.Execution, error) {
	if number == nil { // the latest is the pending one if there is one, and the queue says which that is
		found, err := r.Queues(store.QueueKey{Thing: thing, Namespace: ns})
		if err != nil {
			return nil, err
		}
		if entry, pending := found[0].Find(job); pending {
			number = &entry.Number
		}
	}
	x, err := ownExecution(r, thing, job, number)
	if err == nil && x.Namespace != ns {
		return nil, noExecution(thing, job)
	}
	return x, err
}

// ownExecution is findExecution without executions of an earlier thing of that name
// (arbitration A26). Those of a thing that was deleted are found as long as no new
// thing has the name.
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
		x, err = store.LatestOf(r, thing, job)
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
