package jobs

import (
	"cmp"
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// Shown is an execution and the instant at which it was so.
type Shown struct {
	At muster.Instant
	muster.Execution
}

// ShowExecution returns one execution, terminal ones included; number nil means
// the latest (jobs-control-plane.md section 3.9). One of an earlier thing of the name
// is not found.
func (s *Jobs) ShowExecution(ctx context.Context, thing muster.ThingName, job muster.JobID, number *int64) (Shown, error) {
	shown := Shown{At: s.now()}
	err := s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			wants{w, s}.execution(store.QueueKey{Thing: thing}, job, number)
			lookup.WantThing(w, thing)
		})
		x, err := ownExecution(r, thing, job, number)
		if err != nil {
			return err
		}
		j, err := s.snapshot(r).job(job)
		if err != nil {
			return err
		}
		if fateOf(j, x.Status) == goes {
			return noExecution(thing, job)
		}
		shown.Execution = *x
		return nil
	})
	return shown, err
}

// ExecutionCancellation is the input of CancelExecution.
type ExecutionCancellation struct {
	Thing           muster.ThingName
	Job             muster.JobID
	Force           bool
	ExpectedVersion *int64
	Details         map[string]string // as in muster.Update
}

// CancelExecution cancels the latest execution of a job on a thing
// (jobs-lifecycle.md section 6.2).
func (s *Jobs) CancelExecution(ctx context.Context, in ExecutionCancellation) error {
	if err := muster.CheckDetails(in.Details); err != nil {
		return err
	}
	return s.do(ctx, func(tx *transaction) error {
		x, j, err := managedExecution(tx, in.Thing, in.Job, nil)
		if err != nil {
			return err
		}
		after, err := x.Apply(muster.Update{
			By: cancelActor(in.Force), To: muster.Canceled,
			ExpectedVersion: in.ExpectedVersion, Details: in.Details,
		}, tx.Now)
		if err != nil {
			return err
		}
		return tx.endExecution(x, &after, j)
	}, func(w *commit.Wants) { wants{w, s}.managed(store.QueueKey{Thing: in.Thing}, in.Job, nil) })
}

// DeleteExecution deletes one execution. One that is IN_PROGRESS needs force,
// else it is an InvalidTransition (jobs-lifecycle.md section 7).
func (s *Jobs) DeleteExecution(ctx context.Context, thing muster.ThingName, job muster.JobID, number int64, ns *muster.Namespace, force bool) error {
	return s.do(ctx, func(tx *transaction) error {
		x, j, err := managedExecution(tx, thing, job, &number)
		if err != nil {
			return err
		}
		if ns != nil && x.Namespace != *ns {
			return noExecution(thing, job)
		}
		if x.Status == muster.InProgress && !force {
			return muster.Errorf(muster.InvalidTransition, "The execution of job %s on thing %s is IN_PROGRESS; use force to delete it", job, thing)
		}
		if j, err = rememberGap(tx, j, x); err != nil {
			return err
		}
		return tx.endExecution(x, nil, j)
	}, func(w *commit.Wants) {
		queue := store.QueueKey{Thing: thing}
		if ns != nil {
			queue.Namespace = *ns
		}
		wants{w, s}.managed(queue, job, &number)
	})
}

// rememberGap sets Gaps of j if x, which is about to be deleted, is the first execution
// of a thing that has a later one. It returns the job as it is then.
func rememberGap(tx *transaction, j *muster.Job, x *muster.Execution) (*muster.Job, error) {
	latest, err := store.LatestOf(tx, x.Thing, x.Job)
	if err != nil || x.Number != 1 || latest.Number == 1 || j.Gaps {
		return j, err
	}
	with := *j
	with.Gaps = true
	return &with, tx.putJob(with)
}

// managedExecution returns an execution for an operator to change, up to date with its
// job, and the job. It fails with NotFound.
func managedExecution(tx *transaction, thing muster.ThingName, job muster.JobID, number *int64) (*muster.Execution, *muster.Job, error) {
	j, err := tx.job(job)
	if err != nil {
		return nil, nil, err
	}
	if j == nil || j.Status == muster.JobDeleting {
		return nil, nil, noExecution(thing, job)
	}
	x, err := findExecution(tx, thing, job, number)
	if err != nil {
		return nil, nil, err
	}
	if err := tx.settleExecution(x, j); err != nil {
		return nil, nil, err
	}
	x, err = findExecution(tx, thing, job, &x.Number)
	return x, j, err
}

// ExecutionList is a page of executions.
type ExecutionList struct {
	Executions []muster.Execution
	Next       string // token of the next page; empty on the last
}

// ExecutionsOfJob lists the executions of a job, those queued last first, of
// one status unless it is zero (jobs-control-plane.md section 3.12).
func (s *Jobs) ExecutionsOfJob(ctx context.Context, job muster.JobID, status muster.Status, page listing.Page) (ExecutionList, error) {
	var list ExecutionList
	limit, err := page.Size(listing.Max)
	if err != nil {
		return list, err
	}
	name := []any{"executions of job", job, status}
	var after store.Cursor
	if err := s.pages.Open(page.Token, name, &after); err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			w.Record(tables.jobs.Table, string(job))
			w.OfJob(store.OfJob{Job: job, Status: status, After: after})
		})
		if ok, err := tables.jobs.Has(r, string(job)); err != nil {
			return err
		} else if !ok {
			return noJob(job)
		}
		for x, err := range r.ExecutionsOfJob(job, status, after) {
			if err != nil {
				return err
			}
			if len(list.Executions) == limit {
				list.Next = s.pages.Seal(name, after)
				break
			}
			list.Executions = append(list.Executions, x)
			after = store.CursorOf(x)
		}
		return nil
	})
	return list, err
}

// ThingExecutions chooses executions of a thing; its zero fields choose all.
type ThingExecutions struct {
	Status    muster.Status
	Namespace *muster.Namespace
	Job       muster.JobID
}

// place is where a page of a thing's executions ended.
type place struct {
	QueuedAt muster.Instant
	Job      muster.JobID
	Number   int64
}

// ExecutionsOfThing lists the executions of a thing, those queued last first. Those of
// an earlier thing of the name are listed with their jobs only (arbitration A26).
func (s *Jobs) ExecutionsOfThing(ctx context.Context, thing muster.ThingName, f ThingExecutions, page listing.Page) (ExecutionList, error) {
	var list ExecutionList
	limit, err := page.Size(listing.Max)
	if err != nil {
		return list, err
	}
	name := []any{"executions of thing", thing, f}
	var after *place
	if err := s.pages.Open(page.Token, name, &after); err != nil {
		return list, err
	}
	err = s.commits.View(ctx, func(r store.Reader) error {
		commit.PrefetchView(r, func(w *commit.Wants) {
			lookup.WantThing(w, thing)
			w.OfThing(thing)
		})
		t, err := lookup.ExistingThing(r, thing)
		if err != nil {
			return err
		}
		var all []muster.Execution
		for x, err := range r.ExecutionsOfThing(thing) {
			if err != nil {
				return err
			}
			if t.Had(&x) && f.matches(x) && (after == nil || placeOf(x).compare(*after) > 0) {
				all = append(all, x)
			}
		}
		slices.SortFunc(all, func(x, y muster.Execution) int { return placeOf(x).compare(placeOf(y)) })
		if len(all) > limit {
			all = all[:limit]
			list.Next = s.pages.Seal(name, placeOf(all[limit-1]))
		}
		list.Executions = all
		return nil
	})
	return list, err
}

func (f ThingExecutions) matches(x muster.Execution) bool {
	return (f.Status == 0 || f.Status == x.Status) &&
		(f.Namespace == nil || *f.Namespace == x.Namespace) &&
		(f.Job == "" || f.Job == x.Job)
}

func placeOf(x muster.Execution) place { return place{x.QueuedAt, x.Job, x.Number} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(q.QueuedAt, p.QueuedAt), cmp.Compare(p.Job, q.Job), cmp.Compare(q.Number, p.Number))
}
