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
// registry. Each thing takes some lookups, so a million take about half a minute.
func VerifyFleet(c *integrity.Check) {
	v := fleetVerification{Check: c, r: c.Reader(), entries: map[bool]int{}}
	c.Fail(v.all())
}

type fleetVerification struct {
	*integrity.Check
	r       store.Reader
	dynamic []dynamicGroup // those that are ACTIVE
	entries map[bool]int   // that the things account for, among the numbers and not
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
			err = v.thing(row.Value, s)
		}
		if err != nil || v.Done() {
			return err
		}
	}
	if s.ready() {
		if err := v.countEntries(); err != nil {
			return err
		}
	}
	return v.members()
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
	in, err := groupsOf(v.r, t.Name)
	if err != nil {
		return err
	}
	for _, g := range in {
		if ok, err := tables.members.Has(v.r, store.JoinKey(g.ID, string(t.Name))); err != nil {
			return err
		} else if !ok {
			v.Problem(MembershipsAgree, "thing %s says that it is in group %s", t.Name, g.Name)
		}
	}
	if !s.ready() {
		return nil
	}
	d, err := documentOf(v.r, s.Config, t)
	if err != nil {
		return err
	}
	left, err := beingLeft(v.r, t.Name)
	if err != nil {
		return err
	}
	for _, e := range append(d.Entries(), left...) {
		v.entries[e.Numbers]++
		if ok, err := entryTable(e).Has(v.r, e.Key(string(t.Name))); err != nil {
			return err
		} else if !ok {
			v.Problem(IndexIsExact, "the index lacks %s %q of thing %s", e.Field, e.Place, t.Name)
		}
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

// beingLeft returns the index entries of a thing for deleted groups that it has not left
// yet.
func beingLeft(r store.Reader, thing muster.ThingName) ([]fleetquery.Entry, error) {
	var all []fleetquery.Entry
	from, to := store.Under(string(thing))
	for row, err := range tables.memberships.Scan(r, from, to) {
		if err != nil {
			return nil, err
		}
		if g, err := groupIn(r, row); err != nil {
			return nil, err
		} else if g == nil {
			all = append(all, groupDocument(muster.GroupName(store.SplitKey(row.Key)[1])).Entries()...)
		}
	}
	return all, nil
}

// countEntries compares the number of entries with the number that things should have.
// All of those were looked up, so a higher number means that there are others.
func (v *fleetVerification) countEntries() error {
	for _, e := range []fleetquery.Entry{{}, {Numbers: true}} {
		n := 0
		for _, err := range entryTable(e).Scan(v.r, "", "") {
			if err != nil {
				return err
			}
			n++
		}
		if n != v.entries[e.Numbers] {
			v.Problem(IndexIsExact, "table %s has %d entries and the things account for %d", entryTable(e).Table, n, v.entries[e.Numbers])
		}
	}
	return nil
}

// members checks that each member of a group has its own row of the membership. The
// other direction is checked by thing.
func (v *fleetVerification) members() error {
	for row, err := range tables.members.Scan(v.r, "", "") {
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
