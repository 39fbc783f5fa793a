package jobs

import (
	"cmp"
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// TargetIDs is the step of a migration from format 1 to 2 that gives jobs the ids of their targets and files them by these.
func TargetIDs(s store.Records, after string, limit int, note func(string)) (string, bool, error) {
	return store.EachAfter(s, tables.jobs, after, limit, func(row store.Row[muster.Job]) error {
		j := row.Value
		for i, t := range j.Targets {
			id, certain, err := idAtTheTime(s, j, t)
			if err != nil {
				return err
			}
			if !certain {
				note(fmt.Sprintf("job %s has the target %s, which was created after the job: it is taken to have been added to the job", j.ID, t.Name))
			}
			j.Targets[i].ID = id
			if err := refileByID(s, t, j.Targets[i], j.ID); err != nil {
				return err
			}
		}
		tables.jobs.Put(s, row.Key, j)
		return nil
	})
}

// idAtTheTime returns the id of the thing or group that a job of format 1 was for:
// that of the present one of the name, unless it is younger than what last changed
// the job, as then another one was the target and is gone. Targets are only added to
// continuous jobs, and that changes the job; of one that is younger than the job and
// older than that change nothing tells whether it was added or took the name of
// another, and the former release gave its members the job, so it stays a target.
func idAtTheTime(s store.Records, j muster.Job, t muster.Target) (id string, certain bool, err error) {
	id, created, err := lookup.Target(s, t)
	switch {
	case err != nil:
		return "", false, err
	case id == "" || created > j.UpdatedAt || created > j.CreatedAt && j.Selection == muster.Snapshot:
		id, err = registry.DepartingID(s, t)
		return cmp.Or(id, registry.GoneID(t)), true, err
	}
	return id, created <= j.CreatedAt, nil
}

// refileByID moves a job in the tables by target from the key of format 1, which is the
// first letter of the kind and the name.
func refileByID(s store.Records, old, now muster.Target, id muster.JobID) error {
	letter := "t"
	if old.Group {
		letter = "g"
	}
	was := store.JoinKey(letter+old.Name, string(id))
	for _, table := range []store.Of[store.Link]{tables.byTarget, tables.standing, tables.rolling} {
		filed, err := table.Has(s, was)
		if err != nil {
			return err
		}
		if filed {
			table.Delete(s, was)
			table.Put(s, targetKey(now, id), store.Link{})
		}
	}
	return nil
}
