package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// This file has operators' orders that concern jobs and executions.

// createJob orders a job of any kind.
func (w *world) createJob(id muster.JobID) *order {
	w.operator.docs++
	j := &job{
		id: id, document: fmt.Sprintf(`{"nonce":%d}`, w.operator.docs), selection: muster.Selection(w.rng.IntN(2)),
		runs: map[muster.ThingName][]muster.Execution{}, former: map[muster.ThingName]muster.Instant{}, owed: map[muster.ThingName]debt{},
		again: map[muster.ThingName]bool{}, left: map[muster.ThingName]bool{}, lenient: map[muster.ThingName]bool{},
	}
	if w.chance(8) {
		j.namespace = namespaces[1]
	}
	want := noFailure
	for range 1 + w.rng.IntN(3) {
		j.target(w.book.present(w.someTarget()))
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
	in := jobs.NewJob{ID: id, Namespace: j.namespace, Targets: j.targets, Selection: j.selection, Document: j.document, Config: j.config}
	if j.document == templateDocument {
		in.Template, in.Document, in.Config = account.JobTemplateARN(templateID), "", muster.JobConfig{}
	}
	return &order{
		name: fmt.Sprintf("CreateJob %s %s for %v: %s", id, j.selection, j.targets, written(j.config)), want: want, rolls: id,
		call:   func(ctx context.Context) error { _, err := w.service.Jobs.CreateJob(ctx, in); return err },
		effect: func(b *book) { b.jobs[id] = j },
		landed: func(ctx context.Context, w *world) bool {
			text, err := w.service.Jobs.JobDocument(ctx, id, false)
			return err == nil && text == j.document
		},
	}
}

func (w *world) updateJob(id muster.JobID) *order {
	var change jobs.JobChange
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
		call:   func(ctx context.Context) error { return w.service.Jobs.UpdateJob(ctx, id, nil, change) },
		effect: func(b *book) { b.updateJob(id, change) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.service.Jobs.DescribeJob(ctx, id)
			return err == nil && (change.Rollout == nil || sameRollout(d.Config.Rollout, rollout)) && (change.TimeoutMinutes == nil || d.Config.TimeoutMinutes == timeout) &&
				(change.Abort == nil || len(d.Config.Abort) == len(abort) && d.Config.Abort[0] == abort[0]) && (change.Retry == nil || len(d.Config.Retry) == 1 && d.Config.Retry[0] == none[0])
		},
	}
	switch j := w.book.jobs[id]; {
	case change == (jobs.JobChange{}): // arbitration A27
		o.want = muster.Invalid
	case j == nil:
		o.want = muster.NotFound
	case !j.stored.Status.Active():
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
		name: fmt.Sprintf("AssociateTargetsWithJob %s %v", id, t), want: noFailure, rolls: id,
		call: func(ctx context.Context) error {
			_, err := w.service.Jobs.AssociateTargets(ctx, id, nil, []muster.Target{t}, nil)
			return err
		},
		effect: func(b *book) { b.associate(id, t) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.service.Jobs.DescribeJob(ctx, id)
			return err == nil && slices.Contains(d.Targets, w.identified(ctx, t))
		},
	}
	switch j := w.book.jobs[id]; {
	case j == nil:
		o.want = muster.NotFound
	case j.selection != muster.Continuous || j.stored.Status != muster.JobInProgress || j.stored.Over:
		o.want = muster.Invalid
	case !w.book.hasTarget(t):
		o.want = muster.NotFound
	}
	return o
}

// identified returns a target with the id that the service gave the present thing or
// group of the name.
func (w *world) identified(ctx context.Context, t muster.Target) muster.Target {
	if t.Group {
		g, _ := w.service.Registry.DescribeThingGroup(ctx, muster.GroupName(t.Name))
		t.ID = g.ID
	} else {
		thing, _ := w.service.Registry.DescribeThing(ctx, muster.ThingName(t.Name))
		t.ID = thing.ID
	}
	return t
}

func (w *world) cancelJob(id muster.JobID) *order {
	force := w.chance(2)
	o := &order{
		name: fmt.Sprintf("CancelJob %s force=%v", id, force), want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.service.Jobs.CancelJob(ctx, id, jobs.Cancellation{Force: force})
			return err
		},
		effect: func(b *book) { b.cancelJob(id, force) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.service.Jobs.DescribeJob(ctx, id)
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
		call:   func(ctx context.Context) error { return w.service.Jobs.DeleteJob(ctx, id, nil, force) },
		effect: func(b *book) { b.deleteJob(id) },
		landed: func(ctx context.Context, w *world) bool {
			d, err := w.service.Jobs.DescribeJob(ctx, id)
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
			return w.service.Jobs.CancelExecution(ctx, jobs.ExecutionCancellation{Thing: name, Job: id, Force: force})
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
		call: func(ctx context.Context) error {
			return w.service.Jobs.DeleteExecution(ctx, name, id, number, nil, force)
		},
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

// written returns a value as text, the same each time.
func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
