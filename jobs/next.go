package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file decides which things a rollout gives its job next. It takes the targets
// in order, a group before the groups below it, and the members of a group by name.
//
// A snapshot is for the members that there were when its rollout began
// (jobs-lifecycle.md section 4), and the rollout reads the groups as they are now. So
// a member that joined later is left out, and one that leaves before the rollout has
// reached it is written down (captureLeaver) and given the job after all others.

// isSnapshotUnderWay reports whether a job, which may be nil, is a snapshot whose
// rollout has begun and is not done.
func isSnapshotUnderWay(j *muster.Job) bool {
	return j != nil && j.Selection == muster.Snapshot && j.Status.Active() && j.Rollout.Started != 0 && !j.Rollout.Done
}

// captureLeaver writes down that a thing which leaves a group now is still to be given
// the snapshots under way of that group and of those above it, whose ids lineage has.
// joined is when it joined the group: if that was after the rollout began, the snapshot
// is not for it. While a rollout is held nothing is written down.
func captureLeaver(tx *transaction, name muster.ThingName, joined muster.Instant, lineage []string) error {
	return eachJobOf(tx, tables.rolling, lineage, func(j *muster.Job) error {
		if joined > j.Rollout.Started || j.Rollout.Held {
			return nil
		}
		if latest, err := store.LatestOf(tx, name, j.ID); err != nil || latest != nil {
			return err
		}
		t, err := lookup.Thing(tx, name)
		if err == nil && t != nil {
			tables.deferred.Put(tx, store.JoinKey(string(j.ID), string(name)), deferral{ThingID: t.ID})
		}
		return err
	})
}

// walk is the position of a rollout among the things that its job is for.
type walk struct {
	tx    *transaction
	j     *muster.Job    // its Rollout is not looked at
	at    muster.Rollout // the position; the caller stores it
	ahead int            // the targets before this one were read for
	below int            // how many groups after the present one were read for
}

// next returns the things that come next, at most limit, and moves past them. They are
// in the registry: a thing that is deleted leaves its groups at once. It looks at no more
// than limit members; looked is how many, or 1 for a target without members. It is zero
// at a group without members, and where nothing is left but what members may still leave
// behind.
func (w *walk) next(limit int) (found []muster.ThingName, looked int, err error) {
	if w.at.Target == len(w.j.Targets) {
		return w.captured(limit)
	}
	w.readAhead()
	t := w.j.Targets[w.at.Target]
	there, err := lookup.IsThere(w.tx, t)
	switch {
	case err != nil:
		return nil, 0, err
	case !there:
		w.at.Target, w.at.Group, w.at.After = w.at.Target+1, "", ""
		return nil, 1, nil
	case !t.Group:
		w.at.Target++
		return []muster.ThingName{muster.ThingName(t.Name)}, 1, nil
	}
	if w.at.Group == "" {
		w.at.Group = t.Name
	}
	found, looked, more, err := w.members(limit)
	if err != nil || more {
		return found, looked, err
	}
	w.at.After = ""
	return found, looked, w.leaveGroup(t.Name)
}

// leaveGroup moves to the next group of a target, or to the next target.
func (w *walk) leaveGroup(root string) (err error) {
	if w.below == 0 {
		w.below = groupsAhead
		if err := lookup.ReadBelow(w.tx.Tx, root, w.at.Group, groupsAhead); err != nil {
			return err
		}
	}
	w.below--
	if w.at.Group, err = lookup.GroupBelow(w.tx, root, w.at.Group); w.at.Group == "" {
		w.at.Target, w.below = w.at.Target+1, 0
	}
	return err
}

// readAhead reads at once what looking at the next targets needs.
func (w *walk) readAhead() {
	if w.at.Target < w.ahead {
		return
	}
	w.ahead = w.at.Target + targetsAhead
	w.tx.prefetch(func(ahead wants) { ahead.targets(w.j, w.at) })
}

// members returns those of the next members of the group that the job is for. It
// looks at no more than limit members and reports whether there are more.
func (w *walk) members(limit int) (found []muster.ThingName, looked int, more bool, err error) {
	g, err := lookup.FindGroup(w.tx, muster.GroupName(w.at.Group))
	if err != nil || g == nil {
		return nil, 0, false, err
	}
	for m, err := range lookup.Members(w.tx, g.ID, muster.ThingName(w.at.After)) {
		if err != nil {
			return nil, looked, false, err
		}
		if looked == limit {
			return found, looked, true, nil
		}
		looked++
		w.at.After = string(m.Thing)
		if w.j.Selection == muster.Continuous || m.Joined <= w.at.Started {
			found = append(found, m.Thing)
		}
	}
	return found, looked, false, nil
}

// captured returns things that left before the rollout reached them, at most limit,
// and strikes them off. A later thing of such a name is not meant.
func (w *walk) captured(limit int) (found []muster.ThingName, looked int, err error) {
	rows, err := waitlist{w.tx, w.j}.nextDeferred(limit)
	if err != nil {
		return nil, 0, err
	}
	lookup.ReadThings(w.tx.Tx, namesOf(rows))
	for _, row := range rows {
		tables.deferred.Delete(w.tx, row.Key)
		t, err := lookup.Thing(w.tx, nameOf(row))
		if err != nil {
			return nil, 0, err
		}
		if t != nil && t.ID == row.Value.ThingID {
			found = append(found, t.Name)
		}
	}
	return found, len(rows), nil
}

// exhausted reports whether the rollout has reached every thing. That of a snapshot
// has not while a group that it covers is being deleted: the members leave it in the
// background and are written down only then.
func (w *walk) exhausted() (bool, error) {
	if w.at.Target < len(w.j.Targets) || w.j.Selection != muster.Snapshot {
		return w.at.Target == len(w.j.Targets), nil
	}
	if waiting, err := tables.deferred.AnyUnder(w.tx, string(w.j.ID)); err != nil || waiting {
		return false, err
	}
	for ids, err := range lookup.Departing(w.tx) {
		if err != nil {
			return false, err
		}
		if covers(w.j, ids) {
			return false, nil // things may still leave it
		}
	}
	return true, nil
}

// mustWait reports whether the rollout has to wait before its next target: a dynamic
// group among those that are left does not know its members yet (registry.md REG-61).
func (w *walk) mustWait() (bool, error) {
	if w.at.Group != "" {
		return false, nil
	}
	return w.tx.s.registry.Building(w.tx.Tx, w.j.Targets[min(w.at.Target, len(w.j.Targets)):])
}

// isSmall reports whether what is left of the rollout is small. It looks at no more
// members than it takes to tell, and leaves the walk somewhere ahead.
func (w *walk) isSmall() (bool, error) {
	left := map[muster.ThingName]bool{}
	for looks := smallLooks; w.at.Target < len(w.j.Targets); {
		found, looked, err := w.next(smallMax + 1)
		if err != nil {
			return false, err
		}
		for _, thing := range found {
			left[thing] = true
		}
		looks -= max(looked, 1)
		if len(left) > smallMax || looks < 0 {
			return false, nil
		}
	}
	return true, nil
}
