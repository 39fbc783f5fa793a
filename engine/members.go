package engine

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
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
		g, err := thingGroup(b, name)
		if err != nil {
			return nil, err
		}
		is = slices.DeleteFunc(is, named(g.Name))
	}
	for _, name := range add {
		g, err := thingGroup(b, name)
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
	var left, joined []muster.Group
	for _, g := range was {
		if !slices.ContainsFunc(is, named(g.Name)) {
			left = append(left, g)
			place, err := members.Get(b, store.JoinKey(g.ID, string(thing)))
			if err != nil {
				return err
			}
			if place != nil {
				if err := b.capture(thing, place.Joined, g.Lineage()); err != nil {
					return err
				}
			}
			members.Delete(b, store.JoinKey(g.ID, string(thing)))
			memberships.Delete(b, store.JoinKey(string(thing), string(g.Name)))
			if err := b.tellMember(Removed, thing, g); err != nil {
				return err
			}
		}
	}
	for _, g := range is {
		if !slices.ContainsFunc(was, named(g.Name)) {
			joined = append(joined, g)
			members.Put(b, store.JoinKey(g.ID, string(thing)), membership{Joined: b.now})
			memberships.Put(b, store.JoinKey(string(thing), string(g.Name)), belonging{GroupID: g.ID})
			if err := b.tellMember(Added, thing, g); err != nil {
				return err
			}
		}
	}
	b.recheckThing(thing)
	if err := b.leave(thing, lineages(left)); err != nil {
		return err
	}
	return b.join(thing, lineages(joined), lineages(was))
}

// depart lets up to limit things leave a group that was deleted, and says
// whether there are more. Who joined a new group of the same name stays in it.
// The record of how far it came spares the store the rows deleted before.
func (b *batch) depart(id string, limit int) (bool, error) {
	d, err := leaving.Get(b, id)
	if err != nil || d == nil {
		return false, err
	}
	from, to := store.Under(id)
	if d.After != "" {
		from = store.After(store.JoinKey(id, d.After))
	}
	n := 0
	for row, err := range members.Scan(b, from, to) {
		if err != nil {
			return false, err
		}
		if n == limit {
			leaving.Put(b, id, *d)
			return true, nil
		}
		n++
		d.After = store.SplitKey(row.Key)[1]
		members.Delete(b, row.Key)
		if err := b.capture(muster.ThingName(d.After), row.Value.Joined, d.Lineage); err != nil {
			return false, err
		}
		if err := b.forget(d.After, d.Lineage[0], id); err != nil {
			return false, err
		}
		if err := b.tellMember(Removed, muster.ThingName(d.After), muster.Group{Name: d.Lineage[0], ID: id}); err != nil {
			return false, err
		}
		if err := b.leave(muster.ThingName(d.After), d.Lineage); err != nil {
			return false, err
		}
	}
	leaving.Delete(b, id)
	return false, nil
}

// forget drops a thing's record of its place in a group, unless that is by now
// a place in another group of the name.
func (b *batch) forget(thing string, group muster.GroupName, id string) error {
	key := store.JoinKey(thing, string(group))
	of, err := memberships.Get(b, key)
	if err == nil && of != nil && of.GroupID == id {
		memberships.Delete(b, key)
	}
	return err
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

// lineages returns the names of groups and of all above them.
func lineages(of []muster.Group) []muster.GroupName {
	var names []muster.GroupName
	for _, g := range of {
		names = append(names, g.Lineage()...)
	}
	return names
}

func named(name muster.GroupName) func(muster.Group) bool {
	return func(g muster.Group) bool { return g.Name == name }
}
