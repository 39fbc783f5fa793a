package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// memberSearch is the stored progress of a search for the members of a dynamic group,
// after the group was created, its query changed, or the index was built. It has two
// phases: first the things that are members are checked, because they may have to
// leave; then the candidates of the query, which may have to join. Things that change
// meanwhile are handled by their own commands (dynamic.go), so the search may use
// several transactions.
type memberSearch struct {
	GroupID string
	Members bool   // the first phase is done
	After   string `json:",omitempty"` // in the first phase: the last member checked
	Covered bool   // At is set
	At      walk   // in the second phase: the place among the candidates

	Began  muster.Instant `json:",omitempty"`
	Looked int            `json:",omitempty"` // things that were checked
}

// startBuilding writes a dynamic group with the status BUILDING and begins a search
// for its members. It returns the group as written. The caller calls changeView.
func (ix *index) startBuilding(tx *commit.Tx, g muster.Group) muster.Group {
	m := *g.Dynamic
	m.Building = true
	g.Dynamic = &m
	tables.groups.Put(tx, string(g.Name), g)
	tables.dynamic.Put(tx, string(g.Name), store.Link{})
	tx.Wake(0)
	tables.building.Put(tx, string(g.Name), memberSearch{GroupID: g.ID, Began: tx.Now})
	return g
}

// stepBuilding does the next step of a group's search for members, stepMax candidates
// at most. Things that may match are rechecked at the end of the command, like things
// that changed.
func (ix *index) stepBuilding(tx *commit.Tx, name muster.GroupName) error {
	x, err := ix.view(tx)
	if err != nil || !x.state.ready() {
		return err
	}
	s, err := tables.building.Get(tx, string(name))
	if err != nil || s == nil {
		return err
	}
	i := x.placeOf(name)
	if i < 0 || x.dynamic[i].ID != s.GroupID {
		tables.building.Delete(tx, string(name)) // it is gone, or its query can no longer be read
		return nil
	}
	if !s.Members {
		if s.After == "" { // whoever changes a thing from now on knows the group
			if err := tx.Alone(); err != nil {
				return err
			}
		}
		return ix.recheckMembers(tx, x.dynamic[i].Group, *s)
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
		ix.recheckOf(tx, thing).groups[name] = true
	}
	if n > stepMax {
		tx.Wake(0)
		s.Looked += stepMax
		tables.building.Put(tx, string(name), *s)
		return nil
	}
	return ix.finishBuilding(tx, x.dynamic[i].Group)
}

// recheckMembers is the first phase of a search: it rechecks the next stepMax members.
func (ix *index) recheckMembers(tx *commit.Tx, g muster.Group, s memberSearch) error {
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
		ix.recheckOf(tx, muster.ThingName(s.After)).groups[g.Name] = true
	}
	s.Members = n <= stepMax
	s.Looked += min(n, stepMax)
	tx.Wake(0)
	tables.building.Put(tx, string(g.Name), s)
	return nil
}

// finishBuilding ends a search. It settles first, so that the members found by this
// command are in the group before the jobs that wait for it are told to start.
func (ix *index) finishBuilding(tx *commit.Tx, g muster.Group) error {
	if err := ix.settleMembers(tx); err != nil {
		return err
	}
	m := *g.Dynamic
	m.Building = false
	g.Dynamic = &m
	tables.groups.Put(tx, string(g.Name), g)
	tables.building.Delete(tx, string(g.Name))
	if _, err := ix.changeView(tx); err != nil {
		return err
	}
	return ix.jobs.GroupKnown(tx, g.ID)
}

// Building reports whether one of the targets is a dynamic group that does not
// know all its members yet (registry.md REG-61).
func (s *Registry) Building(tx *commit.Tx, targets []muster.Target) (bool, error) {
	x, err := s.index.view(tx)
	if err != nil || len(x.dynamic) == 0 || !x.state.Config.Things {
		return false, err
	}
	return slices.ContainsFunc(targets, x.isBuilding), nil
}
