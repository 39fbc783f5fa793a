package engine

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
func (b *batch) watch(old *muster.Job, j muster.Job) {
	is := rolls(&j)
	if is == rolls(old) {
		return
	}
	for _, t := range j.Targets {
		switch {
		case !t.Group:
		case is:
			rolling.Put(b, targetKey(t, j.ID), link{})
		default:
			rolling.Delete(b, targetKey(t, j.ID))
		}
	}
}

// capture writes down that a thing which joined a group then, and leaves it
// now, is still to be given the snapshots under way of that group and of those
// above it, whose ids lineage has.
func (b *batch) capture(name muster.ThingName, joined muster.Instant, lineage []string) error {
	return b.eachOf(rolling, lineage, func(j *muster.Job) error {
		if joined > j.Rollout.Started || j.Rollout.Held {
			return nil
		}
		if latest, err := b.Latest(name, j.ID); err != nil || latest != nil {
			return err
		}
		t, err := things.Get(b, string(name))
		if err == nil && t != nil {
			deferred.Put(b, store.JoinKey(string(j.ID), string(name)), deferral{ThingID: t.ID})
		}
		return err
	})
}

// captured returns up to limit things that left before the rollout came to
// them, and strikes them off.
func (b *batch) captured(j *muster.Job, limit int) ([]muster.ThingName, sight, error) {
	var found []muster.ThingName
	var s sight
	from, to := store.Under(string(j.ID))
	for row, err := range deferred.Scan(b, from, to) {
		if err != nil {
			return nil, s, err
		}
		if s.count == limit {
			break
		}
		s.count++
		deferred.Delete(b, row.Key)
		name := store.SplitKey(row.Key)[1]
		t, err := things.Get(b, name)
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
func (b *batch) exhausted(j *muster.Job, r muster.Rollout) (bool, error) {
	if r.Target < len(j.Targets) || j.Selection != muster.Snapshot {
		return r.Target == len(j.Targets), nil
	}
	if waiting, err := anyUnder(b, deferred, string(j.ID)); err != nil || waiting {
		return false, err
	}
	for row, err := range leaving.Scan(b, "", "") {
		if err != nil {
			return false, err
		}
		if covers(j, row.Value.IDs) {
			return false, nil // things may yet leave it
		}
	}
	return true, nil
}
