package sim

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// This file has the effects of operators' orders on the book.

func (b *book) createThing(name muster.ThingName, site string) {
	if b.things[name] != nil {
		return
	}
	b.moving([]muster.ThingName{name}, func() {
		b.things[name] = &thing{number: b.number(), site: site, groups: map[muster.GroupName]bool{}}
		b.refit(name)
	})
}

func (b *book) updateThing(name muster.ThingName, site string) {
	b.moving([]muster.ThingName{name}, func() {
		b.things[name].site = site
		b.refit(name)
	})
}

// refit puts a thing into the dynamic groups that it fits, and out of the others.
func (b *book) refit(name muster.ThingName) {
	t := b.things[name]
	for id, g := range b.groups {
		switch {
		case g.rule == nil:
		case g.rule(t):
			t.groups[id], g.members[name] = true, true
		default:
			delete(t.groups, id)
			delete(g.members, name)
		}
	}
}

func (b *book) deleteThing(name muster.ThingName) {
	t := b.things[name]
	if t == nil {
		return
	}
	for g := range t.groups {
		delete(b.groups[g].members, name)
	}
	delete(b.things, name)
	for _, j := range b.jobs {
		if x := j.latest(name); x != nil {
			j.former[name] = x.QueuedAt
		}
	}
	b.forget(name)
}

func (b *book) createGroup(name, parent muster.GroupName) {
	if b.groups[name] != nil {
		return
	}
	b.groups[name] = &group{number: b.number(), parent: parent, members: map[muster.ThingName]bool{}}
	if parent != "" {
		b.groups[parent].children++
	}
}

func (b *book) deleteGroup(name muster.GroupName) {
	g := b.groups[name]
	if g == nil {
		return
	}
	b.moving(names(g.members), func() {
		for member := range g.members {
			delete(b.things[member].groups, name)
		}
		delete(b.groups, name)
		for member := range g.members {
			b.refit(member)
		}
	})
	if g.parent != "" {
		b.groups[g.parent].children--
	}
}

// root returns the top of a group's hierarchy.
func (b *book) root(g muster.GroupName) (root muster.GroupName) {
	for above := range b.lineage(g) {
		root = above
	}
	return root
}

// mayRegroup returns how UpdateThingGroupsForThing must fail: a thing is in one
// group of a hierarchy at most (registry.md REG-45).
func (b *book) mayRegroup(name muster.ThingName, add, remove []muster.GroupName) muster.Kind {
	t := b.things[name]
	if t == nil {
		return muster.NotFound
	}
	for _, g := range slices.Concat(remove, add) {
		if b.groups[g] == nil {
			return muster.NotFound
		}
	}
	for _, g := range add {
		for in := range t.groups {
			if in != g && !slices.Contains(remove, in) && b.root(in) == b.root(g) {
				return muster.Invalid
			}
		}
	}
	return noFailure
}

func (b *book) regroup(name muster.ThingName, add, remove []muster.GroupName) {
	b.moving([]muster.ThingName{name}, func() {
		for _, g := range remove {
			delete(b.things[name].groups, g)
			delete(b.groups[g].members, name)
		}
		for _, g := range add {
			b.things[name].groups[g] = true
			b.groups[g].members[name] = true
		}
		b.refit(name)
	})
}

func (b *book) hasTarget(t muster.Target) bool { return b.present(t).ID != "0" }

func (j *job) has(t muster.Target) bool { return slices.Contains(j.targets, t) }

func (j *job) target(t muster.Target) {
	if !j.has(t) {
		j.targets = append(j.targets, t)
	}
}

func (b *book) updateJob(id muster.JobID, c jobs.JobChange) {
	j := b.jobs[id]
	if c.Rollout != nil {
		j.rates.fill(b.now, j.config.Rollout, b.limit, j.given, j.counts.Of(muster.Succeeded))
		j.config.Rollout = *c.Rollout
		j.rates.fill(b.now, j.config.Rollout, b.limit, j.given, j.counts.Of(muster.Succeeded))
	}
	if c.Abort != nil {
		j.config.Abort = *c.Abort
	}
	if c.TimeoutMinutes != nil {
		j.config.TimeoutMinutes = *c.TimeoutMinutes
	}
	if c.Retry != nil {
		j.config.Retry = *c.Retry
		clear(j.again)
	}
}

// associate gives a continuous job another target: its things must get it at the
// rate. Things that had the job before may get it again.
func (b *book) associate(id muster.JobID, t muster.Target) {
	j := b.jobs[id]
	var outside []muster.ThingName
	for name := range b.things {
		if !b.covers(j, name) {
			outside = append(outside, name)
		}
	}
	j.target(b.present(t))
	for _, name := range outside {
		if !b.covers(j, name) {
			continue
		}
		if j.latest(name) == nil {
			j.owed[name] = atStart
		} else {
			j.lenient[name] = true
		}
	}
}

func (b *book) cancelJob(id muster.JobID, force bool) {
	j := b.jobs[id]
	if j == nil {
		return // it was lost with the process that was asked
	}
	if j.stopped = canceled; force {
		j.stopped = forced
	}
}

func (b *book) deleteJob(id muster.JobID) {
	if j := b.jobs[id]; j != nil {
		j.stopped = deleted
	}
}

// operated returns the latest execution as an operator must find it; gone when
// there is none to be found.
func (b *book) operated(name muster.ThingName, id muster.JobID) (x *muster.Execution, gone bool) {
	j := b.jobs[id]
	if j == nil {
		return nil, true
	}
	latest := j.latest(name)
	if latest == nil {
		return nil, true
	}
	now := *latest
	now.Status, gone = j.effective(now)
	return &now, gone
}
