package registry

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file names what the methods of Lookup read, for commands of other packages.

// WantThing names what Thing, HasThing and RequireThing read.
func (Lookup) WantThing(w *commit.Wants, name muster.ThingName) { wantThing(name)(w) }

// WantGroup names what Group and FindGroup read.
func (Lookup) WantGroup(w *commit.Wants, name muster.GroupName) { wantGroup(name)(w) }

// WantGroupsOf names what GroupsOf reads. When the names of the groups are known, named is
// called with each, and may name more.
func (Lookup) WantGroupsOf(w *commit.Wants, thing muster.ThingName, named func(*commit.Wants, muster.GroupName)) {
	wantGroupsOf(w, thing, named)
}

// WantIdleThings names the things of all queues that are named and turn out to be empty.
func (Lookup) WantIdleThings(w *commit.Wants) { w.OfIdle(tables.things.Table) }

// WantTarget names what Target and IsThere read.
func (Lookup) WantTarget(w *commit.Wants, t muster.Target) {
	if t.Group {
		w.Record(tables.groups.Table, t.Name)
	} else {
		w.Record(tables.things.Table, t.Name)
	}
}

// WantMembers names what Members reads, and what GroupBelow reads to leave the group, if it has
// no group below it: group is the target whose members are wanted.
func (Lookup) WantMembers(w *commit.Wants, group muster.Target, after muster.ThingName) {
	from, to := membersAfter(group.ID, after)
	w.Range(tables.members.Table, from, to)
	_, to = store.Under(group.Name)
	w.Range(tables.below.Table, store.After(belowKey(muster.GroupName(group.Name), 0, muster.GroupName(group.Name))), to)
}

// ReadBelow reads at once what Members and GroupBelow read of the groups that come after a group
// in the walk through root, for at most n of them. It does nothing unless the store is reached
// over a network.
func (l Lookup) ReadBelow(tx *commit.Tx, root, after string, n int) error {
	if !tx.Far() {
		return nil
	}
	from, to, err := belowAfter(tx, root, after)
	if err != nil || from == "" {
		return err
	}
	var names []string
	for row, err := range tables.below.Scan(tx, from, to) {
		if err != nil {
			return err
		}
		if names = append(names, store.SplitKey(row.Key)[2]); len(names) == n {
			break
		}
	}
	tx.Prefetch(func(w *commit.Wants) {
		for _, name := range names {
			w.Record(tables.groups.Table, name)
		}
	})
	var failed error
	tx.Prefetch(func(w *commit.Wants) {
		for _, name := range names {
			g, err := tables.groups.Get(tx, name)
			if err == nil && g != nil {
				from, to := store.Under(g.ID)
				w.Range(tables.members.Table, from, to)
				if from, to, err = belowAfter(tx, root, name); from != "" {
					w.Range(tables.below.Table, from, to)
				}
			}
			if err != nil {
				failed = err
				return
			}
		}
	})
	return failed
}

// WantDeparting names what Departing reads.
func (Lookup) WantDeparting(w *commit.Wants) { w.Range(tables.departures.Table, "", "") }

// ReadThings reads some things at once, if the store is reached over a network.
func (l Lookup) ReadThings(tx *commit.Tx, names []muster.ThingName) {
	if !tx.Far() || len(names) == 0 {
		return
	}
	tx.Prefetch(func(w *commit.Wants) {
		for _, name := range names {
			l.WantThing(w, name)
		}
	})
}

// WantTargetsOf names what TargetsOf reads.
func (Lookup) WantTargetsOf(w *commit.Wants, thing muster.ThingName) {
	if w.Far() {
		wantThing(thing)(w)
		wantGroupsOf(w, thing, nil)
	}
}
