package engine

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// departMax bounds the things that leave a deleted group in the transaction
// that deletes it; more leave in the background.
const departMax = 100

// AddThingToThingGroup makes a thing a direct member of a group; one that is
// stays one (registry.md REG-45 to REG-47). It fails with NotFound or Invalid.
func (e *Engine) AddThingToThingGroup(ctx context.Context, thing muster.ThingName, group muster.GroupName) error {
	return e.UpdateThingGroupsForThing(ctx, thing, []muster.GroupName{group}, nil)
}

// RemoveThingFromThingGroup ends a direct membership, or succeeds when there is
// none. It fails with NotFound.
func (e *Engine) RemoveThingFromThingGroup(ctx context.Context, thing muster.ThingName, group muster.GroupName) error {
	return e.UpdateThingGroupsForThing(ctx, thing, nil, []muster.GroupName{group})
}

// UpdateThingGroupsForThing takes a thing out of groups, then puts it into
// others, all or nothing. A job that covers the thing before and after goes on
// undisturbed. It fails with NotFound or Invalid.
func (e *Engine) UpdateThingGroupsForThing(ctx context.Context, thing muster.ThingName, add, remove []muster.GroupName) error {
	return e.do(ctx, func(b *batch) error {
		if err := mustHaveThing(b, thing); err != nil {
			return err
		}
		was, err := groupsOf(b, thing)
		if err != nil {
			return err
		}
		is, err := b.regrouped(thing, was, add, remove)
		if err != nil {
			return err
		}
		return b.regroup(thing, was, is)
	})
}

// regrouped returns the groups that a thing of the groups was will be in.
func (b *batch) regrouped(thing muster.ThingName, was []muster.Group, add, remove []muster.GroupName) ([]muster.Group, error) {
	is := slices.Clone(was)
	for _, name := range remove {
		g, err := staticGroup(b, name)
		if err != nil {
			return nil, err
		}
		is = slices.DeleteFunc(is, named(g.Name))
	}
	for _, name := range add {
		g, err := staticGroup(b, name)
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
func (b *batch) regroup(thing muster.ThingName, was, is []muster.Group) error {
	x, err := b.fleet()
	if err != nil {
		return err
	}
	m := b.moving(thing, lineages(was))
	for _, g := range was {
		if !slices.ContainsFunc(is, named(g.Name)) {
			if err := b.exit(m, g); err != nil {
				return err
			}
		}
	}
	for _, g := range is {
		if !slices.ContainsFunc(was, named(g.Name)) {
			if err := b.enter(x, m, g); err != nil {
				return err
			}
		}
	}
	b.recheckThing(thing)
	b.stir(x, thing, fleetquery.ThingGroupNames)
	return nil
}

// depart lets up to limit things leave a group that was deleted; its record is
// gone when all have. Who joined a new group of the same name stays in it.
// The record of how far it came spares the store the rows deleted before.
func (b *batch) depart(id string, limit int) error {
	d, err := leaving.Get(b, id)
	if err != nil || d == nil {
		return err
	}
	from, to := store.Under(id)
	if d.After != "" {
		from = store.After(store.JoinKey(id, d.After))
	}
	n := 0
	for row, err := range members.Scan(b, from, to) {
		if err != nil {
			return err
		}
		if n == limit {
			b.Wake(0)
			leaving.Put(b, id, *d)
			return nil
		}
		n++
		d.After = store.SplitKey(row.Key)[1]
		members.Delete(b, row.Key)
		if err := b.capture(muster.ThingName(d.After), row.Value.Joined, d.IDs); err != nil {
			return err
		}
		if err := b.departs(muster.ThingName(d.After), d); err != nil {
			return err
		}
	}
	leaving.Delete(b, id)
	return nil
}

// departs takes a thing out of a group that is gone, and drops its record of that
// unless it is by now a place in another group of the name.
func (b *batch) departs(thing muster.ThingName, d *departure) error {
	in, err := groupsOf(b, thing)
	if err != nil {
		return err
	}
	m := b.moving(thing, append(lineages(in), d.IDs...))
	m.left = append(m.left, d.IDs...)
	key := store.JoinKey(string(thing), string(d.Group))
	of, err := memberships.Get(b, key)
	if err != nil {
		return err
	}
	if of != nil && of.GroupID == d.IDs[0] {
		memberships.Delete(b, key)
		if err := b.reindex(thing, groupDocument(d.Group), nil); err != nil {
			return err
		}
	}
	return b.tellMember(Removed, thing, muster.Group{Name: d.Group, ID: d.IDs[0]})
}

// groupsOf returns the groups that thing is a direct member of, by name.
func groupsOf(r store.Reader, thing muster.ThingName) ([]muster.Group, error) {
	var in []muster.Group
	from, to := store.Under(string(thing))
	for row, err := range memberships.Scan(r, from, to) {
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
	g, err := groups.Get(r, store.SplitKey(row.Key)[1])
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
