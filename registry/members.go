package registry

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// departMax bounds the things that leave a deleted group in the transaction
// that deletes it; more leave in the background.
const departMax = 100

// AddThingToThingGroup makes a thing a direct member of a group; one that is
// stays one (registry.md REG-45 to REG-47). It fails with NotFound or Invalid.
func (s *Registry) AddThingToThingGroup(ctx context.Context, thing muster.ThingName, group muster.GroupName) error {
	return s.UpdateThingGroupsForThing(ctx, thing, []muster.GroupName{group}, nil)
}

// RemoveThingFromThingGroup ends a direct membership, or succeeds when there is
// none. It fails with NotFound.
func (s *Registry) RemoveThingFromThingGroup(ctx context.Context, thing muster.ThingName, group muster.GroupName) error {
	return s.UpdateThingGroupsForThing(ctx, thing, nil, []muster.GroupName{group})
}

// UpdateThingGroupsForThing takes a thing out of groups, then puts it into others, in
// one transaction. A job that covers the thing before and after is not affected. It
// fails with NotFound or Invalid.
func (s *Registry) UpdateThingGroupsForThing(ctx context.Context, thing muster.ThingName, add, remove []muster.GroupName) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error {
		if err := mustHaveThing(tx, thing); err != nil {
			return err
		}
		was, err := groupsOf(tx, thing)
		if err != nil {
			return err
		}
		is, err := groupsAfter(tx, thing, was, add, remove)
		if err != nil {
			return err
		}
		return s.regroup(tx, thing, was, is)
	}, func(w *commit.Wants) { s.index.wantRegroup(w, thing, add, remove) })
}

// groupsAfter returns the groups of a thing after a change of was. It fails with
// NotFound or Invalid.
func groupsAfter(tx *commit.Tx, thing muster.ThingName, was []muster.Group, add, remove []muster.GroupName) ([]muster.Group, error) {
	is := slices.Clone(was)
	for _, name := range remove {
		g, err := staticGroup(tx, name)
		if err != nil {
			return nil, err
		}
		is = slices.DeleteFunc(is, named(g.Name))
	}
	for _, name := range add {
		g, err := staticGroup(tx, name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(is, named(g.Name)) {
			continue
		}
		if err := g.Admit(thing, is); err != nil {
			return nil, err
		}
		is = append(is, g)
	}
	return is, nil
}

// regroup moves a thing from the groups was to the groups is.
func (s *Registry) regroup(tx *commit.Tx, thing muster.ThingName, was, is []muster.Group) error {
	x, err := s.index.view(tx)
	if err != nil {
		return err
	}
	m := s.index.moveOf(tx, thing, lineages(was))
	for _, g := range was {
		if !slices.ContainsFunc(is, named(g.Name)) {
			if err := s.index.exitGroup(tx, m, g); err != nil {
				return err
			}
		}
	}
	for _, g := range is {
		if !slices.ContainsFunc(was, named(g.Name)) {
			if err := s.index.enterGroup(tx, x, m, g); err != nil {
				return err
			}
		}
	}
	s.rights.ThingChanged(tx, thing)
	s.index.recheckField(tx, x, thing, fleetquery.ThingGroupNames)
	return nil
}

// departSome lets up to limit things leave a deleted group, which changes their jobs
// and produces events. The departure is deleted with the last of them. Things that
// have joined a new group of the same name stay in that. The departure stores the last
// thing, so that the next step does not scan over the rows that were deleted before:
// that is slow in a store which only marks rows as deleted.
func (s *Registry) departSome(tx *commit.Tx, id string, limit int) error {
	d, err := tables.departures.Get(tx, id)
	if err != nil || d == nil {
		return err
	}
	from, to := store.Under(id)
	if d.After != "" {
		from = store.After(store.JoinKey(id, d.After))
	}
	n := 0
	rows := commit.Ahead(tx, limit+1, tables.members.Scan(tx, from, to), func(w *commit.Wants, row store.Row[membership]) {
		s.index.wantDeparture(w, muster.ThingName(store.SplitKey(row.Key)[1]), *d)
	})
	for row, err := range rows {
		if err != nil {
			return err
		}
		if n == limit {
			tx.Wake(0)
			tables.departures.Put(tx, id, *d)
			return nil
		}
		n++
		d.After = store.SplitKey(row.Key)[1]
		tables.members.Delete(tx, row.Key)
		if err := s.index.jobs.Leaving(tx, muster.ThingName(d.After), row.Value.Joined, d.IDs); err != nil {
			return err
		}
		if err := s.departThing(tx, muster.ThingName(d.After), d); err != nil {
			return err
		}
	}
	tables.departures.Delete(tx, id)
	return nil
}

// departThing takes a thing out of a deleted group. It deletes the thing's row of the
// membership and the index entry, unless the row is already that of a new group of the
// same name.
func (s *Registry) departThing(tx *commit.Tx, thing muster.ThingName, d *departure) error {
	in, err := groupsOf(tx, thing)
	if err != nil {
		return err
	}
	m := s.index.moveOf(tx, thing, append(lineages(in), d.IDs...))
	m.Left = append(m.Left, d.IDs...)
	key := store.JoinKey(string(thing), string(d.Group))
	of, err := tables.memberships.Get(tx, key)
	if err != nil {
		return err
	}
	if of != nil && of.GroupID == d.IDs[0] {
		tables.memberships.Delete(tx, key)
		if err := s.index.reindex(tx, thing, groupDocument(d.Group), nil); err != nil {
			return err
		}
	}
	return s.events.member(tx, eventlog.Removed, thing, muster.Group{Name: d.Group, ID: d.IDs[0]})
}

// groupsOf returns the groups that thing is a direct member of, by name.
func groupsOf(r store.Reader, thing muster.ThingName) ([]muster.Group, error) {
	var in []muster.Group
	from, to := store.Under(string(thing))
	for row, err := range tables.memberships.Scan(r, from, to) {
		if err != nil {
			return nil, err
		}
		g, err := groupIn(r, row)
		if err != nil {
			return nil, err
		}
		if g != nil {
			in = append(in, *g)
		}
	}
	return in, nil
}

// groupIn returns the group of a membership, or nil when it is void.
func groupIn(r store.Reader, row store.Row[belonging]) (*muster.Group, error) {
	g, err := tables.groups.Get(r, store.SplitKey(row.Key)[1])
	if err != nil || g == nil || g.ID != row.Value.GroupID {
		return nil, err
	}
	return g, nil
}

// lineages returns the ids of groups and of all above them.
func lineages(of []muster.Group) []string {
	var ids []string
	for _, g := range of {
		ids = append(ids, g.LineageIDs()...)
	}
	return ids
}

// staticGroup returns a group that things are put into, or fails with NotFound,
// or Invalid for one whose query chooses them (registry.md REG-49).
func staticGroup(r store.Reader, name muster.GroupName) (muster.Group, error) {
	g, err := thingGroup(r, name)
	if err == nil {
		err = g.OnlyStatic("its query alone says which things are in it")
	}
	return g, err
}

func named(name muster.GroupName) func(muster.Group) bool {
	return func(g muster.Group) bool { return g.Name == name }
}
