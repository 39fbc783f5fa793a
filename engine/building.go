package engine

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// sweep is how far the search for the members of a dynamic group is. First those
// that it has are looked at, then those that may match.
type sweep struct {
	GroupID string
	Members bool   // the members it had have been looked at
	After   string `json:",omitempty"` // the last of them
	Covered bool   // At says where to look
	At      walk
}

// rebuild writes a dynamic group that is to look for its members, and returns it
// as it is then. The caller reads the index again.
func (b *batch) rebuild(g muster.Group) muster.Group {
	m := *g.Dynamic
	m.Building = true
	g.Dynamic = &m
	groups.Put(b, string(g.Name), g)
	dynamicNames.Put(b, string(g.Name), link{})
	b.Wake(0)
	building.Put(b, string(g.Name), sweep{GroupID: g.ID})
	return g
}

// stepBuilding does the next piece of the search for a group's members.
func (b *batch) stepBuilding(name muster.GroupName) error {
	x, err := b.fleet()
	if err != nil || !x.state.ready() {
		return err
	}
	s, err := building.Get(b, string(name))
	if err != nil || s == nil {
		return err
	}
	i := x.find(name)
	if i < 0 || x.dynamic[i].ID != s.GroupID {
		building.Delete(b, string(name)) // it is gone, or its query can no longer be read
		return nil
	}
	if !s.Members {
		return b.sweepMembers(x.dynamic[i].Group, *s)
	}
	if !s.Covered {
		if s.At, err = coverOf(b, x.dynamic[i].query); err != nil {
			return err
		}
		s.Covered = true
	}
	n := 0
	var found []muster.ThingName
	for c, err := range candidates(b, s.At) {
		if err != nil {
			return err
		}
		if n++; n > stepMax {
			break
		}
		s.At = c.at
		if c.thing != "" && !slices.Contains(found, c.thing) {
			found = append(found, c.thing)
		}
	}
	for _, thing := range found {
		b.stirring(thing).groups[name] = true
	}
	if n > stepMax {
		b.Wake(0)
		building.Put(b, string(name), *s)
		return nil
	}
	return b.built(x.dynamic[i].Group)
}

// sweepMembers lets a group look at some of the members that it has.
func (b *batch) sweepMembers(g muster.Group, s sweep) error {
	from, to := store.Under(g.ID)
	if s.After != "" {
		from = store.After(store.JoinKey(g.ID, s.After))
	}
	n := 0
	for row, err := range members.Scan(b, from, to) {
		if err != nil {
			return err
		}
		if n++; n > stepMax {
			break
		}
		s.After = store.SplitKey(row.Key)[1]
		b.stirring(muster.ThingName(s.After)).groups[g.Name] = true
	}
	s.Members = n <= stepMax
	b.Wake(0)
	building.Put(b, string(g.Name), s)
	return nil
}

// built ends the search once the members that this command found are in: only
// then do jobs that wait for the group begin with it.
func (b *batch) built(g muster.Group) error {
	if err := b.settleMembers(); err != nil {
		return err
	}
	m := *g.Dynamic
	m.Building = false
	g.Dynamic = &m
	groups.Put(b, string(g.Name), g)
	building.Delete(b, string(g.Name))
	if _, err := b.refleet(); err != nil {
		return err
	}
	return b.wakeWaiting(g.ID)
}

// wakeWaiting lets the jobs go on that wait for the dynamic group with that id.
func (b *batch) wakeWaiting(group string) error {
	var ids []muster.JobID
	from, to := store.Under(group)
	for row, err := range targets.Scan(b, from, to) {
		if err != nil {
			return err
		}
		ids = append(ids, muster.JobID(store.SplitKey(row.Key)[1]))
	}
	for _, id := range ids {
		j, err := b.job(id)
		if err != nil {
			return err
		}
		if j == nil || !j.Rollout.Held || !j.Status.Active() {
			continue
		}
		awake := *j
		awake.Wake = b.Now
		if err := b.putJob(awake); err != nil {
			return err
		}
	}
	return nil
}

// mustWait reports whether the rollout of j has to wait before its next target:
// a dynamic group among those that are left does not know its members yet
// (registry.md REG-61).
func (b *batch) mustWait(j *muster.Job) (bool, error) {
	if j.Rollout.Group != "" {
		return false, nil
	}
	x, err := b.fleet()
	if err != nil || len(x.dynamic) == 0 || !x.state.Config.Things {
		return false, err
	}
	return slices.ContainsFunc(j.Targets[min(j.Rollout.Target, len(j.Targets)):], func(t muster.Target) bool {
		return x.builds(t)
	}), nil
}
