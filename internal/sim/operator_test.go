package sim

import (
	"context"
	"fmt"

	"github.com/muster-iot/muster"
)

// operator is all users of the control plane, and the cause of crashes.
type operator struct {
	next  muster.Instant
	pause muster.Instant // between two actions, on average
	ids   int
	docs  int
	names []muster.ThingName // of all things there ever were
	plan  []groupPlan
}

// groupPlan is a group that is created and deleted, always with the same parent.
type groupPlan struct{ name, parent muster.GroupName }

// order is something an operator asks for that changes the book.
type order struct {
	name   string
	call   func(context.Context) error
	want   muster.Kind                        // that it must fail with, or noFailure
	effect func(*book)                        // on the book, when it succeeds
	landed func(context.Context, *world) bool // whether it did, as far as can be seen
	asked  []request                          // the executions that it names
	rolls  muster.JobID                       // the job whose rollout it begins, or lets go on
}

// hierarchy has two deep trees and some groups that stand alone.
var hierarchy = []groupPlan{
	{"eu", ""}, {"de", "eu"}, {"fr", "eu"}, {"berlin", "de"}, {"lyon", "fr"}, {"us", ""}, {"ny", "us"}, {"la", "us"},
	{"canary", ""}, {"beta", ""}, {"lab", ""},
}

// sites are what things have for the attribute site, and so what dynamic groups
// ask for.
var sites = []string{"north", "south", "east"}

// dynamics are the dynamic groups, which stay.
var dynamics = []struct {
	name  muster.GroupName
	query string
	rule  func(*thing) bool
}{
	{"northern", "attributes.site:north", func(t *thing) bool { return t.site == "north" }},
	{"tested", "thingGroupNames:canary AND NOT attributes.site:south", func(t *thing) bool { return t.groups["canary"] && t.site != "south" }},
}

// populate makes the things and the groups of the beginning.
func (w *world) populate() {
	w.operator.plan = hierarchy
	w.operator.pause = []muster.Instant{20 * second, 2 * minute, 10 * minute}[w.rng.IntN(3)]
	for _, g := range hierarchy {
		w.obey(w.createGroup(g))
	}
	for _, g := range dynamics {
		w.obey(&order{
			name: fmt.Sprintf("CreateDynamicThingGroup %s %s", g.name, g.query), want: noFailure,
			call: func(ctx context.Context) error {
				_, err := w.service.Registry.CreateDynamicThingGroup(ctx, muster.Group{Name: g.name, Dynamic: &muster.MembershipRule{Query: g.query}}, nil)
				return err
			},
			effect: func(b *book) {
				b.groups[g.name] = &group{number: b.number(), members: map[muster.ThingName]bool{}, rule: g.rule}
			},
		})
		w.settle()
	}
	size := []int{5, 20, 60, 200, 800, 2500}[w.rng.IntN(6)]
	w.obey(w.createTemplate())
	for i := range size {
		name := muster.ThingName(fmt.Sprintf("t%04d", i))
		w.operator.names = append(w.operator.names, name)
		w.crowd.add(w, name)
		w.obey(w.createThing(name))
		for range w.rng.IntN(3) {
			w.obey(w.regroup(name))
		}
	}
	w.operator.next = w.now
	w.say("%d things", size)
}

// operate does one thing that an operator might do, or causes a crash.
func (w *world) operate() {
	w.operator.next = w.now + w.between(0, 2*w.operator.pause)
	if w.chance(25) {
		w.power.arm(1+w.rng.IntN(6), w.chance(2))
		w.say("the disk takes nothing any more, and the process will die")
	}
	if w.chance(10) {
		w.rush()
		return
	}
	w.obey(w.someOrder())
}

// obey carries an order out and compares the answer with the book.
func (w *world) obey(o *order) {
	w.unknown = o
	w.book.asked = append(w.book.asked, o.asked...)
	err, answered := w.do(o.call)
	w.say("%s: %v", o.name, err)
	if !answered {
		return // crashed finds out
	}
	w.unknown = nil
	if kindOf(err) != o.want {
		w.broke("%s = %v, want an error of kind %d", o.name, err, o.want)
	}
	if err == nil {
		o.effect(w.book)
	}
	w.judge(author{rolls: o.rolls})
	if err == nil && o.rolls != "" {
		w.book.prompt(o.rolls)
	}
	w.book.over()
}

func (w *world) someThing() muster.ThingName {
	return w.operator.names[w.rng.IntN(len(w.operator.names))]
}
func (w *world) someGroup() groupPlan { return w.operator.plan[w.rng.IntN(len(w.operator.plan))] }

// jobsMax is how many jobs there are at a time, more or less.
const jobsMax = 12

func (w *world) someJob() muster.JobID {
	return muster.JobID(fmt.Sprintf("j%02d", w.rng.IntN(jobsMax)))
}

// someOrder is a random order, which may be invalid.
func (w *world) someOrder() *order {
	switch roll := w.rng.IntN(100); {
	case roll < 6:
		return w.createThing(w.someThing())
	case roll < 9:
		return w.deleteThing(w.someThing())
	case roll < 11:
		return w.createGroup(w.someGroup())
	case roll < 13:
		return w.deleteGroup(w.someGroup().name)
	case roll < 24:
		return w.updateThing(w.someThing())
	case roll < 50:
		return w.regroup(w.someThing())
	case roll < 66:
		return w.createJob(w.someJob())
	case roll < 72:
		return w.updateJob(w.someJob())
	case roll < 76:
		return w.associate(w.someJob())
	case roll < 80:
		return w.cancelJob(w.someJob())
	case roll < 88:
		return w.deleteJob(w.someJob())
	case roll < 94:
		return w.cancelExecution(w.someThing(), w.someJob())
	}
	return w.deleteExecution(w.someThing(), w.someJob())
}
