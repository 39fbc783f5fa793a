package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file keeps the members of dynamic groups up to date (registry.md REG-62), in
// the transaction of the change:
//
//  1. A command that changes a field of a thing's document notes a recheck: the
//     thing, and the groups whose queries may give another answer because of that
//     field.
//  2. At the end of the command, settleMembers evaluates these queries for the
//     thing and moves it into or out of the groups.
//  3. Each move is reported to jobs, once, with the final set of groups. Jobs may
//     create and end executions, which groups may ask for too, so steps 2 and 3
//     repeat until nothing is left.
//
// The cost depends on the groups that mention the field, not on the size of the
// fleet.

// settleMax bounds the rounds of one command. A change of executions can cause new
// rechecks, but checkDependencies refuses a group that depends on a job which
// depends on the group, so a correct state needs no more rounds than its longest
// chain of dynamic groups and jobs. The bound turns a mistake in that rule into an
// error instead of an endless loop.
const settleMax = 1000

// Move is a thing whose groups change in the running command. Jobs are told of it
// once, at the end of the command, so only the final groups count. Ids are those of
// direct groups and of all groups above them, and may repeat.
type Move struct {
	Thing        muster.ThingName
	Was          []string // the groups before the first change
	Left, Joined []string // the groups that it left and joined; one may be in both
}

// recheck is a thing for which the queries of some dynamic groups have to be
// evaluated again.
type recheck struct {
	thing  muster.ThingName
	groups map[muster.GroupName]bool
}

// unsettled is what settleMembers still has to do for the running command.
type unsettled struct {
	rechecks []recheck // things that dynamic groups have to look at, in order
	moves    []Move    // things that joined or left groups, in order
	sealed   bool      // it will be settled at the end of the command
}

// unsettled returns what is left to settle in the running command. The caller adds
// to it. The first call registers settleMembers for the end of the command.
func (ix *index) unsettled(tx *commit.Tx) *unsettled {
	s := commit.OfCommand[unsettled](tx, ix)
	if !s.sealed {
		s.sealed = true
		tx.Before(Rank, func() error { return ix.settleMembers(tx) })
	}
	return s
}

// recheckField notes that a field of a thing's document changed.
func (ix *index) recheckField(tx *commit.Tx, x *indexView, thing muster.ThingName, field string) {
	if len(x.dynamic) > 0 {
		x.addDependents(field, ix.recheckOf(tx, thing).groups)
	}
}

// recheckNew notes that a thing is new. All dynamic groups are asked: a query may match
// a thing because it lacks a field.
func (ix *index) recheckNew(tx *commit.Tx, thing muster.ThingName) error {
	x, err := ix.view(tx)
	if err != nil || !x.state.Config.Things {
		return err
	}
	for _, g := range x.dynamic {
		ix.recheckOf(tx, thing).groups[g.Name] = true
	}
	return nil
}

// recheckExecution notes that an execution changed, if a dynamic group asks for the
// status of its job.
func (ix *index) recheckExecution(tx *commit.Tx, thing muster.ThingName, job muster.JobID) error {
	x, err := ix.view(tx)
	if err != nil || len(x.dynamic) == 0 || !x.state.Config.Things {
		return err
	}
	field := fleetquery.JobStatus(string(job))
	if len(x.mentioned[field]) == 0 {
		return nil
	}
	if err := tx.Wide(); err != nil {
		return err
	}
	ix.recheckField(tx, x, thing, field)
	return nil
}

// recheckOf returns the pending recheck of a thing, making one without groups if there
// is none. The pointer is valid until the next call.
func (ix *index) recheckOf(tx *commit.Tx, thing muster.ThingName) *recheck {
	s := ix.unsettled(tx)
	for i := range s.rechecks {
		if s.rechecks[i].thing == thing {
			return &s.rechecks[i]
		}
	}
	s.rechecks = append(s.rechecks, recheck{thing: thing, groups: map[muster.GroupName]bool{}})
	return &s.rechecks[len(s.rechecks)-1]
}

// moveOf returns the thing's pending move in the running command, starting one from
// the groups was if there is none.
func (ix *index) moveOf(tx *commit.Tx, thing muster.ThingName, was []string) *Move {
	s := ix.unsettled(tx)
	for i := range s.moves {
		if s.moves[i].Thing == thing {
			return &s.moves[i]
		}
	}
	s.moves = append(s.moves, Move{Thing: thing, Was: was})
	return &s.moves[len(s.moves)-1]
}

// settleMembers runs at the end of a command: things join and leave dynamic groups,
// then jobs are told of the moves. It repeats while either causes more of the other,
// and fails with Internal after settleMax rounds.
func (ix *index) settleMembers(tx *commit.Tx) error {
	s := commit.OfCommand[unsettled](tx, ix)
	for range settleMax {
		if len(s.rechecks)+len(s.moves) == 0 {
			s.sealed = false
			return nil
		}
		looks := s.rechecks
		s.rechecks = nil
		if err := ix.applyRechecks(tx, looks); err != nil {
			return err
		}
		moves := s.moves
		s.moves = nil
		for _, m := range moves {
			if err := ix.jobs.Moved(tx, m); err != nil {
				return err
			}
		}
	}
	return muster.Errorf(muster.Internal, "the dynamic groups of the command never settle")
}

// crossing is that a thing enters or exits a dynamic group.
type crossing struct {
	thing muster.ThingName
	group *dynamicGroup
	exit  bool
	was   []string // in the first one of the thing: the groups that it was in, as in Move
}

// applyRechecks evaluates the queries that rechecks ask for and moves the things in or out
// where the answer differs from their membership. What is read for them is read for all at
// once: first for the queries, then for the moves.
func (ix *index) applyRechecks(tx *commit.Tx, looks []recheck) error {
	x, err := ix.view(tx)
	if err != nil || !x.state.Config.Things {
		return err
	}
	tx.PrefetchFar(func(w *commit.Wants) {
		for _, l := range looks {
			if len(l.groups) > 0 {
				x.wantRecheck(w, l.thing, l.groups)
			}
		}
	})
	var all []crossing
	for _, l := range looks {
		if all, err = x.addCrossings(tx, all, l.thing, l.groups); err != nil {
			return err
		}
	}
	tx.PrefetchFar(func(w *commit.Wants) {
		for _, c := range all {
			if c.exit {
				ix.jobs.WantMove(w, c.thing, c.group.LineageIDs(), nil)
			} else {
				ix.jobs.WantMove(w, c.thing, nil, c.group.LineageIDs())
			}
		}
	})
	for _, c := range all {
		m := ix.moveOf(tx, c.thing, c.was)
		if c.exit {
			err = ix.exitGroup(tx, m, c.group.Group)
		} else {
			err = ix.enterGroup(tx, x, m, c.group.Group)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addCrossings adds to all those that follow from the queries of the asked groups for a thing.
// Groups are evaluated oldest first: a query sees only older dynamic groups (matchesNow), so
// those that depend on a crossing come later in the loop and are added to asked in time.
func (x *indexView) addCrossings(tx *commit.Tx, all []crossing, thing muster.ThingName, asked map[muster.GroupName]bool) ([]crossing, error) {
	if len(asked) == 0 {
		return all, nil
	}
	t, err := tables.things.Get(tx, string(thing))
	if err != nil || t == nil {
		return all, err
	}
	is, err := groupsOf(tx, thing)
	if err != nil {
		return all, err
	}
	d := recordDocument(t)
	for i, g := range x.dynamic {
		if !asked[g.Name] {
			continue
		}
		matches, err := matchesNow(tx, x.state.Config, *t, is, d, g)
		if err != nil {
			return all, err
		}
		at := slices.IndexFunc(is, named(g.Name))
		if matches == (at >= 0) {
			continue
		}
		c := crossing{thing: thing, group: &x.dynamic[i], exit: at >= 0}
		if len(all) == 0 || all[len(all)-1].thing != thing {
			c.was = lineages(is)
		}
		all = append(all, c)
		if c.exit {
			is = slices.Delete(is, at, at+1)
		} else {
			is = append(is, g.Group)
		}
		x.addDependents(fleetquery.ThingGroupNames, asked)
	}
	return all, nil
}

// matchesNow reports whether the query of a dynamic group matches a thing. in are the
// groups of the thing, and d is its document; matchesNow writes into d: it replaces
// the groups and adds the fields that the query asks for. The query sees the static
// groups of the thing and those dynamic groups that are older than g, so no two
// dynamic groups can depend on each other's members.
func matchesNow(r store.Reader, c muster.IndexingConfig, t muster.Thing, in []muster.Group, d fleetquery.Document, g dynamicGroup) (bool, error) {
	if err := addAsked(r, c, d, t, g.query); err != nil {
		return false, err
	}
	delete(d, fleetquery.ThingGroupNames)
	for _, other := range in {
		if !other.IsDynamic() || other.Older(g.Group) {
			d.Add(fleetquery.ThingGroupNames, string(other.Name))
		}
	}
	return g.query.Matches(d), nil
}

// enterGroup makes a thing a direct member of a group: both rows of the membership,
// the index, the move and the event.
func (ix *index) enterGroup(tx *commit.Tx, x *indexView, m *Move, g muster.Group) error {
	tables.members.Put(tx, store.JoinKey(g.ID, string(m.Thing)), membership{Joined: tx.Now})
	tables.memberships.Put(tx, store.JoinKey(string(m.Thing), string(g.Name)), belonging{GroupID: g.ID})
	m.Joined = append(m.Joined, g.LineageIDs()...)
	if x.state.Config.Things {
		writeEntries(tx, m.Thing, nil, groupDocument(g.Name))
	}
	return ix.events.member(tx, eventlog.Added, m.Thing, g)
}

// exitGroup ends a direct membership. Jobs are told before the row is deleted, because
// they need the instant at which the thing joined.
func (ix *index) exitGroup(tx *commit.Tx, m *Move, g muster.Group) error {
	place, err := tables.members.Get(tx, store.JoinKey(g.ID, string(m.Thing)))
	if err != nil {
		return err
	}
	if place != nil {
		if err := ix.jobs.Leaving(tx, m.Thing, place.Joined, g.LineageIDs()); err != nil {
			return err
		}
	}
	tables.members.Delete(tx, store.JoinKey(g.ID, string(m.Thing)))
	tables.memberships.Delete(tx, store.JoinKey(string(m.Thing), string(g.Name)))
	m.Left = append(m.Left, g.LineageIDs()...)
	writeEntries(tx, m.Thing, groupDocument(g.Name), nil)
	return ix.events.member(tx, eventlog.Removed, m.Thing, g)
}

// ExecutionChanged tells the registry that the running command changes an execution.
// Dynamic groups whose queries ask for the status of its job are evaluated again for
// the thing at the end of the command, which is then for the wide lane (commit.Tx.Wide).
// Errors are those of the store.
func (s *Registry) ExecutionChanged(tx *commit.Tx, thing muster.ThingName, job muster.JobID) error {
	return s.index.recheckExecution(tx, thing, job)
}
