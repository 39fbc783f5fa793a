package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
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
func (ix *index) rebuild(tx *commit.Tx, g muster.Group) muster.Group {
	m := *g.Dynamic
	m.Building = true
	g.Dynamic = &m
	tables.groups.Put(tx, string(g.Name), g)
	tables.dynamic.Put(tx, string(g.Name), store.Link{})
	tx.Wake(0)
	tables.building.Put(tx, string(g.Name), sweep{GroupID: g.ID})
	return g
}

// stepBuilding does the next piece of the search for a group's members.
func (ix *index) stepBuilding(tx *commit.Tx, name muster.GroupName) error {
	x, err := ix.read(tx)
	if err != nil || !x.state.ready() {
		return err
	}
	s, err := tables.building.Get(tx, string(name))
	if err != nil || s == nil {
		return err
	}
	i := x.find(name)
	if i < 0 || x.dynamic[i].ID != s.GroupID {
		tables.building.Delete(tx, string(name)) // it is gone, or its query can no longer be read
		return nil
	}
	if !s.Members {
		return ix.sweepMembers(tx, x.dynamic[i].Group, *s)
	}
	if !s.Covered {
		if s.At, err = coverOf(tx, x.dynamic[i].query); err != nil {
			return err
		}
		s.Covered = true
	}
	n := 0
	var found []muster.ThingName
	for c, err := range candidates(tx, s.At) {
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
		ix.stirring(tx, thing).groups[name] = true
	}
	if n > stepMax {
		tx.Wake(0)
		tables.building.Put(tx, string(name), *s)
		return nil
	}
	return ix.built(tx, x.dynamic[i].Group)
}

// sweepMembers lets a group look at some of the members that it has.
func (ix *index) sweepMembers(tx *commit.Tx, g muster.Group, s sweep) error {
	from, to := store.Under(g.ID)
	if s.After != "" {
		from = store.After(store.JoinKey(g.ID, s.After))
	}
	n := 0
	for row, err := range tables.members.Scan(tx, from, to) {
		if err != nil {
			return err
		}
		if n++; n > stepMax {
			break
		}
		s.After = store.SplitKey(row.Key)[1]
		ix.stirring(tx, muster.ThingName(s.After)).groups[g.Name] = true
	}
	s.Members = n <= stepMax
	tx.Wake(0)
	tables.building.Put(tx, string(g.Name), s)
	return nil
}

// built ends the search once the members that this command found are in: only
// then do jobs that wait for the group begin with it.
func (ix *index) built(tx *commit.Tx, g muster.Group) error {
	if err := ix.settle(tx); err != nil {
		return err
	}
	m := *g.Dynamic
	m.Building = false
	g.Dynamic = &m
	tables.groups.Put(tx, string(g.Name), g)
	tables.building.Delete(tx, string(g.Name))
	if _, err := ix.reread(tx); err != nil {
		return err
	}
	return ix.jobs.GroupKnown(tx, g.ID)
}

// Building reports whether one of the targets is a dynamic group that does not
// know all its members yet (registry.md REG-61).
func (s *Registry) Building(tx *commit.Tx, targets []muster.Target) (bool, error) {
	x, err := s.index.read(tx)
	if err != nil || len(x.dynamic) == 0 || !x.state.Config.Things {
		return false, err
	}
	return slices.ContainsFunc(targets, x.builds), nil
}
