package jobs

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file is what a change of membership means for executions (jobs-lifecycle.md
// section 4): things that join a target of a continuous job are given it, and things
// that leave its last target lose it. The registry calls these methods (registry.Jobs)
// in the transaction that changes the membership.
//
// A rollout reads the groups while things join and leave them, so the two must not both
// give a thing the job, nor both leave it out. A thing that comes under a target of a
// continuous job is given the job here, and the rollout skips things that have it
// (giveFirst). Only members of a dynamic group that the rollout still waits for are left
// to it (willReach). A thing that only moves between groups under a target is given the
// job here if it has not had it, since the rollout may have been about to reach the
// group that it left. For snapshots see next.go.

// members is the registry.Jobs of s.
type members struct{ s *Jobs }

// Leaving implements registry.Jobs.
func (m members) Leaving(tx *commit.Tx, thing muster.ThingName, joined muster.Instant, lineage []string) error {
	return captureLeaver(m.s.in(tx), thing, joined, lineage)
}

// Moved implements registry.Jobs.
func (m members) Moved(tx *commit.Tx, of registry.Move) error {
	if err := leaveGroups(m.s.in(tx), of.Thing, of.Left); err != nil {
		return err
	}
	return joinGroups(m.s.in(tx), of.Thing, of.Joined, of.Was)
}

// WantMove implements registry.Jobs.
func (m members) WantMove(w *commit.Wants, thing muster.ThingName, left, joined []string) {
	for _, id := range left {
		w.Under(tables.rolling.Table, id)
		w.Under(tables.standing.Table, id)
	}
	for _, id := range joined {
		w.Under(tables.standing.Table, id)
	}
	w.Then(func(r store.Reader, w *commit.Wants) error {
		captured, err := jobsOf(r, tables.rolling, left)
		if err != nil {
			return err
		}
		lost, err := jobsOf(r, tables.standing, left)
		if err != nil {
			return err
		}
		given, err := jobsOf(r, tables.standing, joined)
		if err != nil {
			return err
		}
		m.wantLatest(w, thing, captured)
		m.wantLatest(w, thing, lost)
		m.wantLatest(w, thing, given)
		for _, id := range lost {
			wants{w, m.s}.end(store.QueueKey{Thing: thing}, id)
		}
		for _, id := range given {
			w.Record(tables.documents.Table, string(id)) // which the thing is told of
		}
		return nil
	})
}

// wantLatest names the latest executions of jobs on a thing, and its queues. Most jobs have no
// namespace: which do is known once they are read.
func (m members) wantLatest(w *commit.Wants, thing muster.ThingName, ids []muster.JobID) {
	for _, id := range ids {
		wants{w, m.s}.execution(store.QueueKey{Thing: thing}, id, nil)
	}
	w.Then(func(r store.Reader, w *commit.Wants) error {
		for _, id := range ids {
			j, err := m.s.decoded.get(r, string(id))
			if err != nil {
				return err
			}
			if j != nil && j.Namespace != "" {
				w.Queue(store.QueueKey{Thing: thing, Namespace: j.Namespace})
			}
		}
		return nil
	})
}

// ThingDeleted implements registry.Jobs.
func (m members) ThingDeleted(tx *commit.Tx, thing muster.ThingName) error {
	return removeAllOf(m.s.in(tx), thing)
}

// WantDeletion implements registry.Jobs.
func (m members) WantDeletion(w *commit.Wants, thing muster.ThingName) {
	w.OfThing(thing)
	w.Then(func(r store.Reader, w *commit.Wants) error {
		pending, err := pendingOf(r, thing)
		for _, x := range pending {
			queue := store.QueueKey{Thing: thing, Namespace: x.Namespace}
			wants{w, m.s}.execution(queue, x.Job, &x.Number)
			w.Counts(x.Job)
		}
		w.OfThing(thing) // again: what a sequence yields is not kept
		return err
	})
}

// GroupKnown implements registry.Jobs: rollouts that wait for the group go on.
func (m members) GroupKnown(tx *commit.Tx, id string) error { return wakeHeld(m.s.in(tx), id) }

// GivenToMembers implements registry.Jobs.
func (m members) GivenToMembers(tx *commit.Tx, id string, fn func(muster.JobID) error) error {
	return eachJobOf(m.s.in(tx), tables.standing, []string{id}, func(j *muster.Job) error { return fn(j.ID) })
}

// enqueue gives a thing an execution of j, unless one is pending already. A thing that
// had the job before is given the next number, and its retries start over
// (jobs-lifecycle.md J9). Outside the maintenance windows the thing is deferred until
// the next one opens.
func enqueue(tx *transaction, j *muster.Job, t *muster.Thing) error {
	if j.Hides() {
		tables.deferred.Put(tx, store.JoinKey(string(j.ID), string(t.Name)), deferral{Join: true})
		return nil
	}
	latest, err := store.LatestOf(tx, t.Name, j.ID)
	if err != nil || (latest != nil && !latest.Status.Terminal()) {
		return err
	}
	if tx.s.skipSucceeded && t.Had(latest) && latest.Status == muster.Succeeded {
		return nil
	}
	return tx.queueNext(j, t.Name, latest, muster.Retries{}, tx.Now)
}

// queueNext queues the execution of j that follows latest, or the first one when that
// is nil.
func (tx *transaction) queueNext(j *muster.Job, thing muster.ThingName, latest *muster.Execution, used muster.Retries, queuedAt muster.Instant) error {
	number := int64(1)
	if latest != nil {
		number = latest.Number + 1
		queuedAt = rollout.QueuedAfter(latest.QueuedAt, queuedAt)
	}
	x := muster.NewExecution(j, thing, number, queuedAt)
	x.Retries = used
	return tx.changeExecution(nil, &x)
}

// joinGroups gives a thing the continuous jobs of the groups that it has come under;
// lineage are the ids of the groups that it joined and of all above them, was those it
// was under before. A job that covered the thing before is given only if the thing has
// not had it.
func joinGroups(tx *transaction, thing muster.ThingName, lineage, was []string) error {
	var t *muster.Thing // read for the first job: most joins are not into the target of one
	return eachJobOf(tx, tables.standing, lineage, func(j *muster.Job) (err error) {
		if !j.Gives() {
			return nil
		}
		if later, err := willReach(tx, j, lineage); err != nil || later {
			return err
		}
		if t == nil {
			if t, err = lookup.Thing(tx, thing); err != nil || t == nil {
				return err
			}
		}
		if covers(j, append(slices.Clip(was), t.ID)) {
			if latest, err := store.LatestOf(tx, thing, j.ID); err != nil || t.Had(latest) {
				return err
			}
		}
		return giveJoiner(tx, j, t)
	})
}

// willReach reports whether j's rollout will still reach the things that just joined
// groups with these ids. It does when the targets among them are ahead of it and are
// dynamic groups that do not know their members yet: the rollout waits for these, and
// giving their members the job here would ignore its rate.
func willReach(tx *transaction, j *muster.Job, joined []string) (bool, error) {
	for i, t := range j.Targets {
		if !slices.Contains(joined, t.ID) {
			continue
		}
		if !j.Rollout.Ahead(i) {
			return false, nil
		}
		if building, err := tx.s.registry.Building(tx.Tx, j.Targets[i:i+1]); err != nil || !building {
			return false, err
		}
	}
	return true, nil
}

// leaveGroups takes the continuous jobs of the groups that a thing has left away from
// it, unless another target still covers the thing. The membership is gone already.
func leaveGroups(tx *transaction, thing muster.ThingName, lineage []string) error {
	var targeted []string
	known := false
	return eachJobOf(tx, tables.standing, lineage, func(j *muster.Job) error {
		if !known {
			var err error
			if targeted, err = lookup.TargetsOf(tx, thing); err != nil {
				return err
			}
			known = true
		}
		if covers(j, targeted) {
			return nil
		}
		tables.deferred.Delete(tx, store.JoinKey(string(j.ID), string(thing)))
		tables.joining.Delete(tx, store.JoinKey(string(j.ID), string(thing)))
		latest, err := store.LatestOf(tx, thing, j.ID)
		if err != nil || latest == nil || latest.Status.Terminal() {
			return err
		}
		if latest.Status == muster.InProgress && !tx.s.removedInProgress {
			return tx.Touch(store.QueueKey{Thing: thing, Namespace: latest.Namespace}) // its end asks whether the thing has left
		}
		return removeExecution(tx, latest, j)
	})
}

// removeAllOf ends all pending executions of a thing that is being deleted.
func removeAllOf(tx *transaction, thing muster.ThingName) error {
	pending, err := pendingOf(tx, thing)
	if err != nil {
		return err
	}
	for i := range pending {
		j, err := tx.job(pending[i].Job)
		if err != nil {
			return err
		}
		if err := removeExecution(tx, &pending[i], j); err != nil {
			return err
		}
	}
	return nil
}

// pendingOf returns the pending executions of a thing.
func pendingOf(r store.Reader, thing muster.ThingName) (pending []muster.Execution, err error) {
	for x, err := range r.ExecutionsOfThing(thing) {
		if err != nil {
			return nil, err
		}
		if !x.Status.Terminal() {
			pending = append(pending, x)
		}
	}
	return pending, nil
}

// removeExecution makes an execution REMOVED.
func removeExecution(tx *transaction, x *muster.Execution, j *muster.Job) error {
	after, err := x.Apply(muster.Update{By: muster.Registry, To: muster.Removed}, tx.Now)
	if err != nil {
		return err
	}
	return tx.endExecution(x, &after, j)
}

// eachJobOf calls fn once for every job that index (standing or rolling) has under one
// of these group ids. The jobs are collected first, since fn may change the index.
func eachJobOf(tx *transaction, index store.Of[store.Link], groups []string, fn func(*muster.Job) error) error {
	ids, err := jobsOf(tx, index, groups)
	if err != nil {
		return err
	}
	for _, id := range ids {
		j, err := tx.job(id)
		if err != nil {
			return err
		}
		if j != nil {
			if err := fn(j); err != nil {
				return err
			}
		}
	}
	return nil
}

// jobsOf returns the jobs that index has under these group ids, each once.
func jobsOf(r store.Reader, index store.Of[store.Link], groups []string) ([]muster.JobID, error) {
	var ids []muster.JobID
	for _, g := range groups {
		from, to := store.Under(g)
		for row, err := range index.Scan(r, from, to) {
			if err != nil {
				return nil, err
			}
			if id := muster.JobID(store.SplitKey(row.Key)[1]); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// wakeHeld makes the jobs due whose rollout waits for the dynamic group with that id.
func wakeHeld(tx *transaction, group string) error {
	var ids []muster.JobID
	from, to := store.Under(group)
	for row, err := range tables.byTarget.Scan(tx, from, to) {
		if err != nil {
			return err
		}
		ids = append(ids, muster.JobID(store.SplitKey(row.Key)[1]))
	}
	for _, id := range ids {
		j, err := tx.job(id)
		if err != nil {
			return err
		}
		if j == nil || !j.Rollout.Held || !j.Status.Active() {
			continue
		}
		awake := *j
		awake.Wake = tx.Now
		if err := tx.putJob(awake); err != nil {
			return err
		}
	}
	return nil
}
