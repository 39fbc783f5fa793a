package store

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"math"

	"github.com/muster-iot/muster"
)

// verifyBatch is how many items are checked at a time.
const verifyBatch = 512

type verification struct {
	ctx       context.Context // of the one call that this lives in
	r         Reader
	jobs      map[muster.JobID]muster.Counts // recounted
	seed      maphash.Seed                   // of every timerSum
	deadlines timerSum                       // of all executions
	problems  []Problem
}

// timerSum is a sum of timers. Sets of timers with equal sums are taken to be equal, in
// whatever order they were added: that is wrong once in 2^64 times.
type timerSum struct {
	n    int
	sum  uint64
	seed maphash.Seed
}

func (v *verification) none() timerSum { return timerSum{seed: v.seed} }

func (s *timerSum) add(t Timer) {
	s.n++
	s.sum += maphash.Comparable(s.seed, t)
}

func (v *verification) problem(i Invariant, format string, args ...any) {
	v.problems = append(v.problems, Problem{i, fmt.Sprintf(format, args...)})
}

// timers compares the timers with the deadlines of executions: first only their sums. If
// those differ, it looks up which timers and deadlines they are.
func (v *verification) timers() error {
	sum, last := v.none(), Timer{Due: math.MinInt64}
	err := inBatches(v, v.r.Timers(math.MaxInt64), func(batch []Timer) error {
		for _, t := range batch {
			v.know(t.Job)
			if last.Compare(t) >= 0 {
				v.problem(TimersAreDeadlines, "timer %+v comes after %+v", t, last)
			}
			sum.add(t)
			last = t
		}
		return nil
	})
	if err != nil || sum == v.deadlines {
		return err
	}
	if err := v.strayTimers(); err != nil {
		return err
	}
	return v.missingTimers()
}

// strayTimers names the timers whose execution has no such deadline.
func (v *verification) strayTimers() error {
	return inBatches(v, v.r.Timers(math.MaxInt64), func(batch []Timer) error {
		keys := make([]ExecutionKey, len(batch))
		for i, t := range batch {
			keys[i] = t.ExecutionKey
		}
		executions, err := v.r.Executions(keys...)
		if err != nil {
			return err
		}
		for i, e := range executions {
			if e == nil || e.Deadline() != batch[i].Due {
				v.problem(TimersAreDeadlines, "there is a timer %+v and the execution is %+v", batch[i], e)
			}
		}
		return nil
	})
}

// missingTimersBatch is how many deadlines are compared with all timers at a
// time: some 16 MiB.
const missingTimersBatch = 1 << 16

// missingTimers names the deadlines without a timer.
func (v *verification) missingTimers() error {
	missing := make(map[Timer]bool)
	latest := muster.Instant(0)
	flush := func() {
		for t, err := range v.r.Timers(latest) {
			if err != nil {
				return // a problem that is known already
			}
			delete(missing, t)
		}
		for t := range missing {
			v.problem(TimersAreDeadlines, "the deadline %+v has no timer", t)
		}
		clear(missing)
	}
	err := inBatches(v, v.r.AllExecutions(), func(batch []muster.Execution) error {
		for _, e := range batch {
			if due := e.Deadline(); due != 0 {
				missing[Timer{due, Key(e)}], latest = true, max(latest, due)
			}
		}
		if len(missing) >= missingTimersBatch {
			flush()
		}
		return nil
	})
	flush()
	return err
}

// countsAndIndex compares the recount with the stored counts and with what the
// index yields, status by status.
func (v *verification) countsAndIndex() error {
	for job, want := range v.jobs {
		got, err := CountsOf(v.r, job)
		if err != nil {
			v.problem(Readable, "counts of job %q: %v", job, err)
		} else if got != want {
			v.problem(CountsAreSums, "job %q has the counts %v and a recount gives %v", job, got, want)
		}
		for _, status := range muster.Statuses() {
			if err := v.index(job, status, want.Of(status)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verification) index(job muster.JobID, status muster.Status, want int64) error {
	var got int64
	last := Cursor{QueuedAt: math.MaxInt64}
	err := inBatches(v, v.r.ExecutionsOfJob(job, status, Cursor{}), func(batch []muster.Execution) error {
		for _, e := range batch {
			if e.Job != job || e.Status != status || last.Compare(CursorOf(e)) >= 0 {
				v.problem(IndexIsComplete, "job %q, %s: %+v comes after %+v", job, status, e, last)
			}
			last = CursorOf(e)
		}
		got += int64(len(batch))
		return nil
	})
	if got != want {
		v.problem(IndexIsComplete, "job %q has %d executions %s and the index %d", job, want, status, got)
	}
	return err
}

// know makes the counts of job be checked even if it has no execution.
func (v *verification) know(job muster.JobID) { v.jobs[job] = v.jobs[job].Plus(muster.Counts{}) }

// inBatches passes what seq yields to check, in batches. An error of reading is a
// problem, and ends this check only.
func inBatches[T any](v *verification, seq iter.Seq2[T, error], check func([]T) error) error {
	batch := make([]T, 0, verifyBatch)
	flush := func() error {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if err := check(batch); err != nil {
			v.problem(Readable, "%v", err)
		}
		batch = batch[:0]
		return nil
	}
	for item, err := range seq {
		if err != nil {
			v.problem(Readable, "%v", err)
			break
		}
		if batch = append(batch, item); len(batch) < verifyBatch {
			continue
		}
		if err := flush(); err != nil || len(v.problems) >= MaxProblems {
			return err
		}
	}
	return flush()
}
