package watch

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// Explain says why a job does not move on a thing, whether or not there is such a job or thing.
func (w *Watch) Explain(ctx context.Context, thing muster.ThingName, job muster.JobID) (explain.Explanation, error) {
	f, err := w.facts(ctx, thing, job)
	if err != nil {
		return explain.Explanation{}, err
	}
	return explain.Explain(f), nil
}

// facts reads the facts of a thing and a job.
func (w *Watch) facts(ctx context.Context, thing muster.ThingName, job muster.JobID) (f explain.Facts, err error) {
	err = w.view(ctx, func(r store.Reader, now muster.Instant) error {
		s, err := w.sceneOf(r, job, now)
		if err == nil {
			f, err = s.factsOf(thing)
		}
		return err
	})
	if err == nil {
		err = w.hear(ctx, []*explain.Facts{&f})
	}
	return f, err
}

// jobsMax bounds the jobs that a thing is explained of.
const jobsMax = 100

// ExplainThing says why the jobs of a thing do not move. It fails with NotFound.
func (w *Watch) ExplainThing(ctx context.Context, thing muster.ThingName) (explain.OfThing, error) {
	var facts []*explain.Facts
	more := false
	err := w.view(ctx, func(r store.Reader, now muster.Instant) error {
		if err := lookup.RequireThing(r, thing); err != nil {
			return err
		}
		var ids []muster.JobID
		var err error
		if ids, more, err = w.jobsOf(r, thing); err != nil {
			return err
		}
		facts = make([]*explain.Facts, len(ids))
		for i, id := range ids {
			s, err := w.sceneOf(r, id, now)
			if err != nil {
				return err
			}
			f, err := s.factsOf(thing)
			if err != nil {
				return err
			}
			facts[i] = &f
		}
		return nil
	})
	if err == nil {
		err = w.hear(ctx, facts)
	}
	if err != nil {
		return explain.OfThing{}, err
	}
	all := make([]explain.Explanation, len(facts))
	for i, f := range facts {
		all[i] = explain.Explain(*f)
	}
	return explain.ThingOf(thing, all, more), nil
}

// jobsOf returns the jobs that a thing is explained of.
func (w *Watch) jobsOf(r store.Reader, thing muster.ThingName) (ids []muster.JobID, more bool, err error) {
	var pending []muster.Entry
	for x, err := range r.ExecutionsOfThing(thing) {
		if err != nil {
			return nil, false, err
		}
		if !x.Status.Terminal() {
			pending = append(pending, muster.Entry{Job: x.Job, Number: x.Number, Status: x.Status, QueuedAt: x.QueuedAt})
		}
	}
	for _, e := range (muster.Queue{Entries: pending}).Pending() {
		ids = append(ids, e.Job)
	}
	covers, err := lookup.TargetsOf(r, thing)
	if err != nil {
		return nil, false, err
	}
	reading := jobs.Read(w.o.Jobs, r)
	targeting, err := reading.Unfinished(covers)
	if err != nil {
		return nil, false, err
	}
	for _, id := range targeting {
		latest, err := store.LatestOf(r, thing, id)
		if err != nil {
			return nil, false, err
		}
		if (latest == nil || latest.Status.Terminal()) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids[:min(len(ids), jobsMax)], len(ids) > jobsMax, nil
}

// view runs fn on a view, at the instant of now.
func (w *Watch) view(ctx context.Context, fn func(store.Reader, muster.Instant) error) error {
	return w.o.Commits.View(ctx, func(r store.Reader) error { return fn(r, w.now()) })
}

// hear adds to facts who listens, if something is pending: no other explanation depends on it.
func (w *Watch) hear(ctx context.Context, facts []*explain.Facts) error {
	asked := map[muster.Namespace][]*explain.Facts{}
	for _, f := range facts {
		if f.Execution != nil && !f.Execution.Status.Terminal() {
			asked[f.Execution.Namespace] = append(asked[f.Execution.Namespace], f)
		}
	}
	for ns, some := range asked {
		w.listen(ctx, ns, some, func(f *explain.Facts, known explain.Known) { f.Device.Listens = known })
	}
	var deaf []*explain.Facts
	for _, some := range asked {
		for _, f := range some {
			if f.Device.Listens == explain.No {
				deaf = append(deaf, f)
			}
		}
	}
	return w.hearElsewhere(ctx, deaf)
}

// hearElsewhere adds to facts in which other namespaces somebody listens, of those that jobs have.
func (w *Watch) hearElsewhere(ctx context.Context, facts []*explain.Facts) error {
	if len(facts) == 0 {
		return nil
	}
	var namespaces []muster.Namespace
	err := w.o.Commits.View(ctx, func(r store.Reader) (err error) {
		namespaces, err = jobs.Read(w.o.Jobs, r).Namespaces()
		return err
	})
	for _, ns := range namespaces {
		var others []*explain.Facts
		for _, f := range facts {
			if f.Execution.Namespace != ns {
				others = append(others, f)
			}
		}
		w.listen(ctx, ns, others, func(f *explain.Facts, known explain.Known) {
			if known == explain.Yes {
				f.Device.Elsewhere = append(f.Device.Elsewhere, ns)
			}
		})
	}
	return err
}

// listen asks whether anybody listens for the things of facts in a namespace, and hands each the answer.
func (w *Watch) listen(ctx context.Context, ns muster.Namespace, facts []*explain.Facts, told func(*explain.Facts, explain.Known)) {
	if len(facts) == 0 {
		return
	}
	things := make([]muster.ThingName, len(facts))
	for i, f := range facts {
		things[i] = f.Thing
	}
	for i, known := range w.listens(ctx, ns, things) {
		told(facts[i], known)
	}
}
