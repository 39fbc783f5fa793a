package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/store"
)

// The invariants that Verify checks beside those of the store. The first two
// hold while the index is complete, the second of groups that are ACTIVE.
const (
	IndexIsExact     store.Invariant = "the fleet index holds the entries of every thing, and no others"
	MembersMatch     store.Invariant = "a dynamic group has exactly the things that match its query"
	MembershipsAgree store.Invariant = "thing and group agree on a membership"
)

// VerifyFleet compares the fleet index and the members of dynamic groups with the
// registry.
func VerifyFleet(c *integrity.Check) {
	v := fleetVerification{Check: c, r: c.Reader(), groups: map[muster.GroupName]muster.Group{}}
	c.Fail(v.all())
}

// groupsMax bounds the groups that are kept in memory: a MiB or so.
const groupsMax = 1000

type fleetVerification struct {
	*integrity.Check
	r       store.Reader
	dynamic []dynamicGroup                    // those that are ACTIVE
	groups  map[muster.GroupName]muster.Group // groupsMax of them, as the next thing is likely to be in one of those too

	// The memberships in groups that exist, while they are only summed.
	ofThings, ofGroups integrity.Sum
}

func (v *fleetVerification) all() error {
	s, err := indexStateOf(v.r)
	if err != nil {
		return err
	}
	if s.ready() {
		if err := v.findDynamic(); err != nil {
			return err
		}
	}
	for row, err := range tables.things.Scan(v.r, "", "") {
		if err == nil {
			verifyThing(v.Check, row.Key, row.Value)
			err = v.thing(row.Value, s)
		}
		if err != nil || v.Done() {
			return err
		}
	}
	if s.ready() {
		v.Surplus(IndexIsExact, tables.entries.Table, tables.numbers.Table)
	}
	if err := v.members(); err != nil {
		return err
	}
	v.Same(v.ofThings, v.ofGroups)
	return nil
}

func (v *fleetVerification) findDynamic() error {
	for row, err := range tables.dynamic.Scan(v.r, "", "") {
		if err != nil {
			return err
		}
		g, err := tables.groups.Get(v.r, row.Key)
		if err != nil {
			return err
		}
		if g == nil || !g.IsDynamic() {
			continue // a row that no group asks for
		}
		q, err := fleetquery.Parse(g.Dynamic.Query, fleetquery.Things)
		if err != nil {
			v.Problem(MembersMatch, "the query of group %s cannot be read: %v", g.Name, err)
		} else if !g.Dynamic.Building {
			v.dynamic = append(v.dynamic, dynamicGroup{Group: *g, query: q})
		}
	}
	return nil
}

// thing checks that a thing has its memberships and index entries, and is in the dynamic
// groups that match it.
func (v *fleetVerification) thing(t muster.Thing, s indexState) error {
	in, left, err := v.groupsOf(t.Name)
	if err != nil {
		return err
	}
	for _, g := range in {
		if err := v.isMember(t.Name, g); err != nil {
			return err
		}
	}
	if !s.ready() {
		return nil
	}
	d, err := documentIn(v.r, s.Config, t, in)
	if err != nil {
		return err
	}
	for _, e := range append(d.Entries(), groupDocument(left...).Entries()...) {
		v.Derived(IndexIsExact, entryTable(e).Table, e.Key(string(t.Name)), "thing "+string(t.Name))
	}
	for _, g := range v.dynamic {
		matches, err := matchesNow(v.r, s.Config, t, in, d, g)
		if err != nil {
			return err
		}
		if is := slices.ContainsFunc(in, named(g.Name)); is != matches {
			v.Problem(MembersMatch, "thing %s is in group %s: %v; that it matches %s: %v", t.Name, g.Name, is, g.Dynamic.Query, matches)
		}
	}
	return nil
}

// groupsOf returns the groups that a thing is in, and the names of deleted groups that it
// has not left yet, which are still in the index.
func (v *fleetVerification) groupsOf(thing muster.ThingName) (in []muster.Group, left []muster.GroupName, err error) {
	from, to := store.Under(string(thing))
	for row, err := range tables.memberships.Scan(v.r, from, to) {
		if err != nil {
			return nil, nil, err
		}
		name := muster.GroupName(store.SplitKey(row.Key)[1])
		g, known := v.groups[name]
		if !known || g.ID != row.Value.GroupID {
			found, err := groupIn(v.r, row)
			if err != nil {
				return nil, nil, err
			}
			if found == nil {
				left = append(left, name)
				continue
			}
			if len(v.groups) == groupsMax {
				clear(v.groups)
			}
			g, v.groups[name] = *found, *found
		}
		in = append(in, g)
	}
	return in, left, nil
}

// isMember checks that a group has the member that says that it is in it.
func (v *fleetVerification) isMember(thing muster.ThingName, g muster.Group) error {
	key := store.JoinKey(g.ID, string(thing))
	if !v.Exact() {
		v.ofThings = v.Plus(v.ofThings, key)
		return nil
	}
	ok, err := tables.members.Has(v.r, key)
	if err == nil && !ok {
		v.Problem(MembershipsAgree, "thing %s says that it is in group %s", thing, g.Name)
	}
	return err
}

// members checks that each member of a group has its own row of the membership. The
// other direction is checked by thing.
func (v *fleetVerification) members() error {
	for row, err := range v.r.Scan(tables.members.Table, "", "") { // the values do not matter
		if err != nil || v.Done() {
			return err
		}
		parts := store.SplitKey(row.Key)
		if len(parts) != 2 {
			continue // Verify reports it
		}
		name, err := tables.groupIDs.Get(v.r, parts[0])
		if err != nil {
			return err
		}
		if name == nil {
			continue // the group was deleted, and its members are leaving
		}
		if !v.Exact() {
			v.ofGroups = v.Plus(v.ofGroups, row.Key)
			continue
		}
		of, err := tables.memberships.Get(v.r, store.JoinKey(parts[1], string(*name)))
		if err != nil {
			return err
		}
		if of == nil || of.GroupID != parts[0] {
			v.Problem(MembershipsAgree, "group %s says that thing %s is in it", *name, parts[1])
		}
	}
	return nil
}
