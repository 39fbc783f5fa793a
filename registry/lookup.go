package registry

import (
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Lookup reads things and groups from a snapshot or a transaction, for other packages.
// Its errors are those of the store unless a method says more.
type Lookup struct{}

// Thing returns a thing, or nil when there is none.
func (Lookup) Thing(r store.Reader, name muster.ThingName) (*muster.Thing, error) {
	return tables.things.Get(r, string(name))
}

// ExistingThing returns a thing, or fails with NotFound.
func (Lookup) ExistingThing(r store.Reader, name muster.ThingName) (muster.Thing, error) {
	return tables.things.Require(r, string(name), func() error { return noThing(name) })
}

// HasThing reports whether there is a thing.
func (Lookup) HasThing(r store.Reader, name muster.ThingName) (bool, error) {
	return tables.things.Has(r, string(name))
}

// RequireThing fails with NotFound when there is no such thing.
func (Lookup) RequireThing(r store.Reader, name muster.ThingName) error {
	return mustHaveThing(r, name)
}

// Group returns a group, or fails with NotFound.
func (Lookup) Group(r store.Reader, name muster.GroupName) (muster.Group, error) {
	return thingGroup(r, name)
}

// FindGroup returns a group, or nil when there is none.
func (Lookup) FindGroup(r store.Reader, name muster.GroupName) (*muster.Group, error) {
	return tables.groups.Get(r, string(name))
}

// GroupName returns the name of the group that has an id, or fails with NotFound.
func (Lookup) GroupName(r store.Reader, id string) (muster.GroupName, error) {
	return tables.groupIDs.Require(r, id, func() error { return noGroup(id) })
}

// GroupsOf returns the groups that a thing is a direct member of, by name.
func (Lookup) GroupsOf(r store.Reader, thing muster.ThingName) ([]muster.Group, error) {
	return groupsOf(r, thing)
}

// GroupBelow returns the group after current in a walk through root and all groups
// below it: root first, then level by level, by name in each level. It returns "" at
// the end. If current was deleted meanwhile, the walk starts again at root; if root was
// deleted, the walk ends.
func (Lookup) GroupBelow(r store.Reader, root, current string) (string, error) {
	return groupBelow(r, root, current)
}

// Member is a direct member of a group.
type Member struct {
	Thing  muster.ThingName
	Joined muster.Instant
}

// Members yields the direct members of the group with an id, by name, after the thing
// after; "" means from the first. It ends after an error.
func (Lookup) Members(r store.Reader, group string, after muster.ThingName) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		from, to := membersAfter(group, after)
		for row, err := range tables.members.Scan(r, from, to) {
			var m Member
			if err == nil {
				m = Member{Thing: muster.ThingName(store.SplitKey(row.Key)[1]), Joined: row.Value.Joined}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Joined returns when a thing became a direct member of the group with an id; zero if it is none.
func (Lookup) Joined(r store.Reader, group string, thing muster.ThingName) (muster.Instant, error) {
	m, err := tables.members.Get(r, store.JoinKey(group, string(thing)))
	if err != nil || m == nil {
		return 0, err
	}
	return m.Joined, nil
}

func membersAfter(group string, after muster.ThingName) (from, to string) {
	from, to = store.Under(group)
	if after != "" {
		from = store.After(store.JoinKey(group, string(after)))
	}
	return from, to
}

// Departing yields, for each deleted group whose members have not all left yet, its
// own id followed by those of the groups above it. It ends after an error.
func (Lookup) Departing(r store.Reader) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for row, err := range tables.departures.Scan(r, "", "") {
			if !yield(row.Value.IDs, err) || err != nil {
				return
			}
		}
	}
}

// Target returns the id of the thing or group that now has the name of t, and the
// instant of its creation. The id is "" if there is none.
func (Lookup) Target(r store.Reader, t muster.Target) (id string, created muster.Instant, err error) {
	if t.Group {
		g, err := tables.groups.Get(r, t.Name)
		if err != nil || g == nil {
			return "", 0, err
		}
		return g.ID, g.CreatedAt, nil
	}
	thing, err := tables.things.Get(r, t.Name)
	if err != nil || thing == nil {
		return "", 0, err
	}
	return thing.ID, thing.CreatedAt, nil
}

// IsThere reports whether the target still exists: the thing or group of its name has
// its id.
func (l Lookup) IsThere(r store.Reader, t muster.Target) (bool, error) {
	id, _, err := l.Target(r, t)
	return err == nil && id == t.ID, err
}

// TargetsOf returns the ids of all targets through which a job covers a thing: the
// groups that it is in, all groups above them, and the thing itself. Ids may repeat. A
// thing that does not exist has none.
func (Lookup) TargetsOf(r store.Reader, thing muster.ThingName) ([]string, error) {
	t, err := tables.things.Get(r, string(thing))
	if err != nil || t == nil {
		return nil, err
	}
	in, err := groupsOf(r, thing)
	return append(lineages(in), t.ID), err
}

func mustHaveThing(r store.Reader, name muster.ThingName) error {
	ok, err := tables.things.Has(r, string(name))
	if err == nil && !ok {
		err = noThing(name)
	}
	return err
}
