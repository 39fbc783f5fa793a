package jobs

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file is the data plane: the four operations of jobs-data-plane.md
// section 6. The two that change state answer through done, which is called
// once, after the commit and before the notifications that it causes go out;
// Await turns that into a call that waits.

// Pending is the answer to GetPending.
type Pending struct {
	At                 muster.Instant
	InProgress, Queued []muster.Entry // in queue order, capped as jobs-data-plane.md section 5 says
}

// Described is an execution as a device is shown it.
type Described struct {
	At        muster.Instant
	Execution *muster.Execution // nil: nothing is pending
	Document  *string           // the job document; nil unless asked for
}

// GetPending lists what is pending for a thing. It fails with NotFound when
// the thing is not in the registry.
func (s *Jobs) GetPending(ctx context.Context, thing muster.ThingName, ns muster.Namespace) (Pending, error) {
	p := Pending{At: s.now()}
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) { wants{w, s}.pending(store.QueueKey{Thing: thing, Namespace: ns}) })
		q, err := deviceQueue(s.snapshot(r), thing, ns)
		if err == nil {
			p.InProgress, p.Queued = q.Shown()
		}
		return err
	})
	return p, err
}

// AwaitPending returns when something is pending for a thing, or when ctx ends,
// whichever is first; only a fault or an unknown thing is an error
// (arbitration A11).
func (s *Jobs) AwaitPending(ctx context.Context, thing muster.ThingName, ns muster.Namespace) error {
	key := store.QueueKey{Thing: thing, Namespace: ns}
	woken := s.waiters.add(key)
	defer s.waiters.remove(key, woken)
	for {
		pending := false
		err := s.commits.View(context.WithoutCancel(ctx), func(r store.Reader) error {
			commit.PrefetchView(r, func(w *commit.Wants) { wants{w, s}.pending(key) })
			q, err := deviceQueue(s.snapshot(r), thing, ns)
			if err == nil {
				_, pending = q.Head()
			}
			return err
		})
		if err != nil || pending {
			return err
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return nil
		}
	}
}

// DescribeInput is the input of DescribeExecution.
type DescribeInput struct {
	Thing           muster.ThingName
	Namespace       muster.Namespace
	Job             muster.JobID // empty: the head of the queue ($next)
	Number          *int64       // nil: the latest; ignored for $next
	WithoutDocument bool
}

// DescribeExecution shows one pending execution. It never changes anything. It
// fails with NotFound, or with TerminalState for one that has ended.
func (s *Jobs) DescribeExecution(ctx context.Context, in DescribeInput) (Described, error) {
	d := Described{At: s.now()}
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) { in.wants(wants{w, s}) })
		x, err := describe(s.snapshot(r), in)
		if err != nil || x == nil {
			return err
		}
		d.Execution = x
		if in.WithoutDocument {
			return nil
		}
		d.Document, err = s.described(s.snapshot(r), *x)
		return err
	})
	if err != nil || d.Execution == nil || in.WithoutDocument || d.Document != nil {
		return d, err
	}
	return s.describeAnew(ctx, in)
}

// wants names what describe will read.
func (in DescribeInput) wants(w wants) {
	queue := store.QueueKey{Thing: in.Thing, Namespace: in.Namespace}
	if in.Job == "" {
		w.head(queue)
		return
	}
	w.execution(queue, in.Job, in.Number)
	if !in.WithoutDocument {
		w.Record(tables.documents.Table, string(in.Job))
	}
}

func describe(r jobReader, in DescribeInput) (*muster.Execution, error) {
	if in.Job == "" {
		q, err := deviceQueue(r, in.Thing, in.Namespace)
		if err != nil {
			return nil, err
		}
		head, ok := q.Head()
		if !ok {
			return nil, nil
		}
		found, err := r.Executions(store.ExecutionKey{Thing: in.Thing, Job: head.Job, Number: head.Number})
		return found[0], err
	}
	x, err := deviceExecution(r, in.Thing, in.Namespace, in.Job, in.Number)
	if err != nil {
		return nil, err
	}
	j, err := r.job(in.Job)
	if err != nil {
		return nil, err
	}
	if fate := fateOf(j, x.Status); fate == stays && !x.Status.Terminal() {
		return x, nil
	} else if fate == goes {
		return nil, noExecution(in.Thing, in.Job)
	}
	return nil, muster.Errorf(muster.TerminalState, "Job Execution has reached terminal state. It is neither IN_PROGRESS nor QUEUED")
}

// StartNextInput is the input of StartNext.
type StartNextInput struct {
	Thing       muster.ThingName
	Namespace   muster.Namespace
	Details     map[string]string // as in muster.Update
	StepMinutes int               // as in muster.Update
}

// wants names what the request will read.
func (in StartNextInput) wants(w wants) {
	queue := store.QueueKey{Thing: in.Thing, Namespace: in.Namespace}
	w.head(queue)
	w.told(queue)
}

// StartNext gives a thing the head of its queue to work on, IN_PROGRESS from
// now on. One that is already IN_PROGRESS is given again, unchanged but for the
// step timer (jobs-data-plane.md J5). Nothing pending is an answer without an execution.
func (s *Jobs) StartNext(in StartNextInput, done func(Described, error)) {
	if err := checkReport(in.Details, in.StepMinutes); err != nil {
		done(Described{}, err)
		return
	}
	submit(s, in.Thing, func(w *commit.Wants) { in.wants(wants{w, s}) }, func(tx *transaction) (Described, error) {
		d := Described{At: tx.Now}
		q, err := tx.deviceQueue(in.Thing, in.Namespace)
		if err != nil {
			return d, err
		}
		head, ok := q.Head()
		if !ok {
			return d, nil
		}
		j, err := tx.job(head.Job)
		if err != nil {
			return d, err
		}
		found, err := tx.Executions(store.ExecutionKey{Thing: in.Thing, Job: head.Job, Number: head.Number})
		if err != nil {
			return d, err
		}
		before := *found[0]
		after := before.WithStep(in.StepMinutes, tx.Now)
		if before.Status == muster.Queued {
			if after, err = before.Apply(s.deviceUpdate(j, muster.InProgress, in.Details, in.StepMinutes), tx.Now); err != nil {
				return d, err
			}
		}
		d.Execution = &after
		if d.Document, err = tx.handOut(j, &after); err != nil {
			return d, err
		}
		if after.Equal(before) {
			return d, nil
		}
		return d, tx.changeExecution(&before, &after)
	}, done)
}

// UpdateInput is the input of UpdateExecution.
type UpdateInput struct {
	Thing           muster.ThingName
	Namespace       muster.Namespace
	Job             muster.JobID
	Number          *int64 // nil: the latest
	Status          muster.Status
	ExpectedVersion *int64            // as in muster.Update
	Details         map[string]string // as in muster.Update
	StepMinutes     int               // as in muster.Update
	WithDocument    bool
}

// wants names what the report will read.
func (in UpdateInput) wants(w wants) {
	queue := store.QueueKey{Thing: in.Thing, Namespace: in.Namespace}
	w.execution(queue, in.Job, in.Number)
	if in.Status.Terminal() {
		w.end(queue, in.Job)
	} else {
		w.told(queue)
	}
	w.rest()
	if w.Far() || in.WithDocument { // it is told of, too, when the execution is the head
		w.Record(tables.documents.Table, string(in.Job))
	}
}

// UpdateExecution takes a device's report. It fails with Invalid, NotFound,
// VersionConflict or InvalidTransition, checked in that order; the last two
// carry the execution as it is.
func (s *Jobs) UpdateExecution(in UpdateInput, done func(Described, error)) {
	if err := checkUpdate(in); err != nil {
		done(Described{}, err)
		return
	}
	submit(s, in.Thing, func(w *commit.Wants) { in.wants(wants{w, s}) }, func(tx *transaction) (Described, error) {
		d := Described{At: tx.Now}
		if _, err := tx.settledQueue(store.QueueKey{Thing: in.Thing, Namespace: in.Namespace}); err != nil {
			return d, err
		}
		before, err := deviceExecution(tx, in.Thing, in.Namespace, in.Job, in.Number)
		if err != nil {
			return d, err
		}
		j, err := tx.job(in.Job)
		if err != nil {
			return d, err
		}
		if j == nil || j.Status == muster.JobDeleting {
			return d, noExecution(in.Thing, in.Job)
		}
		u := s.deviceUpdate(j, in.Status, in.Details, in.StepMinutes)
		u.ExpectedVersion = in.ExpectedVersion
		after, err := before.Apply(u, tx.Now)
		if err != nil {
			return d, err
		}
		d.Execution = &after
		if in.WithDocument {
			if d.Document, err = tx.handOut(j, &after); err != nil {
				return d, err
			}
		}
		return d, tx.endExecution(before, &after, j)
	}, done)
}

func (s *Jobs) deviceUpdate(j *muster.Job, to muster.Status, details map[string]string, step int) muster.Update {
	return muster.Update{
		By: muster.Device, To: to, Details: details, StepMinutes: step,
		JobMinutes: j.Config.TimeoutMinutes, Strict: s.strictTransitions,
	}
}

func checkReport(details map[string]string, step int) error {
	if step != muster.NoStep {
		if err := muster.CheckStep(int64(step)); err != nil {
			return err
		}
	}
	return muster.CheckDetails(details)
}

func checkUpdate(in UpdateInput) error {
	if err := checkReport(in.Details, in.StepMinutes); err != nil {
		return err
	}
	if !muster.DeviceMay(in.Status) {
		return muster.Errorf(muster.Invalid, "a device cannot set the status %s", in.Status)
	}
	return nil
}
