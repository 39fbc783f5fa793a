package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// retryExecution gives a thing another execution if the retry criteria of j ask for
// one after x, which has ended (jobs-lifecycle.md section 10). Outside the maintenance
// windows the retry is deferred until the next one opens.
func retryExecution(tx *transaction, x *muster.Execution, j *muster.Job) error {
	if len(j.Config.Retry) == 0 || j.Over {
		return nil
	}
	t, err := rollout.Compile(j.Config.Schedule)
	if err != nil {
		return err
	}
	next, again := rollout.Retry(tx.Now, rollout.Ending{
		Job: j.Status, Schedule: t.At(tx.Now), Criteria: j.Config.Retry,
		Status: x.Status, Used: x.Retries, QueuedAt: x.QueuedAt,
	})
	if !again {
		return nil
	}
	if left, err := hasLeft(tx, x.Thing, j); err != nil || left {
		return err
	}
	if next.QueuedAt == 0 { // outside the windows
		tables.deferred.Put(tx, store.JoinKey(string(j.ID), string(x.Thing)), deferral{Number: x.Number})
		return nil
	}
	return tx.queueNext(j, x.Thing, x, next.Retries, next.QueuedAt)
}

// hasLeft reports whether no target of a continuous job covers thing any more.
func hasLeft(tx *transaction, thing muster.ThingName, j *muster.Job) (bool, error) {
	if j.Selection == muster.Snapshot {
		return false, nil
	}
	targeted, err := lookup.TargetsOf(tx, thing)
	return err == nil && !covers(j, targeted), err
}
