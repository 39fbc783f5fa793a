package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// deferral is what a thing is waiting for. Of a continuous job, until the next
// maintenance window opens: a retry, or its first execution after it joined. Of
// a snapshot, until the rollout has come to all others: its first execution.
type deferral struct {
	Join    bool   // it came under a target; else it is a retry
	Number  int64  // of a retry: the execution that it follows
	ThingID string `json:",omitempty"` // of a snapshot: which thing of the name it was for
}

// retry gives a thing another execution when the one that ended asks for it
// (jobs-lifecycle.md section 10).
func retry(tx *transaction, x *muster.Execution, j *muster.Job) error {
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
	if next.QueuedAt == 0 {
		tables.deferred.Put(tx, store.JoinKey(string(j.ID), string(x.Thing)), deferral{Number: x.Number})
		return nil
	}
	return tx.follow(j, x.Thing, x, next.Retries, next.QueuedAt)
}

// hasLeft reports whether no target of a continuous job covers thing any more.
func hasLeft(tx *transaction, thing muster.ThingName, j *muster.Job) (bool, error) {
	if j.Selection == muster.Snapshot {
		return false, nil
	}
	targeted, err := lookup.TargetsOf(tx, thing)
	return err == nil && !covers(j, targeted), err
}

// anyDeferred reports whether things wait for a window of j, or for what j will
// never do.
func anyDeferred(tx *transaction, j *muster.Job) (bool, error) {
	if !j.Windowed() && (j.Selection != muster.Snapshot || rolls(j)) {
		return false, nil
	}
	return tables.deferred.AnyUnder(tx, string(j.ID))
}

// resume gives some of the things that waited for a window what they waited
// for, or nothing when the job gives nothing any more.
func resume(tx *transaction, j *muster.Job) error {
	var waiting []store.Row[deferral]
	from, to := store.Under(string(j.ID))
	for row, err := range tables.deferred.Scan(tx, from, to) {
		if err != nil {
			return err
		}
		if waiting = append(waiting, row); len(waiting) == stepMax {
			break
		}
	}
	for _, row := range waiting {
		tables.deferred.Delete(tx, row.Key)
		if !j.Gives() {
			continue
		}
		if err := resumeOne(tx, j, muster.ThingName(store.SplitKey(row.Key)[1]), row.Value); err != nil {
			return err
		}
	}
	return nil
}

func resumeOne(tx *transaction, j *muster.Job, thing muster.ThingName, d deferral) error {
	t, err := lookup.Thing(tx, thing)
	if err != nil || t == nil {
		return err
	}
	if left, err := hasLeft(tx, thing, j); err != nil || left {
		return err
	}
	if d.Join {
		return enqueue(tx, j, t)
	}
	latest, err := tx.Latest(thing, j.ID)
	if err != nil || latest == nil || latest.Number != d.Number {
		return err
	}
	return retry(tx, latest, j) // as the job is by now: an operator may have ended retries
}
