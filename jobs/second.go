package jobs

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/rollout"
	"github.com/muster-iot/muster/store"
)

// This file is for stores with lanes (package commit). Whether a job is aborted or COMPLETED
// follows from its counts, which the executions of all things change. A transaction that
// ends an execution sees its own change and those before it: two that run at the same time,
// and end the last two, each see that one is left. So the counts are looked at once more
// when they are durable. If the process stops before that, the next one looks at all jobs.

// mayAbort reports whether the end of an execution may abort j.
func mayAbort(j *muster.Job) bool { return len(j.Config.Abort) > 0 && j.Status.Active() }

// mayComplete reports whether the end of an execution may complete j: all things have been
// given the job, and none will join it.
func mayComplete(j *muster.Job) bool {
	return (j.Selection == muster.Snapshot || j.Over) && j.Status.Active() && j.Rollout.Done
}

// mayBeDecided reports whether the end of an execution may abort or complete a job which a
// transaction that runs at the same time changes: its rollout may come to its end, and so may its
// time. That transaction still sees the execution pending.
func mayBeDecided(j *muster.Job) bool {
	return mayAbort(j) || j.Status.Active() && (j.Selection == muster.Snapshot || j.Config.Schedule.EndTime != "")
}

// isDecided reports whether counts abort or complete j.
func isDecided(j *muster.Job, counts muster.Counts) bool {
	if mayAbort(j) {
		if _, met := rollout.Abort(j.Config.Abort, counts); met {
			return true
		}
	}
	return mayComplete(j) && j.Ended(counts)
}

// foresee sends a command to the wide lane if the end of an execution, as far as can be
// seen, aborts or completes its job, since jobs are changed there (putJob), or if a retry may
// have to wait for a window, since the wide lane must not miss it when that opens. Nothing
// is written yet.
func (tx *transaction) foresee(before, after *muster.Execution, j *muster.Job) error {
	if j.Windowed() && len(j.Config.Retry) > 0 {
		return tx.Wide()
	}
	if tx.Wide() == nil || !mayAbort(j) && !mayComplete(j) {
		return nil
	}
	counts, err := store.CountsOf(tx, j.ID)
	if err != nil {
		return err
	}
	counts = counts.Add(before.Status, -1)
	if after != nil {
		counts = counts.Add(after.Status, 1)
	}
	if isDecided(j, counts) {
		return tx.Wide()
	}
	return nil
}

// lookAgain has the counts of a job looked at again when the transaction is durable.
func (tx *transaction) lookAgain(id muster.JobID) {
	if !tx.Shared() || slices.Contains(tx.open, id) {
		return
	}
	if tx.open = append(tx.open, id); len(tx.open) == 1 {
		tx.Look(func(w *commit.Wants) { wantCounted(w, tx.open) }, func(r store.Reader) ([]func(*commit.Tx) error, error) {
			decided, err := tx.s.decided(r, tx.open)
			return stepsIn(tx.s, conclusions(decided)), err
		}, func() { tx.s.undecided.add(tx.open) })
	}
}

// wantCounted names what decided reads.
func wantCounted(w *commit.Wants, ids []muster.JobID) {
	for _, id := range ids {
		w.Counts(id)
		w.Record(tables.jobs.Table, string(id))
	}
}

// decided returns those of some jobs whose counts abort or complete them.
func (s *Jobs) decided(r store.Reader, ids []muster.JobID) (decided []muster.JobID, err error) {
	commit.PrefetchView(r, func(w *commit.Wants) { wantCounted(w, ids) })
	all, err := r.Counts(ids...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		j, err := s.decoded.get(r, string(id))
		if err != nil {
			return nil, err
		}
		if j != nil && isDecided(j, all[i]) {
			decided = append(decided, id)
		}
	}
	return decided, nil
}

// conclusions returns a step for each job that aborts or completes it, if its counts still
// say so.
func conclusions(ids []muster.JobID) []func(*transaction) error {
	return forEach(ids, func(tx *transaction, id muster.JobID) error {
		tx.After(func() { tx.s.undecided.remove(id) })
		j, err := tx.job(id)
		if err != nil || j == nil {
			return err
		}
		if aborted, err := tx.abortJob(j); err != nil || aborted {
			return err
		}
		return tx.completeJob(*j)
	})
}

// undecided are the jobs whose counts are still to be looked at again, in memory only.
type undecided struct {
	mu   sync.Mutex
	all  bool // any job may be: an earlier process may have stopped before it looked
	jobs map[muster.JobID]struct{}
}

func (u *undecided) init(all bool) { u.all, u.jobs = all, map[muster.JobID]struct{}{} }

func (u *undecided) add(ids []muster.JobID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		u.jobs[id] = struct{}{}
	}
}

func (u *undecided) remove(id muster.JobID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.jobs, id)
}

// known returns the jobs that are to be looked at again, and whether any other may be.
func (u *undecided) known() (ids []muster.JobID, all bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.jobs)), u.all
}

func (u *undecided) looked() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = false
}

// leftUndecided returns the jobs whose counts an earlier transaction, or an earlier process,
// has not looked at again.
func (s *Jobs) leftUndecided(r store.Reader) ([]muster.JobID, error) {
	ids, all := s.undecided.known()
	if !all {
		return ids, nil
	}
	if err := s.lookAtAll(r); err != nil {
		return nil, err
	}
	s.undecided.looked()
	ids, _ = s.undecided.known()
	return ids, nil
}

// lookAtAll looks at the counts of all jobs that are under way.
func (s *Jobs) lookAtAll(r store.Reader) error {
	var open []muster.JobID
	for row, err := range tables.jobs.Scan(r, "", "") {
		if err != nil {
			return err
		}
		if mayAbort(&row.Value) || mayComplete(&row.Value) {
			open = append(open, row.Value.ID)
		}
	}
	decided, err := s.decided(r, open)
	if err == nil {
		s.undecided.add(decided)
	}
	return err
}

// LookAgain looks at the counts of all jobs that are under way, and leaves what follows from
// them to background work. It is to be called when another process has stopped and what it
// has committed can be seen: it may have ended executions and not looked at their jobs since.
// If it fails, it must be called again.
func (s *Jobs) LookAgain(ctx context.Context) error {
	err := s.commits.View(ctx, s.lookAtAll)
	if err == nil {
		s.commits.WorkDue(0)
	}
	return err
}
