package engine

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file is where the registry meets the jobs: what a change of membership
// means for executions (jobs-lifecycle.md section 4). The registry's operations
// call it in the transaction that changes the membership.

// enqueue gives thing an execution of j, unless one is pending already. A thing
// that had the job before gets the next number, its retries starting over
// (jobs-lifecycle.md J9). Outside the maintenance windows it waits for the next one.
func (b *batch) enqueue(j *muster.Job, t *muster.Thing) error {
	if j.Hides() {
		deferred.Put(b, store.JoinKey(string(j.ID), string(t.Name)), deferral{Join: true})
		return nil
	}
	latest, err := b.Latest(t.Name, j.ID)
	if err != nil || (latest != nil && !latest.Status.Terminal()) {
		return err
	}
	if b.e.o.SkipSucceeded && t.Had(latest) && latest.Status == muster.Succeeded {
		return nil
	}
	return b.follow(j, t.Name, latest, muster.Retries{}, b.Now)
}

// follow queues the execution of j that comes after latest, which may be nil.
func (b *batch) follow(j *muster.Job, thing muster.ThingName, latest *muster.Execution, used muster.Retries, queuedAt muster.Instant) error {
	number := int64(1)
	if latest != nil {
		number = latest.Number + 1
		queuedAt = rollout.QueuedAfter(latest.QueuedAt, queuedAt)
	}
	x := muster.NewExecution(j, thing, number, queuedAt)
	x.Retries = used
	return b.change(nil, &x)
}

// join gives thing the continuous jobs of the groups that it has come under:
// those it joined and all above. It was under the groups was before; a job that
// covered it by then is given only if its rollout had not come to the thing.
// Groups are given by their ids.
func (b *batch) join(thing muster.ThingName, lineage, was []string) error {
	var t *muster.Thing // read for the first job: most joins are not into the target of one
	return b.eachOf(standing, lineage, func(j *muster.Job) (err error) {
		if !j.Gives() {
			return nil
		}
		if later, err := b.later(j, lineage); err != nil || later {
			return err
		}
		if t == nil {
			if t, err = things.Get(b, string(thing)); err != nil || t == nil {
				return err
			}
		}
		if covers(j, append(slices.Clip(was), t.ID)) {
			if latest, err := b.Latest(thing, j.ID); err != nil || t.Had(latest) {
				return err
			}
		}
		return b.welcome(j, t)
	})
}

// later reports whether the rollout of j will come to whoever joined groups just
// now, as it waits until they know their first members: so that a rate counts
// for those too.
func (b *batch) later(j *muster.Job, joined []string) (bool, error) {
	x, err := b.fleet()
	if err != nil {
		return false, err
	}
	for i, t := range j.Targets {
		if slices.Contains(joined, t.ID) && !(x.builds(t) && j.Rollout.Ahead(i)) {
			return false, nil
		}
	}
	return true, nil
}

// leave withdraws the continuous jobs of groups that thing has left, unless
// another target still covers it. It runs after the membership is gone.
func (b *batch) leave(thing muster.ThingName, lineage []string) error {
	var targeted []string
	known := false
	return b.eachOf(standing, lineage, func(j *muster.Job) error {
		if !known {
			var err error
			if targeted, err = targetedBy(b, thing); err != nil {
				return err
			}
			known = true
		}
		if covers(j, targeted) {
			return nil
		}
		deferred.Delete(b, store.JoinKey(string(j.ID), string(thing)))
		joining.Delete(b, store.JoinKey(string(j.ID), string(thing)))
		latest, err := b.Latest(thing, j.ID)
		if err != nil || latest == nil || latest.Status.Terminal() {
			return err
		}
		if latest.Status == muster.InProgress && !b.e.o.RemovedInProgress {
			return nil
		}
		return b.remove(latest, j)
	})
}

// withdraw ends everything pending for a thing that is being deleted.
func (b *batch) withdraw(thing muster.ThingName) error {
	var pending []muster.Execution
	for x, err := range b.ExecutionsOfThing(thing) {
		if err != nil {
			return err
		}
		if !x.Status.Terminal() {
			pending = append(pending, x)
		}
	}
	for i := range pending {
		j, err := b.job(pending[i].Job)
		if err != nil {
			return err
		}
		if err := b.remove(&pending[i], j); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) remove(x *muster.Execution, j *muster.Job) error {
	after, err := x.Apply(muster.Update{By: muster.Registry, To: muster.Removed}, b.Now)
	if err != nil {
		return err
	}
	return b.end(x, &after, j)
}

// eachOf calls fn for every job of an index by target, standing or rolling,
// that targets one of the groups with these ids, each job once.
func (b *batch) eachOf(index store.Of[link], groups []string, fn func(*muster.Job) error) error {
	var ids []muster.JobID
	for _, g := range groups {
		from, to := store.Under(g)
		for row, err := range index.Scan(b, from, to) {
			if err != nil {
				return err
			}
			if id := muster.JobID(store.SplitKey(row.Key)[1]); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		j, err := b.job(id)
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
