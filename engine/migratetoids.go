package engine

import (
	"cmp"
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file holds the steps from format 1 to format 2: what knew things and groups
// by their names knows them by their ids (arbitration A22).

// goneID returns the id of a target that was deleted before ids were kept. No thing
// or group has it.
func goneID(t muster.Target) string {
	if t.Group {
		return "gone:group:" + t.Name
	}
	return "gone:thing:" + t.Name
}

// groupPaths writes into each group the ids of those above it.
func groupPaths(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	return eachAfter(s, groups, after, limit, func(row store.Row[muster.Group]) error {
		g := row.Value
		if len(g.Path) == 0 {
			return nil
		}
		g.PathIDs = nil
		for _, name := range g.Path {
			above, err := thingGroup(s, name)
			if err != nil {
				return err
			}
			g.PathIDs = append(g.PathIDs, above.ID)
		}
		groups.Put(s, row.Key, g)
		return nil
	})
}

// departureIDs gives departures the ids of the groups that their things leave.
func departureIDs(s store.Records, after string, limit int, _ func(string)) (string, bool, error) {
	type named struct { // as format 1 has it
		Lineage []muster.GroupName
		After   string
	}
	return eachAfter(s, store.Of[named](leaving), after, limit, func(row store.Row[named]) error {
		if len(row.Value.Lineage) == 0 {
			return nil
		}
		d := departure{Group: row.Value.Lineage[0], IDs: []string{row.Key}, After: row.Value.After}
		for _, name := range row.Value.Lineage[1:] {
			above := muster.Target{Group: true, Name: string(name)}
			id, err := presentID(s, above)
			if err != nil {
				return err
			}
			d.IDs = append(d.IDs, cmp.Or(id, goneID(above)))
		}
		leaving.Put(s, row.Key, d)
		return nil
	})
}

// targetIDs gives jobs the ids of their targets and files them by these.
func targetIDs(s store.Records, after string, limit int, note func(string)) (string, bool, error) {
	return eachAfter(s, jobs, after, limit, func(row store.Row[muster.Job]) error {
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
			if err := refile(s, t, j.Targets[i], j.ID); err != nil {
				return err
			}
		}
		jobs.Put(s, row.Key, j)
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
	id, created, err := presentTarget(s, t)
	switch {
	case err != nil:
		return "", false, err
	case id == "" || created > j.UpdatedAt || created > j.CreatedAt && j.Selection == muster.Snapshot:
		id, err = departingID(s, t)
		return cmp.Or(id, goneID(t)), true, err
	}
	return id, created <= j.CreatedAt, nil
}

// departingID returns the id of a deleted group of the name of t whose things are
// still leaving it, or "".
func departingID(s store.Records, t muster.Target) (string, error) {
	for row, err := range leaving.Scan(s, "", "") {
		if err != nil {
			return "", err
		}
		if t.Group && string(row.Value.Group) == t.Name {
			return row.Key, nil
		}
	}
	return "", nil
}

// refile moves a job in the tables by target from the key of format 1, which is the
// first letter of the kind and the name.
func refile(s store.Records, old, now muster.Target, id muster.JobID) error {
	letter := "t"
	if old.Group {
		letter = "g"
	}
	was := store.JoinKey(letter+old.Name, string(id))
	for _, table := range []store.Of[link]{targets, standing, rolling} {
		filed, err := table.Has(s, was)
		if err != nil {
			return err
		}
		if filed {
			table.Delete(s, was)
			table.Put(s, targetKey(now, id), link{})
		}
	}
	return nil
}
