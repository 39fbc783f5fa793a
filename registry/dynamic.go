package registry

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file keeps the members of dynamic groups (registry.md REG-62): a command
// that changes what the index knows of a thing stirs it, and when the command is
// done, in the same transaction, the groups whose queries mention what changed
// look at the thing again. What that costs depends on those groups only, not on
// the size of the fleet.

// settleMax bounds the rounds of one command. A change of executions can stir
// again, but a group cannot depend on a job that depends on it (mayFollow), so
// there are never more rounds than dynamic groups and jobs in a chain.
const settleMax = 1000

// Move is a thing whose groups change in the running command. What the jobs make
// of it is asked once, at its end, so that only the final state counts.
type Move struct {
	Thing        muster.ThingName
	Was          []string // ids of the groups it was under before
	Left, Joined []string // and of those that it came out of and under
}

// stirred is a thing that dynamic groups have to look at again.
type stirred struct {
	thing  muster.ThingName
	groups map[muster.GroupName]bool
}

// unsettled is what a command has left to settle.
type unsettled struct {
	stirred []stirred // things that dynamic groups have to look at, in order
	moves   []Move    // things that joined or left groups, in order
	sealed  bool      // it will be settled at the end of the command
}

// unsettled returns what the command has left to settle, to be added to.
func (ix *index) unsettled(tx *commit.Tx) *unsettled {
	s := commit.OfCommand[unsettled](tx, ix)
	if !s.sealed {
		s.sealed = true
		tx.Before(Rank, func() error { return ix.settle(tx) })
	}
	return s
}

// stir remembers that a field of a thing changed.
func (ix *index) stir(tx *commit.Tx, x *indexView, thing muster.ThingName, field string) {
	if len(x.dynamic) > 0 {
		x.asking(field, ix.stirring(tx, thing).groups)
	}
}

// stirNew remembers that there is a new thing, which may match anything.
func (ix *index) stirNew(tx *commit.Tx, thing muster.ThingName) error {
	x, err := ix.read(tx)
	if err != nil || !x.state.Config.Things {
		return err
	}
	for _, g := range x.dynamic {
		ix.stirring(tx, thing).groups[g.Name] = true
	}
	return nil
}

// stirExecution remembers that an execution changed, if anybody asks for its
// job.
func (ix *index) stirExecution(tx *commit.Tx, thing muster.ThingName, job muster.JobID) error {
	x, err := ix.read(tx)
	if err != nil || len(x.dynamic) == 0 || !x.state.Config.Things {
		return err
	}
	if field := fleetquery.JobStatus(string(job)); len(x.mentioned[field]) > 0 {
		ix.stir(tx, x, thing, field)
	}
	return nil
}

func (ix *index) stirring(tx *commit.Tx, thing muster.ThingName) *stirred {
	s := ix.unsettled(tx)
	for i := range s.stirred {
		if s.stirred[i].thing == thing {
			return &s.stirred[i]
		}
	}
	s.stirred = append(s.stirred, stirred{thing: thing, groups: map[muster.GroupName]bool{}})
	return &s.stirred[len(s.stirred)-1]
}

// moving returns the move of a thing in this command, which was under the groups
// was if it begins now.
func (ix *index) moving(tx *commit.Tx, thing muster.ThingName, was []string) *Move {
	s := ix.unsettled(tx)
	for i := range s.moves {
		if s.moves[i].Thing == thing {
			return &s.moves[i]
		}
	}
	s.moves = append(s.moves, Move{Thing: thing, Was: was})
	return &s.moves[len(s.moves)-1]
}

// settleMembers draws the conclusions of a command: what was stirred joins and
// leaves dynamic groups, then who moved gets and loses jobs.
func (ix *index) settle(tx *commit.Tx) error {
	s := commit.OfCommand[unsettled](tx, ix)
	for range settleMax {
		if len(s.stirred)+len(s.moves) == 0 {
			s.sealed = false
			return nil
		}
		looks := s.stirred
		s.stirred = nil
		for _, l := range looks {
			if err := ix.look(tx, l.thing, l.groups); err != nil {
				return err
			}
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

// look asks dynamic groups whether a thing matches, and moves it. Those that ask
// for a group that it moved into or out of are asked, too.
func (ix *index) look(tx *commit.Tx, thing muster.ThingName, asked map[muster.GroupName]bool) error {
	x, err := ix.read(tx)
	if err != nil || len(asked) == 0 || !x.state.Config.Things {
		return err
	}
	t, err := tables.things.Get(tx, string(thing))
	if err != nil || t == nil {
		return err
	}
	is, err := groupsOf(tx, thing)
	if err != nil {
		return err
	}
	d := recordDocument(t)
	for _, g := range x.dynamic {
		if !asked[g.Name] {
			continue
		}
		matches, err := matchesNow(tx, x.state.Config, *t, is, d, g)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(is, named(g.Name))
		if matches == (at >= 0) {
			continue
		}
		m := ix.moving(tx, thing, lineages(is))
		if at >= 0 {
			is = slices.Delete(is, at, at+1)
			err = ix.exit(tx, m, g.Group)
		} else {
			is = append(is, g.Group)
			err = ix.enter(tx, x, m, g.Group)
		}
		if err != nil {
			return err
		}
		x.asking(fleetquery.ThingGroupNames, asked)
	}
	return nil
}

// matchesNow reports whether a dynamic group should have a thing, of which d is
// the rest of the document. The group sees the static groups that the thing is in
// and the dynamic ones that are older than itself, so that no two can depend on
// each other.
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

// enter puts a thing into a group.
func (ix *index) enter(tx *commit.Tx, x *indexView, m *Move, g muster.Group) error {
	tables.members.Put(tx, store.JoinKey(g.ID, string(m.Thing)), membership{Joined: tx.Now})
	tables.memberships.Put(tx, store.JoinKey(string(m.Thing), string(g.Name)), belonging{GroupID: g.ID})
	m.Joined = append(m.Joined, g.LineageIDs()...)
	if x.state.Config.Things {
		post(tx, m.Thing, nil, groupDocument(g.Name))
	}
	return ix.events.member(tx, eventlog.Added, m.Thing, g)
}

// exit takes a thing out of a group.
func (ix *index) exit(tx *commit.Tx, m *Move, g muster.Group) error {
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
	post(tx, m.Thing, groupDocument(g.Name), nil)
	return ix.events.member(tx, eventlog.Removed, m.Thing, g)
}

// ExecutionChanged says that the running command changed an execution: dynamic
// groups that ask for its job look at the thing again.
func (s *Registry) ExecutionChanged(tx *commit.Tx, thing muster.ThingName, job muster.JobID) error {
	return s.index.stirExecution(tx, thing, job)
}
