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
// section 4): registry.Jobs. The registry calls it in the transaction that changes
// the membership.

// Leaving implements registry.Jobs.
func (s *Jobs) Leaving(tx *commit.Tx, thing muster.ThingName, joined muster.Instant, lineage []string) error {
	return captureLeaver(s.in(tx), thing, joined, lineage)
}

// Moved implements registry.Jobs.
func (s *Jobs) Moved(tx *commit.Tx, m registry.Move) error {
	if err := leaveGroups(s.in(tx), m.Thing, m.Left); err != nil {
		return err
	}
	return joinGroups(s.in(tx), m.Thing, m.Joined, m.Was)
}

// ThingDeleted implements registry.Jobs.
func (s *Jobs) ThingDeleted(tx *commit.Tx, thing muster.ThingName) error {
	return removeAllOf(s.in(tx), thing)
}

// GroupKnown implements registry.Jobs: the jobs go on that wait for the group.
func (s *Jobs) GroupKnown(tx *commit.Tx, id string) error { return wakeHeld(s.in(tx), id) }

// GivenToMembers implements registry.Jobs.
func (s *Jobs) GivenToMembers(tx *commit.Tx, id string, fn func(muster.JobID) error) error {
	return eachJobOf(s.in(tx), tables.standing, []string{id}, func(j *muster.Job) error { return fn(j.ID) })
}

// enqueue gives thing an execution of j, unless one is pending already. A thing
// that had the job before gets the next number, its retries starting over
// (jobs-lifecycle.md J9). Outside the maintenance windows it waits for the next one.
func enqueue(tx *transaction, j *muster.Job, t *muster.Thing) error {
	if j.Hides() {
		tables.deferred.Put(tx, store.JoinKey(string(j.ID), string(t.Name)), deferral{Join: true})
		return nil
	}
	latest, err := tx.Latest(t.Name, j.ID)
	if err != nil || (latest != nil && !latest.Status.Terminal()) {
		return err
	}
	if tx.s.skipSucceeded && t.Had(latest) && latest.Status == muster.Succeeded {
		return nil
	}
	return tx.queueNext(j, t.Name, latest, muster.Retries{}, tx.Now)
}

// queueNext queues the execution of j that comes after latest, which may be nil.
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

// joinGroups gives thing the continuous jobs of the groups that it has come under:
// those it joined and all above. It was under the groups was before; a job that
// covered it by then is given only if its rollout had not come to the thing.
// Groups are given by their ids.
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
			if latest, err := tx.Latest(thing, j.ID); err != nil || t.Had(latest) {
				return err
			}
		}
		return giveJoiner(tx, j, t)
	})
}

// willReach reports whether j's rollout will still reach the things that just joined
// groups, as it waits until these know their first members: so that a rate counts
// for those too.
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

// leaveGroups withdraws the continuous jobs of groups that thing has left, unless
// another target still covers it. It runs after the membership is gone.
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
		latest, err := tx.Latest(thing, j.ID)
		if err != nil || latest == nil || latest.Status.Terminal() {
			return err
		}
		if latest.Status == muster.InProgress && !tx.s.removedInProgress {
			return nil
		}
		return removeExecution(tx, latest, j)
	})
}

// removeAllOf ends everything pending for a thing that is being deleted.
func removeAllOf(tx *transaction, thing muster.ThingName) error {
	var pending []muster.Execution
	for x, err := range tx.ExecutionsOfThing(thing) {
		if err != nil {
			return err
		}
		if !x.Status.Terminal() {
			pending = append(pending, x)
		}
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

func removeExecution(tx *transaction, x *muster.Execution, j *muster.Job) error {
	after, err := x.Apply(muster.Update{By: muster.Registry, To: muster.Removed}, tx.Now)
	if err != nil {
		return err
	}
	return tx.endExecution(x, &after, j)
}

// eachJobOf calls fn for every job of an index by target, standing or rolling,
// that targets one of the groups with these ids, each job once.
func eachJobOf(tx *transaction, index store.Of[store.Link], groups []string, fn func(*muster.Job) error) error {
	var ids []muster.JobID
	for _, g := range groups {
		from, to := store.Under(g)
		for row, err := range index.Scan(tx, from, to) {
			if err != nil {
				return err
			}
			if id := muster.JobID(store.SplitKey(row.Key)[1]); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
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

// wakeHeld lets the jobs go on that wait for the dynamic group with that id.
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
