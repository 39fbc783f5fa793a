package jobs

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// Coverage says how a thing stands to the targets of a job.
type Coverage uint8

// The coverages.
const (
	NotCovered  Coverage = iota // in no target
	JoinedLate                  // it joined a target of a snapshot after the snapshot
	Spared                      // it succeeded in the job before, and succeeded things are spared
	NotReached                  // the rollout has not reached it
	JoinWaits                   // it came under a target of a continuous job and is given the job at the rate of the rollout
	WindowWaits                 // it came under a target of a continuous job and is given the job when a window opens
	RetryWaits                  // its execution has ended, and is retried when a window opens
	Reached                     // it has, or had, an execution
)

// Place is where a job is for a thing.
type Place struct {
	Coverage
	Target *muster.Target // through which it is covered; nil for none
	Joined muster.Instant // when it joined the group that is, or is below, Target

	// Of a thing that is NotReached, or JoinWaits: how many things are given the job before it, and when it is its turn.
	Ahead     int
	AtLeast   bool           // there may be more
	At        muster.Instant // zero if that is not known
	AtIsExact bool           // unless somebody changes the job or its targets
}

// aheadMax bounds the things that are counted before another.
const aheadMax = 5000

// Place returns where a job is for a thing that is in the registry. latest is its latest execution, nil for none.
func (r Reading) Place(s *Standing, t *muster.Thing, latest *muster.Execution, now muster.Instant) (p Place, err error) {
	in, err := lookup.GroupsOf(r, t.Name)
	if err != nil {
		return p, err
	}
	at, err := r.coveredBy(s.Job, t, in)
	if err != nil {
		return p, err
	}
	key := store.JoinKey(string(s.ID), string(t.Name))
	waits, err := tables.deferred.Get(r, key)
	if err != nil {
		return p, err
	}
	joins, err := tables.joining.Has(r, key)
	if err != nil {
		return p, err
	}
	switch {
	case waits != nil && waits.ThingID != "":
		if waits.ThingID == t.ID {
			p.Coverage = NotReached
			return r.withTurn(p, s, t.Name, now)
		}
	case waits != nil && waits.Join:
		return at.place(WindowWaits), nil
	case waits != nil:
		return at.place(RetryWaits), nil
	case joins:
		return r.withTurn(at.place(JoinWaits), s, t.Name, now)
	}
	return r.byRollout(s, t, latest, at, now)
}

// byRollout returns where the rollout of a job is for a thing that does not wait for anything else.
func (r Reading) byRollout(s *Standing, t *muster.Thing, latest *muster.Execution, at cover, now muster.Instant) (Place, error) {
	again := latest != nil && s.Selection == muster.Continuous && latest.Status == muster.Removed
	switch {
	case latest != nil && at.any() == nil && !again:
		return at.place(Reached), nil
	case at.first != nil && (latest == nil || again):
		return r.withTurn(at.place(NotReached), s, t.Name, now)
	case at.any() == nil:
		return Place{}, nil
	case latest != nil && r.of.skipSucceeded && latest.Status == muster.Succeeded && at.any().joined > latest.UpdatedAt:
		return at.place(Spared), nil
	case latest == nil && s.Selection == muster.Snapshot && !isFor(s.Job, at.any().joined):
		return at.place(JoinedLate), nil
	}
	return at.place(Reached), nil
}

// cover is how a thing is covered by the targets of a job.
type cover struct {
	first  *covering // the first target in which the rollout has still to reach it; nil for none
	passed *covering // a target that covers it and in which the rollout has been, or that is not for it; nil for none
}

// covering is a target that covers a thing.
type covering struct {
	target *muster.Target
	joined muster.Instant // zero for a thing
}

func (c cover) any() *covering {
	if c.first != nil {
		return c.first
	}
	return c.passed
}

func (c cover) place(of Coverage) Place {
	p := Place{Coverage: of}
	if a := c.any(); a != nil {
		p.Target, p.Joined = a.target, a.joined
	}
	return p
}

// coveredBy finds the targets of j that cover a thing which is in some groups.
func (r Reading) coveredBy(j *muster.Job, t *muster.Thing, in []muster.Group) (at cover, err error) {
	for i := range j.Targets {
		c := &covering{target: &j.Targets[i]}
		var below *muster.Group
		if c.target.ID != t.ID {
			n := slices.IndexFunc(in, func(g muster.Group) bool { return slices.Contains(g.LineageIDs(), c.target.ID) })
			if n < 0 {
				continue
			}
			below = &in[n]
			if c.joined, err = lookup.Joined(r, below.ID, t.Name); err != nil {
				return at, err
			}
		}
		ahead, err := r.isAhead(j, i, below, t.Name)
		if err != nil {
			return at, err
		}
		if ahead && (below == nil || isFor(j, c.joined)) {
			at.first = c
			return at, nil
		}
		if at.passed == nil {
			at.passed = c
		}
	}
	return at, nil
}

// isAhead reports whether the rollout of j has still to come to a thing in a target: in the group below, or the thing itself
// if that is nil.
func (r Reading) isAhead(j *muster.Job, target int, below *muster.Group, thing muster.ThingName) (bool, error) {
	at := j.Rollout
	switch {
	case at.Done || target < at.Target:
		return false, nil
	case target > at.Target || at.Group == "" || below == nil:
		return true, nil
	case at.Group == string(below.Name):
		return string(thing) > at.After, nil
	}
	current, err := lookup.FindGroup(r, muster.GroupName(at.Group))
	if err != nil || current == nil {
		return true, err // the walk begins again
	}
	root := muster.GroupName(j.Targets[target].Name)
	a, b := slices.Index(below.Lineage(), root), slices.Index(current.Lineage(), root)
	return a > b || a == b && below.Name > current.Name, nil
}

// withTurn adds to the place of a thing how many come before it, and when it is its turn.
func (r Reading) withTurn(p Place, s *Standing, thing muster.ThingName, now muster.Instant) (Place, error) {
	if !s.Status.Active() || s.Over {
		return p, nil
	}
	from, to := store.Under(string(s.ID))
	for row, err := range tables.joining.Scan(r, from, to) {
		if err != nil {
			return p, err
		}
		if p.Coverage == JoinWaits && nameOf(row) == thing {
			break
		}
		if p.Ahead == aheadMax {
			p.AtLeast = true
			break
		}
		p.Ahead++
	}
	if p.Coverage == NotReached {
		for name, err := range r.Remaining(s.Job) {
			if err != nil {
				return p, err
			}
			if name == thing {
				break
			}
			if p.Ahead >= aheadMax {
				p.AtLeast = true
				break
			}
			p.Ahead++
		}
	}
	if s.Waiting || s.Building != "" {
		return p, nil
	}
	pace := rollout.Snapshot{Status: s.Status, Config: s.Config.Rollout, Maximum: r.of.rolloutPerMinute, Pace: s.Rollout.Pace, Counts: s.Counts}
	p.At = rollout.Turn(now, pace, s.timetable, p.Ahead+1)
	// A thing that comes up twice, or has the job already, costs no part of the rate.
	given := s.Counts.Total() == s.Rollout.Pace.Notified
	last := p.Coverage == JoinWaits || p.Target != nil && s.Rollout.Target < len(s.Targets) && p.Target.ID == s.Targets[s.Rollout.Target].ID
	p.AtIsExact = p.At != 0 && s.Config.Rollout.Exponential == nil && !p.AtLeast && given && last
	return p, nil
}
