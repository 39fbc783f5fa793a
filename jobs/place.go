package jobs

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Coverage says how a thing stands to the targets of a job.
type Coverage uint8

// The coverages.
const (
	NotCovered Coverage = iota // in no target
	JoinedLate                 // it joined a target of a snapshot after the snapshot
	Left                       // it has left the last target of a continuous job
	NotReached                 // the rollout has not reached it
	JoinWaits                  // it came under a target of a continuous job and is given the job when its rate or its next window allows it
	RetryWaits                 // its execution has ended, and is retried when a window opens
	Reached                    // it has, or had, an execution
)

// Place is where a job is for a thing.
type Place struct {
	Coverage
	Target *muster.Target // through which it is covered; nil for none
	Joined muster.Instant // when it joined the group that is, or is below, Target

	// Of a thing that is NotReached, or JoinWaits: how many things the rollout comes to before it.
	Ahead   int
	AtLeast bool // there may be more
	About   bool // some of them may have the job already, or come up twice
}

// aheadMax bounds the things that are counted before another.
const aheadMax = 5000

// Place returns where a job is for a thing that is in the registry. latest is its latest execution, nil for none.
func (r Reading) Place(s *Standing, t *muster.Thing, latest *muster.Execution) (p Place, err error) {
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
			return r.withTurn(p, s, t.Name)
		}
	case waits != nil && waits.Join:
		return at.place(JoinWaits), nil
	case waits != nil:
		return at.place(RetryWaits), nil
	case joins:
		return r.withTurn(at.place(JoinWaits), s, t.Name)
	}
	return r.byRollout(s, t, latest, at)
}

// byRollout returns where the rollout of a job is for a thing that does not wait for anything else.
func (r Reading) byRollout(s *Standing, t *muster.Thing, latest *muster.Execution, at cover) (Place, error) {
	again := latest != nil && s.Selection == muster.Continuous && latest.Status == muster.Removed
	switch {
	case latest != nil && at.any() == nil && s.Selection == muster.Continuous:
		return at.place(Left), nil
	case latest != nil && at.any() == nil:
		return at.place(Reached), nil
	case at.first != nil && (latest == nil || again):
		return r.withTurn(at.place(NotReached), s, t.Name)
	case at.any() == nil:
		return Place{}, nil
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

// withTurn adds to the place of a thing how many come before it.
func (r Reading) withTurn(p Place, s *Standing, thing muster.ThingName) (Place, error) {
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
	current := s.Rollout.Target < len(s.Targets) && p.Target != nil && p.Target.ID == s.Targets[s.Rollout.Target].ID
	p.About = s.Counts.Total() != s.Rollout.Pace.Notified || p.Coverage == NotReached && !current
	return p, nil
}
