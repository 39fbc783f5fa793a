package registry

import (
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Lookup reads things and groups as a snapshot or a transaction has them.
type Lookup struct{}

// Thing returns a thing, or nil when there is none.
func (Lookup) Thing(r store.Reader, name muster.ThingName) (*muster.Thing, error) {
	return tables.things.Get(r, string(name))
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

// GroupName returns the name of the group that has an id, or nil.
func (Lookup) GroupName(r store.Reader, id string) (*muster.GroupName, error) {
	return tables.groupIDs.Get(r, id)
}

// GroupsOf returns the groups that a thing is a direct member of, by name.
func (Lookup) GroupsOf(r store.Reader, thing muster.ThingName) ([]muster.Group, error) {
	return groupsOf(r, thing)
}

// GroupBelow returns the group that follows current in the hierarchy under root,
// itself first: level by level, by name in each. It is "" at the end. When
// current is not under root any more it begins again at root, and when root
// itself is gone that is the end.
func (Lookup) GroupBelow(r store.Reader, root, current string) (string, error) {
	return groupBelow(r, root, current)
}

// Member is a direct member of a group.
type Member struct {
	Thing  muster.ThingName
	Joined muster.Instant
}

// Members yields the direct members of the group with an id, by name, that come
// after a thing; "" is before the first.
func (Lookup) Members(r store.Reader, group string, after muster.ThingName) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		from, to := store.Under(group)
		if after != "" {
			from = store.After(store.JoinKey(group, string(after)))
		}
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

// Departing yields, for each deleted group that things are still leaving, its id
// and those of the groups above it, its own first.
func (Lookup) Departing(r store.Reader) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for row, err := range tables.departures.Scan(r, "", "") {
			if !yield(row.Value.IDs, err) || err != nil {
				return
			}
		}
	}
}

// Target returns the id of the thing or group that has the name of t now, and when
// it was created. The id is "" when there is none.
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

// IsThere reports whether a target has not been deleted.
func (l Lookup) IsThere(r store.Reader, t muster.Target) (bool, error) {
	id, _, err := l.Target(r, t)
	return err == nil && id == t.ID, err
}

// TargetsOf returns the ids of all targets by which a job covers a thing: its own
// and those of the groups that it is in and of all above them. A missing thing has
// none.
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
