package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file keeps the membership of a snapshot as it was when the rollout began
// (jobs-lifecycle.md section 4). The rollout reads the groups as they are; who
// leaves one before it has come to them is written down, and given the job
// after all others.

// rolls reports whether a job is a snapshot under way.
func rolls(j *muster.Job) bool {
	return j != nil && j.Selection == muster.Snapshot && j.Status.Active() && j.Rollout.Started != 0 && !j.Rollout.Done
}

// watch makes a snapshot findable by its groups while it is under way. old
// is the job as it was, nil for a new one.
func (tx *transaction) watch(old *muster.Job, j muster.Job) {
	is := rolls(&j)
	if is == rolls(old) {
		return
	}
	for _, t := range j.Targets {
		switch {
		case !t.Group:
		case is:
			tables.rolling.Put(tx, targetKey(t, j.ID), store.Link{})
		default:
			tables.rolling.Delete(tx, targetKey(t, j.ID))
		}
	}
}

// capture writes down that a thing which joined a group then, and leaves it
// now, is still to be given the snapshots under way of that group and of those
// above it, whose ids lineage has.
func capture(tx *transaction, name muster.ThingName, joined muster.Instant, lineage []string) error {
	return eachOf(tx, tables.rolling, lineage, func(j *muster.Job) error {
		if joined > j.Rollout.Started || j.Rollout.Held {
			return nil
		}
		if latest, err := tx.Latest(name, j.ID); err != nil || latest != nil {
			return err
		}
		t, err := lookup.Thing(tx, name)
		if err == nil && t != nil {
			tables.deferred.Put(tx, store.JoinKey(string(j.ID), string(name)), deferral{ThingID: t.ID})
		}
		return err
	})
}

// captured returns up to limit things that left before the rollout came to
// them, and strikes them off.
func captured(tx *transaction, j *muster.Job, limit int) ([]muster.ThingName, sight, error) {
	var found []muster.ThingName
	var s sight
	from, to := store.Under(string(j.ID))
	for row, err := range tables.deferred.Scan(tx, from, to) {
		if err != nil {
			return nil, s, err
		}
		if s.count == limit {
			break
		}
		s.count++
		tables.deferred.Delete(tx, row.Key)
		name := store.SplitKey(row.Key)[1]
		t, err := lookup.Thing(tx, muster.ThingName(name))
		if err != nil {
			return nil, s, err
		}
		if t != nil && t.ID == row.Value.ThingID {
			found = append(found, t.Name)
		}
	}
	return found, s, nil
}

// exhausted reports whether a rollout that is at r has come to everybody.
func exhausted(tx *transaction, j *muster.Job, r muster.Rollout) (bool, error) {
	if r.Target < len(j.Targets) || j.Selection != muster.Snapshot {
		return r.Target == len(j.Targets), nil
	}
	if waiting, err := tables.deferred.AnyUnder(tx, string(j.ID)); err != nil || waiting {
		return false, err
	}
	for ids, err := range lookup.Departing(tx) {
		if err != nil {
			return false, err
		}
		if covers(j, ids) {
			return false, nil // things may yet leave it
		}
	}
	return true, nil
}
