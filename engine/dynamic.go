package engine

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
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

// move is a thing whose groups change in the running command. What the jobs make
// of it is asked once, at its end, so that only the final state counts.
type move struct {
	thing        muster.ThingName
	was          []string // ids of the groups it was under before
	left, joined []string // and of those that it came out of and under
}

// stirred is a thing that dynamic groups have to look at again.
type stirred struct {
	thing  muster.ThingName
	groups map[muster.GroupName]bool
}

// unsettled is what a command has left to settle.
type unsettled struct {
	stirred []stirred // things that dynamic groups have to look at, in order
	moves   []move    // things that joined or left groups, in order
	sealed  bool      // it will be settled at the end of the command
}

var unsettledKey any = new(int)

// unsettled returns what the command has left to settle, to be added to.
func (b *batch) unsettled() *unsettled {
	s := commit.OfCommand[unsettled](b.Tx, unsettledKey)
	if !s.sealed {
		s.sealed = true
		b.Before(settling, b.settleMembers)
	}
	return s
}

// stir remembers that a field of a thing changed.
func (b *batch) stir(x *fleetIndex, thing muster.ThingName, field string) {
	if len(x.dynamic) > 0 {
		x.asking(field, b.stirring(thing).groups)
	}
}

// stirNew remembers that there is a new thing, which may match anything.
func (b *batch) stirNew(thing muster.ThingName) error {
	x, err := b.fleet()
	if err != nil || !x.state.Config.Things {
		return err
	}
	for _, g := range x.dynamic {
		b.stirring(thing).groups[g.Name] = true
	}
	return nil
}

// stirExecution remembers that an execution changed, if anybody asks for its
// job.
func (b *batch) stirExecution(thing muster.ThingName, job muster.JobID) error {
	x, err := b.fleet()
	if err != nil || len(x.dynamic) == 0 || !x.state.Config.Things {
		return err
	}
	if field := fleetquery.JobStatus(string(job)); len(x.mentioned[field]) > 0 {
		b.stir(x, thing, field)
	}
	return nil
}

func (b *batch) stirring(thing muster.ThingName) *stirred {
	s := b.unsettled()
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
func (b *batch) moving(thing muster.ThingName, was []string) *move {
	s := b.unsettled()
	for i := range s.moves {
		if s.moves[i].thing == thing {
			return &s.moves[i]
		}
	}
	s.moves = append(s.moves, move{thing: thing, was: was})
	return &s.moves[len(s.moves)-1]
}

// settleMembers draws the conclusions of a command: what was stirred joins and
// leaves dynamic groups, then who moved gets and loses jobs.
func (b *batch) settleMembers() error {
	s := commit.OfCommand[unsettled](b.Tx, unsettledKey)
	for range settleMax {
		if len(s.stirred)+len(s.moves) == 0 {
			s.sealed = false
			return nil
		}
		looks := s.stirred
		s.stirred = nil
		for _, l := range looks {
			if err := b.look(l.thing, l.groups); err != nil {
				return err
			}
		}
		moves := s.moves
		s.moves = nil
		for _, m := range moves {
			if err := b.leave(m.thing, m.left); err != nil {
				return err
			}
			if err := b.join(m.thing, m.joined, m.was); err != nil {
				return err
			}
		}
	}
	return muster.Errorf(muster.Internal, "the dynamic groups of the command never settle")
}

// look asks dynamic groups whether a thing matches, and moves it. Those that ask
// for a group that it moved into or out of are asked, too.
func (b *batch) look(thing muster.ThingName, asked map[muster.GroupName]bool) error {
	x, err := b.fleet()
	if err != nil || len(asked) == 0 || !x.state.Config.Things {
		return err
	}
	t, err := things.Get(b, string(thing))
	if err != nil || t == nil {
		return err
	}
	is, err := groupsOf(b, thing)
	if err != nil {
		return err
	}
	d := recordDocument(t)
	for _, g := range x.dynamic {
		if !asked[g.Name] {
			continue
		}
		matches, err := matchesNow(b, x.state.Config, *t, is, d, g)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(is, named(g.Name))
		if matches == (at >= 0) {
			continue
		}
		m := b.moving(thing, lineages(is))
		if at >= 0 {
			is = slices.Delete(is, at, at+1)
			err = b.exit(m, g.Group)
		} else {
			is = append(is, g.Group)
			err = b.enter(x, m, g.Group)
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
func (b *batch) enter(x *fleetIndex, m *move, g muster.Group) error {
	members.Put(b, store.JoinKey(g.ID, string(m.thing)), membership{Joined: b.Now})
	memberships.Put(b, store.JoinKey(string(m.thing), string(g.Name)), belonging{GroupID: g.ID})
	m.joined = append(m.joined, g.LineageIDs()...)
	if x.state.Config.Things {
		b.post(m.thing, nil, groupDocument(g.Name))
	}
	return b.tellMember(Added, m.thing, g)
}

// exit takes a thing out of a group.
func (b *batch) exit(m *move, g muster.Group) error {
	place, err := members.Get(b, store.JoinKey(g.ID, string(m.thing)))
	if err != nil {
		return err
	}
	if place != nil {
		if err := b.capture(m.thing, place.Joined, g.LineageIDs()); err != nil {
			return err
		}
	}
	members.Delete(b, store.JoinKey(g.ID, string(m.thing)))
	memberships.Delete(b, store.JoinKey(string(m.thing), string(g.Name)))
	m.left = append(m.left, g.LineageIDs()...)
	b.post(m.thing, groupDocument(g.Name), nil)
	return b.tellMember(Removed, m.thing, g)
}
