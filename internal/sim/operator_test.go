package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
)

// operator is everybody who uses the control plane, and whoever pulls plugs.
type operator struct {
	next  muster.Instant
	pause muster.Instant // between two actions, on average
	ids   int
	docs  int
	names []muster.ThingName // of all things there ever were
	plan  []groupPlan
}

// groupPlan is a group that comes and goes, always in the same place.
type groupPlan struct{ name, parent muster.GroupName }

// order is something an operator asks for that changes the book.
type order struct {
	name   string
	call   func(context.Context) error
	want   muster.Kind                        // that it must fail with, or noFailure
	effect func(*book)                        // on the book, when it succeeds
	landed func(context.Context, *world) bool // whether it did, as far as can be seen
	asked  []request                          // the executions that it names
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
				_, err := w.engine.CreateDynamicThingGroup(ctx, muster.Group{Name: g.name, Dynamic: &muster.Membership{Query: g.query}}, nil)
				return err
			},
			effect: func(b *book) { b.groups[g.name] = &group{members: map[muster.ThingName]bool{}, rule: g.rule} },
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

// operate does one thing that an operator might do, or pulls the plug.
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

// obey carries an order out and holds the answer against the book.
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
	w.judge(false)
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

// someOrder is an order for something that may or may not make sense.
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

func (w *world) createThing(name muster.ThingName) *order {
	site := sites[w.rng.IntN(len(sites))]
	o := &order{
		name: fmt.Sprintf("CreateThing %s at %s", name, site), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.engine.CreateThing(ctx, muster.Thing{Name: name, Attributes: map[string]string{"site": site}})
			return err
		},
		effect: func(b *book) { b.createThing(name, site) },
		landed: func(ctx context.Context, w *world) bool { return w.hasThing(ctx, name) },
	}
	if t := w.book.things[name]; t != nil && t.site != site {
		o.want = muster.AlreadyExists
	}
	return o
}

// updateThing moves a thing to another site, and so between dynamic groups.
func (w *world) updateThing(name muster.ThingName) *order {
	site := sites[w.rng.IntN(len(sites))]
	o := &order{
		name: fmt.Sprintf("UpdateThing %s to %s", name, site), want: noFailure,
		call: func(ctx context.Context) error {
			return w.engine.UpdateThing(ctx, name, muster.ThingUpdate{Attributes: muster.AttributePayload{Attributes: map[string]string{"site": site}, Merge: true}})
		},
		effect: func(b *book) { b.updateThing(name, site) },
		landed: func(ctx context.Context, w *world) bool {
			t, err := w.engine.DescribeThing(ctx, name)
			return err == nil && t.Attributes["site"] == site
		},
	}
	if w.book.things[name] == nil {
		o.want = muster.NotFound
	}
	return o
}

func (w *world) deleteThing(name muster.ThingName) *order {
	return &order{
		name: "DeleteThing " + string(name), want: noFailure,
		call:   func(ctx context.Context) error { return w.engine.DeleteThing(ctx, name, nil) },
		effect: func(b *book) { b.deleteThing(name) },
		landed: func(ctx context.Context, w *world) bool { return !w.hasThing(ctx, name) },
	}
}

func (w *world) hasThing(ctx context.Context, name muster.ThingName) bool {
	_, err := w.engine.DescribeThing(ctx, name)
	return err == nil
}

func (w *world) createGroup(g groupPlan) *order {
	o := &order{
		name: "CreateThingGroup " + string(g.name), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.engine.CreateThingGroup(ctx, muster.Group{Name: g.name, Parent: g.parent}, nil)
			return err
		},
		effect: func(b *book) { b.createGroup(g.name, g.parent) },
		landed: func(ctx context.Context, w *world) bool { return w.hasGroup(ctx, g.name) },
	}
	if w.book.groups[g.name] == nil && g.parent != "" && w.book.groups[g.parent] == nil {
		o.want = muster.NotFound
	}
	return o
}

func (w *world) deleteGroup(name muster.GroupName) *order {
	o := &order{
		name: "DeleteThingGroup " + string(name), want: noFailure,
		call:   func(ctx context.Context) error { return w.engine.DeleteThingGroup(ctx, name, nil) },
		effect: func(b *book) { b.deleteGroup(name) },
		landed: func(ctx context.Context, w *world) bool { return !w.hasGroup(ctx, name) },
	}
	if g := w.book.groups[name]; g != nil && g.children > 0 {
		o.want = muster.Invalid
	}
	return o
}

func (w *world) hasGroup(ctx context.Context, name muster.GroupName) bool {
	_, err := w.engine.DescribeThingGroup(ctx, name)
	return err == nil
}

// regroup moves a thing: into a group, out of one, or both at once.
func (w *world) regroup(name muster.ThingName) *order {
	var add, remove []muster.GroupName
	t := w.book.things[name]
	if t != nil && len(t.groups) > 0 && w.chance(2) {
		in := slices.DeleteFunc(names(t.groups), func(g muster.GroupName) bool { return w.book.groups[g].rule != nil })
		if len(in) == 0 {
			in = append(in, w.someGroup().name)
		}
		remove = append(remove, in[w.rng.IntN(len(in))])
	}
	if len(remove) == 0 || w.chance(2) {
		add = append(add, w.someGroup().name)
	}
	o := &order{
		name: fmt.Sprintf("UpdateThingGroupsForThing %s +%v -%v", name, add, remove), want: w.book.mayRegroup(name, add, remove),
		call: func(ctx context.Context) error {
			return w.engine.UpdateThingGroupsForThing(ctx, name, add, remove)
		},
		effect: func(b *book) { b.regroup(name, add, remove) },
		landed: func(ctx context.Context, w *world) bool {
			list, err := w.engine.ListThingGroupsForThing(ctx, name, engine.Page{})
			in := map[muster.GroupName]bool{}
			for _, g := range list.Groups {
				in[g] = true
			}
			for _, g := range add {
				if !in[g] {
					return false
				}
			}
			for _, g := range remove {
				if in[g] {
					return false
				}
			}
			return err == nil
		},
	}
	return o
}

// createJob orders a job of any kind.
func (w *world) createJob(id muster.JobID) *order {
	w.operator.docs++
	j := &job{
		id: id, document: fmt.Sprintf(`{"nonce":%d}`, w.operator.docs), selection: muster.Selection(w.rng.IntN(2)),
		runs: map[muster.ThingName][]muster.Execution{}, owed: map[muster.ThingName]debt{},
		again: map[muster.ThingName]bool{}, left: map[muster.ThingName]bool{}, lenient: map[muster.ThingName]bool{},
	}
	if w.chance(8) {
		j.namespace = namespaces[1]
	}
	want := noFailure
	for range 1 + w.rng.IntN(3) {
		j.target(w.someTarget())
	}
	for _, t := range j.targets {
		if !w.book.hasTarget(t) {
			want = muster.NotFound
		}
	}
	w.configure(j)
	was := w.book.jobs[id]
	if want == noFailure && was != nil {
		want = muster.AlreadyExists
	}
	if w.chance(8) {
		j.config, j.document, j.calendar = templateConfig, templateDocument, calendar{}
	}
	in := engine.NewJob{ID: id, Namespace: j.namespace, Targets: j.targets, Selection: j.selection, Document: j.document, Config: j.config}
	if j.document == templateDocument {
		in.Template, in.Document, in.Config = account.JobTemplateARN(templateID), "", muster.JobConfig{}
	}
	return &order{
		name: fmt.Sprintf("CreateJob %s %s for %v: %s", id, j.selection, j.targets, written(j.config)), want: want,
		call:   func(ctx context.Context) error { _, err := w.engine.CreateJob(ctx, in); return err },
		effect: func(b *book) { b.jobs[id] = j },
		landed: func(ctx context.Context, w *world) bool {
			text, err := w.engine.JobDocument(ctx, id, false)
			return err == nil && text == j.document
		},
	}
}

// The one job template, from which some jobs are made.
const (
	templateID       = "standard"
	templateDocument = `{"from":"a template"}`
)

var templateConfig = muster.JobConfig{
	Rollout: muster.RolloutConfig{MaximumPerMinute: 30}, TimeoutMinutes: 45,
	Retry: []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 2}},
}

func (w *world) createTemplate() *order {
	return &order{
		name: "CreateJobTemplate " + templateID, want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.engine.CreateJobTemplate(ctx, engine.NewJobTemplate{ID: templateID, Description: "what most jobs are like", Document: templateDocument, Config: templateConfig})
			return err
		},
		effect: func(*book) {},
	}
}

func (w *world) someTarget() muster.Target {
	if w.chance(4) {
		return muster.Target{Name: string(w.someThing())}
	}
	if w.chance(4) {
		return muster.Target{Group: true, Name: string(dynamics[w.rng.IntN(len(dynamics))].name)}
	}
	return muster.Target{Group: true, Name: string(w.someGroup().name)}
}

// configure leaves about half of what can be configured out.
func (w *world) configure(j *job) {
	c := &j.config
	c.Rollout = w.someRollout()
	if w.chance(2) {
		c.TimeoutMinutes = 1 + w.rng.IntN(120)
	}
	if w.chance(2) {
		c.Retry = w.someRetries()
	}
	if w.chance(3) {
		c.Abort = w.someAbort()
	}
	if w.chance(5) {
		j.calendar.start = (w.now/minute + 31) * minute
		if w.chance(2) {
			j.calendar.start += w.between(0, day) / minute * minute
		}
	}
	if w.chance(4) {
		j.calendar.end = max(w.now/minute*minute, j.calendar.start) + 31*minute + w.between(0, day)/minute*minute
		j.calendar.behavior = []muster.EndBehavior{"", muster.StopRollout, muster.CancelAtEnd, muster.ForceAtEnd}[w.rng.IntN(4)]
	}
	if j.selection == muster.Continuous && w.chance(3) {
		for range 1 + w.rng.IntN(2) {
			j.calendar.windows = append(j.calendar.windows, window{w.rng.IntN(60), []int{1, 1, 2, 6}[w.rng.IntN(4)], 1 + w.rng.IntN(50)})
		}
	}
	c.Schedule = j.calendar.order()
}

func (w *world) someRollout() muster.RolloutConfig {
	var c muster.RolloutConfig
	if w.chance(2) {
		c.MaximumPerMinute = 1 + w.rng.IntN([]int{5, 80, 400}[w.rng.IntN(3)])
	}
	if w.chance(3) {
		x := &muster.ExponentialRate{BasePerMinute: 1 + w.rng.IntN(30), Factor: float64(11+w.rng.IntN(40)) / 10}
		if w.chance(2) {
			x.NotifiedThings = 1 + w.rng.IntN(50)
		}
		if x.NotifiedThings == 0 || w.chance(2) {
			x.SucceededThings = 1 + w.rng.IntN(50)
		}
		c.Exponential = x
	}
	return c
}

func (w *world) someRetries() []muster.RetryCriterion {
	if w.chance(2) {
		return []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 1 + w.rng.IntN(4)}}
	}
	return []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: w.rng.IntN(4)}, {Failure: muster.FailureTimedOut, Max: w.rng.IntN(4)}}
}

func (w *world) someAbort() []muster.AbortCriterion {
	all := []muster.FailureType{muster.FailureAll, muster.FailureFailed, muster.FailureRejected, muster.FailureTimedOut}
	var criteria []muster.AbortCriterion
	for range 1 + w.rng.IntN(2) {
		criteria = append(criteria, muster.AbortCriterion{
			Failure: all[w.rng.IntN(len(all))], ThresholdPercent: float64(1+w.rng.IntN(400)) / 4, MinExecuted: 1 + w.rng.IntN(20),
		})
	}
	return criteria
}

func (w *world) updateJob(id muster.JobID) *order {
	var change engine.JobChange
	rollout, abort, timeout, none := w.someRollout(), w.someAbort(), 1+w.rng.IntN(60), []muster.RetryCriterion{{Failure: muster.FailureAll}}
	if w.chance(2) {
		change.Rollout = &rollout
	}
	if w.chance(4) {
		change.Abort = &abort
	}
	if w.chance(3) {
		change.TimeoutMinutes = &timeout
	}
	if w.chance(8) {
		change.Retry = &none
	}
	o := &order{
		name: fmt.Sprintf("UpdateJob %s %s", id, written(change)), want: noFailure,
		call:   func(ctx context.Context) error { return w.engine.UpdateJob(ctx, id, nil, change) },
		effect: func(b *book) { b.updateJob(id, change) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.engine.DescribeJob(ctx, id)
			return err == nil && (change.Rollout == nil || sameRollout(d.Config.Rollout, rollout)) && (change.TimeoutMinutes == nil || d.Config.TimeoutMinutes == timeout) &&
				(change.Abort == nil || len(d.Config.Abort) == len(abort) && d.Config.Abort[0] == abort[0]) && (change.Retry == nil || len(d.Config.Retry) == 1 && d.Config.Retry[0] == none[0])
		},
	}
	if j := w.book.jobs[id]; j == nil {
		o.want = muster.NotFound
	} else if !j.stored.Status.Active() && change != (engine.JobChange{}) {
		o.want = muster.Invalid
	}
	return o
}

func sameRollout(a, b muster.RolloutConfig) bool {
	if a.MaximumPerMinute != b.MaximumPerMinute || (a.Exponential == nil) != (b.Exponential == nil) {
		return false
	}
	return a.Exponential == nil || *a.Exponential == *b.Exponential
}

func (w *world) associate(id muster.JobID) *order {
	t := w.someTarget()
	o := &order{
		name: fmt.Sprintf("AssociateTargetsWithJob %s %v", id, t), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.engine.AssociateTargets(ctx, id, nil, []muster.Target{t}, nil)
			return err
		},
		effect: func(b *book) { b.associate(id, t) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.engine.DescribeJob(ctx, id)
			return err == nil && slices.Contains(d.Targets, t)
		},
	}
	switch j := w.book.jobs[id]; {
	case j == nil:
		o.want = muster.NotFound
	case j.selection != muster.Continuous || j.stored.Status != muster.JobInProgress || j.stored.Over:
		o.want = muster.Invalid
	case !w.book.hasTarget(t) && !j.has(t):
		o.want = muster.NotFound
	}
	return o
}

func (w *world) cancelJob(id muster.JobID) *order {
	force := w.chance(2)
	o := &order{
		name: fmt.Sprintf("CancelJob %s force=%v", id, force), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.engine.CancelJob(ctx, id, engine.Cancellation{Force: force})
			return err
		},
		effect: func(b *book) { b.cancelJob(id, force) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.engine.DescribeJob(ctx, id)
			return err == nil && d.Status == muster.JobCanceled && (d.ForceCanceled || !force)
		},
	}
	switch j := w.book.jobs[id]; {
	case j == nil:
		o.want = muster.NotFound
	case j.stored.Status.Active(), force && j.stored.Status == muster.JobCanceled && j.counts.Pending() > 0:
	default:
		o.want = muster.InvalidTransition
	}
	return o
}

func (w *world) deleteJob(id muster.JobID) *order {
	force := w.chance(2)
	o := &order{
		name: fmt.Sprintf("DeleteJob %s force=%v", id, force), want: noFailure,
		call:   func(ctx context.Context) error { return w.engine.DeleteJob(ctx, id, nil, force) },
		effect: func(b *book) { b.deleteJob(id) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.engine.DescribeJob(ctx, id)
			return err != nil || d.Status == muster.JobDeleting
		},
	}
	switch j := w.book.jobs[id]; {
	case j == nil:
		o.want = muster.NotFound
	case j.stopped == deleted, j.stored.Status.Active() && !force:
		o.want = muster.InvalidTransition
	}
	return o
}

func (w *world) cancelExecution(name muster.ThingName, id muster.JobID) *order {
	force := w.chance(2)
	o := &order{
		name: fmt.Sprintf("CancelJobExecution %s %s force=%v", name, id, force), want: noFailure,
		call: func(ctx context.Context) error {
			return w.engine.CancelExecution(ctx, engine.ExecutionCancellation{Thing: name, Job: id, Force: force})
		},
		effect: func(*book) {}, landed: func(context.Context, *world) bool { return true },
		asked: []request{{thing: name, job: id, by: muster.Operator, status: muster.Canceled}},
	}
	if force {
		o.asked[0].by = muster.Forced
	}
	x, gone := w.book.operated(name, id)
	switch {
	case gone:
		o.want = muster.NotFound
	case x == nil, x.Status.Terminal(), x.Status == muster.InProgress && !force:
		o.want = muster.InvalidTransition
	}
	return o
}

func (w *world) deleteExecution(name muster.ThingName, id muster.JobID) *order {
	force := w.chance(2)
	number := int64(1)
	if j := w.book.jobs[id]; j != nil {
		if x := j.latest(name); x != nil {
			number = 1 + w.rng.Int64N(x.Number)
		}
	}
	o := &order{
		name: fmt.Sprintf("DeleteJobExecution %s %s#%d force=%v", name, id, number, force), want: noFailure,
		call:   func(ctx context.Context) error { return w.engine.DeleteExecution(ctx, name, id, number, nil, force) },
		effect: func(*book) {}, landed: func(context.Context, *world) bool { return true },
		asked: []request{{thing: name, job: id, drop: true}},
	}
	j := w.book.jobs[id]
	if j == nil || j.stopped == deleted || j.find(name, number) == nil {
		o.want = muster.NotFound
	} else if status, _ := j.effective(*j.find(name, number)); status == muster.InProgress && !force {
		o.want = muster.InvalidTransition
	}
	return o
}

// written is a value in words that are the same each time.
func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
