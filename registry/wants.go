package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file names what operations will read (commit.Wants), so that a store which is reached
// over a network is asked for it at once.

// wantThing names the record of a thing.
func wantThing(name muster.ThingName) func(*commit.Wants) {
	return func(w *commit.Wants) { w.Record(tables.things.Table, string(name)) }
}

// wantGroup names the record of a group.
func wantGroup(name muster.GroupName) func(*commit.Wants) {
	return func(w *commit.Wants) { w.Record(tables.groups.Table, string(name)) }
}

// wantGroupsOf names what groupsOf reads. Once the names of the groups are known, each is
// passed to named, which may be nil.
func wantGroupsOf(w *commit.Wants, thing muster.ThingName, named func(*commit.Wants, muster.GroupName)) {
	w.Under(tables.memberships.Table, string(thing))
	w.Then(func(r store.Reader, w *commit.Wants) error {
		from, to := store.Under(string(thing))
		for row, err := range tables.memberships.Scan(r, from, to) {
			if err != nil {
				return err
			}
			name := muster.GroupName(store.SplitKey(row.Key)[1])
			wantGroup(name)(w)
			if named != nil {
				named(w, name)
			}
		}
		return nil
	})
}

// wantDocument names what documentOf reads of a thing.
func wantDocument(w *commit.Wants, c muster.IndexingConfig, thing muster.ThingName) {
	wantGroupsOf(w, thing, nil)
	if c.Connectivity {
		w.Record(tables.connections.Table, string(thing))
	}
}

// wantAsked names what addAsked reads of a thing for a query.
func wantAsked(w *commit.Wants, c muster.IndexingConfig, thing muster.ThingName, q *fleetquery.Query) {
	if c.Connectivity && asksConnectivity(q) {
		w.Record(tables.connections.Table, string(thing))
	}
	for _, field := range q.Fields() {
		if job := fleetquery.JobOf(field); job != "" {
			w.LatestOf(thing, muster.JobID(job))
		}
	}
}

// wantRecheck names what evaluating the queries of dynamic groups for a thing reads, those of
// all groups if asked is nil, and its memberships in these. Groups that ask for groups are
// among them: they are asked once the thing enters or exits another.
func (x *indexView) wantRecheck(w *commit.Wants, thing muster.ThingName, asked map[muster.GroupName]bool) {
	wantThing(thing)(w)
	wantGroupsOf(w, thing, func(w *commit.Wants, name muster.GroupName) {
		if at := x.placeOf(name); at >= 0 {
			wantMember(w, thing, x.dynamic[at].Group)
		}
	})
	follow := map[muster.GroupName]bool{}
	x.addDependents(fleetquery.ThingGroupNames, follow)
	for _, g := range x.dynamic {
		if asked == nil || asked[g.Name] || follow[g.Name] {
			wantAsked(w, x.state.Config, thing, g.query)
		}
	}
}

// wantMember names the membership of a thing as the group sees it.
func wantMember(w *commit.Wants, thing muster.ThingName, g muster.Group) {
	w.Record(tables.members.Table, store.JoinKey(g.ID, string(thing)))
}

// wantRegroup names what taking a thing out of groups and putting it into others reads.
func (ix *index) wantRegroup(w *commit.Wants, thing muster.ThingName, add, remove []muster.GroupName) {
	wantThing(thing)(w)
	wantGroupsOf(w, thing, nil)
	for _, name := range slices.Concat(add, remove) {
		wantGroup(name)(w)
	}
	w.Then(func(r store.Reader, w *commit.Wants) error {
		joined, err := groupsNamed(r, add)
		if err != nil {
			return err
		}
		left, err := groupsNamed(r, remove)
		for _, g := range left {
			wantMember(w, thing, g)
		}
		ix.jobs.WantMove(w, thing, lineages(left), lineages(joined))
		return err
	})
}

// groupsNamed returns those of the groups that exist.
func groupsNamed(r store.Reader, names []muster.GroupName) (found []muster.Group, err error) {
	for _, name := range names {
		g, err := tables.groups.Get(r, string(name))
		if err != nil {
			return nil, err
		}
		if g != nil {
			found = append(found, *g)
		}
	}
	return found, nil
}

// wantDeparture names what departThing reads.
func (ix *index) wantDeparture(w *commit.Wants, thing muster.ThingName, d departure) {
	wantThing(thing)(w)
	wantGroupsOf(w, thing, nil)
	w.Record(tables.memberships.Table, store.JoinKey(string(thing), string(d.Group)))
	ix.jobs.WantMove(w, thing, d.IDs, nil)
}

// wantChange names what a command that makes or changes a thing reads of it.
func (ix *index) wantChange(thing muster.ThingName) func(*commit.Wants) {
	return func(w *commit.Wants) {
		wantThing(thing)(w)
		if x := ix.adopted.Load(); x != nil && len(x.dynamic) > 0 && w.Far() {
			x.wantRecheck(w, thing, nil)
		}
	}
}

// wantRemoval names what removing a group reads, up to the first members.
func (s *Registry) wantRemoval(name muster.GroupName) func(*commit.Wants) {
	return func(w *commit.Wants) {
		wantGroup(name)(w)
		w.Under(tables.below.Table, string(name), "1")
		w.Then(func(r store.Reader, w *commit.Wants) error {
			g, err := tables.groups.Get(r, string(name))
			if err == nil && g != nil {
				s.rights.WantGroupDeleted(w, *g)
				w.Under(tables.members.Table, g.ID)
			}
			return err
		})
	}
}

// wantView names what readView reads.
func wantView(w *commit.Wants) {
	w.Record(tables.indexStates.Table, theIndex)
	w.Range(tables.dynamic.Table, "", "")
	w.Then(func(r store.Reader, w *commit.Wants) error {
		for row, err := range tables.dynamic.Scan(r, "", "") {
			if err != nil {
				return err
			}
			wantGroup(muster.GroupName(row.Key))(w)
		}
		return nil
	})
}
