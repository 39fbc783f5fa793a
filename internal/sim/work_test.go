package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// This file is how dummies work, and which answers they must get.

// assignment is what a device works on.
type assignment struct {
	job     muster.JobID
	ns      muster.Namespace
	number  int64
	version int64
	ends    muster.Instant
}

// described checks the document of what a device is shown, and returns which
// execution it is.
func (d *dummy) described(w *world, got jobs.Described, err error) string {
	if err != nil || got.Execution == nil {
		return ""
	}
	x := *got.Execution
	if j := w.book.jobs[x.Job]; j == nil || got.Document == nil || *got.Document != j.document {
		w.broke("%s was handed %+v with the wrong document %v; the job is %+v", d.name, x, got.Document, j)
	}
	return executions([]muster.Execution{x})
}

// start asks for the next execution.
func (d *dummy) start(w *world, ns muster.Namespace) {
	key := store.QueueKey{Thing: d.name, Namespace: ns}
	want := w.book.pending(key)
	in := jobs.StartNextInput{Thing: d.name, Namespace: ns}
	if w.chance(6) {
		in.StepMinutes = 1 + w.rng.IntN(90)
	}
	got, err := asks(w, request{thing: d.name, by: muster.Device, status: muster.InProgress}, func(done func(jobs.Described, error)) { w.service.Jobs.StartNext(in, done) })
	if errors.Is(err, errCrash) {
		return
	}
	exists := w.book.things[d.name] != nil
	switch {
	case exists != (err == nil):
		w.broke("StartNext(%v) = %v, and the thing exists: %v", key, err, exists)
	case err != nil:
		return
	case (got.Execution == nil) != (len(want) == 0):
		w.broke("StartNext(%v) = %+v, want the first of %s", key, got.Execution, executions(want))
	case got.Execution == nil:
		return
	}
	d.described(w, got, nil)
	x := *got.Execution
	expected := want[0]
	if expected.Status == muster.Queued {
		expected.Version++
	}
	if x.Job != expected.Job || x.Number != expected.Number || x.Version != expected.Version || x.Status != muster.InProgress {
		w.broke("StartNext(%v) = %+v, want %+v in progress", key, x, want[0])
	}
	w.say("%s starts %s#%d", d.name, x.Job, x.Number)
	d.take(w, x)
}

// take begins the work on an execution.
func (d *dummy) take(w *world, x muster.Execution) {
	d.job = &assignment{job: x.Job, ns: x.Namespace, number: x.Number, version: x.Version, ends: w.now + w.between(second, 40*minute)}
	if w.rng.IntN(100) < d.nature.hangs {
		d.job.ends = w.now + w.between(hour, 3*day)
		if d.patient {
			d.job.ends = w.now + hour
		}
	}
	d.next = w.now + w.between(second, 20*minute)
}

// pick chooses from the list of what is pending.
func (d *dummy) pick(w *world, ns muster.Namespace) {
	if w.book.things[d.name] == nil {
		return
	}
	d.ask(w, ns)
	all := w.book.shown(store.QueueKey{Thing: d.name, Namespace: ns})
	if len(all) == 0 || w.power.isDead() {
		return
	}
	x := all[w.rng.IntN(len(all))]
	d.job = &assignment{job: x.Job, ns: ns, number: x.Number, version: x.Version, ends: w.now + w.between(second, 40*minute)}
	d.report(w, muster.InProgress)
}

// carryOn reports progress, or the end.
func (d *dummy) carryOn(w *world) {
	if w.now < d.job.ends {
		d.next = min(d.job.ends, w.now+w.between(minute, hour))
		d.report(w, muster.InProgress)
		return
	}
	roll := w.rng.IntN(100)
	switch {
	case roll < d.nature.fails:
		d.report(w, muster.Failed)
	case roll < d.nature.fails+d.nature.rejects && !w.o.StrictTransitions:
		d.report(w, muster.Rejected)
	default:
		d.report(w, muster.Succeeded)
	}
}

// report makes a device's report and compares the answer with the book.
func (d *dummy) report(w *world, status muster.Status) {
	a := d.job
	in := jobs.UpdateInput{Thing: d.name, Namespace: a.ns, Job: a.job, Status: status, WithDocument: w.chance(4)}
	if w.chance(2) {
		in.Number = &a.number
	}
	if w.chance(3) {
		version := a.version
		if w.chance(10) {
			version += 1 + w.rng.Int64N(3)
		}
		in.ExpectedVersion = &version
	}
	if w.chance(3) {
		in.Details = map[string]string{"progress": fmt.Sprint(w.rng.IntN(100))}
	}
	if w.chance(8) {
		in.StepMinutes = []int{1 + w.rng.IntN(90), muster.ClearStep}[w.rng.IntN(2)]
	}
	want, kind := w.book.reported(in)
	got, err := asks(w, request{thing: d.name, job: a.job, by: muster.Device, status: status}, func(done func(jobs.Described, error)) { w.service.Jobs.UpdateExecution(in, done) })
	if errors.Is(err, errCrash) {
		return // it will try again
	}
	w.say("%s reports %s#%d %s: %v", d.name, a.job, a.number, status, err)
	if kindOf(err) != kind {
		w.broke("UpdateExecution(%+v) = %v, want an error of kind %d; it is %+v", in, err, kind, want)
	}
	if err != nil {
		d.refused(w, kind, want)
		return
	}
	x := *got.Execution
	if x.Version != want.Version+1 || x.Status != status || in.WithDocument && (got.Document == nil || *got.Document != w.book.jobs[x.Job].document) {
		w.broke("UpdateExecution(%+v) = %+v, document %v; it was %+v", in, x, got.Document, want)
	}
	stored := w.book.jobs[x.Job].find(d.name, x.Number)
	if stored == nil || !stored.Equal(x) {
		w.broke("UpdateExecution(%+v) answered %+v, and stored is %+v", in, x, stored)
	}
	a.number, a.version = x.Number, x.Version
	if x.Status.Terminal() {
		d.job, d.next = nil, w.now+w.between(0, 5*second)
	} else {
		d.next = max(d.next, w.now+second)
	}
}

// refused is how a device reacts to a refusal.
func (d *dummy) refused(w *world, kind muster.Kind, is *muster.Execution) {
	d.next = w.now + w.between(0, 10*second)
	if kind == muster.VersionConflict {
		d.job.version = is.Version
		return
	}
	d.job = nil
}

// reported returns the execution that a report is about, or nil, and the kind
// of failure that it must meet: noFailure when it must be taken
// (jobs-data-plane.md section 6.4).
func (b *book) reported(in jobs.UpdateInput) (*muster.Execution, muster.Kind) {
	j := b.jobs[in.Job]
	if j == nil || j.namespace != in.Namespace || j.stored == nil {
		return nil, muster.NotFound
	}
	x := j.latest(in.Thing)
	if in.Number != nil {
		x = j.find(in.Thing, *in.Number)
	}
	if x == nil || b.things[in.Thing] != nil && x.QueuedAt <= j.former[in.Thing] {
		return nil, muster.NotFound
	}
	now := *x
	status, gone := j.effective(now)
	if gone {
		return nil, muster.NotFound
	}
	if status != now.Status {
		now.Status = status
		now.Version++
	}
	switch {
	case in.ExpectedVersion != nil && *in.ExpectedVersion != now.Version:
		return &now, muster.VersionConflict
	case now.Status.Terminal(), b.strict && now.Status == muster.InProgress && in.Status == muster.Rejected:
		return &now, muster.InvalidTransition
	}
	return &now, noFailure
}

// noFailure is the kind of no error.
const noFailure = muster.KindCount

func kindOf(err error) muster.Kind {
	var e *muster.Error
	switch {
	case err == nil:
		return noFailure
	case errors.As(err, &e):
		return e.Kind
	}
	return muster.Internal
}

var errCrash = errors.New("sim: the process died")

// ask puts a question on behalf of a device; errCrash means that it was not
// answered.
func ask[T any](w *world, question func(context.Context) (T, error)) (T, error) {
	var got T
	err, answered := w.do(func(ctx context.Context) (err error) { got, err = question(ctx); return err })
	if !answered {
		return got, errCrash
	}
	return got, err
}

// asks is ask for calls that may change something, which are checked at once.
func asks(w *world, r request, call func(func(jobs.Described, error))) (jobs.Described, error) {
	w.book.asked = append(w.book.asked, r)
	got, err := ask(w, func(ctx context.Context) (jobs.Described, error) { return commit.Await(ctx, call) })
	if errors.Is(err, errCrash) {
		return got, err
	}
	w.judge(author{})
	w.book.over()
	return got, err
}
