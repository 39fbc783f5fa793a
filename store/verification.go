package store

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/muster-iot/muster"
)

// verifyBatch is how many records are looked up at a time.
const verifyBatch = 512

type verification struct {
	ctx       context.Context // of the one call that this lives in
	r         Reader
	jobs      map[muster.JobID]muster.Counts // recounted
	deadlines int                            // of all executions
	problems  []Problem
}

func (v *verification) problem(i Invariant, format string, args ...any) {
	v.problems = append(v.problems, Problem{i, fmt.Sprintf(format, args...)})
}

// executions recounts, and checks every live execution against its queue and
// against the other executions of its job on its thing.
func (v *verification) executions() error {
	return inBatches(v, v.r.AllExecutions(), func(batch []muster.Execution) error {
		var live []muster.Execution
		var keys []QueueKey
		var attempts []AttemptsKey
		for _, e := range batch {
			v.jobs[e.Job] = v.jobs[e.Job].Add(e.Status, 1)
			if e.Deadline() != 0 {
				v.deadlines++
			}
			if !e.Status.Terminal() {
				live, keys = append(live, e), append(keys, QueueKey{e.Thing, e.Namespace})
				attempts = append(attempts, AttemptsKey{e.Thing, e.Job})
			}
		}
		queues, err := v.r.Queues(keys...)
		if err != nil {
			return err
		}
		latest, err := v.r.Latest(attempts...)
		if err != nil {
			return err
		}
		for i, e := range live {
			v.inQueue(e, queues[i])
			if latest[i] == nil || latest[i].Number != e.Number {
				v.problem(OneLiveExecution, "%v is %s and the latest is %+v", Key(e), e.Status, latest[i])
			}
		}
		return nil
	})
}

// inQueue compares the entry of a live execution with what it should be.
func (v *verification) inQueue(e muster.Execution, q muster.Queue) {
	got, found := q.Find(e.Job)
	want, _ := muster.Queue{}.With(e).Find(e.Job)
	want.Hidden = got.Hidden && got.Status == muster.Queued // only the queue has it
	if !found || got != want {
		v.problem(QueuesAreLive, "%v should be queued as %+v and is as %+v", Key(e), want, got)
	}
}

// queues looks up the execution of every entry; executions has checked that they
// agree in all fields.
func (v *verification) queues() error {
	return inBatches(v, v.r.AllQueues(), func(batch []muster.Queue) error {
		var keys []ExecutionKey
		var namespaces []muster.Namespace
		for _, q := range batch {
			for i, entry := range q.Entries {
				if i > 0 && q.Entries[i-1].Job >= entry.Job {
					v.problem(QueuesAreLive, "the queue of %v has job %q after %q", q.Thing, entry.Job, q.Entries[i-1].Job)
				}
				keys = append(keys, ExecutionKey{q.Thing, entry.Job, entry.Number})
				namespaces = append(namespaces, q.Namespace)
			}
		}
		executions, err := v.r.Executions(keys...)
		if err != nil {
			return err
		}
		for i, e := range executions {
			v.know(keys[i].Job)
			if e == nil || e.Status.Terminal() || e.Namespace != namespaces[i] {
				v.problem(QueuesAreLive, "%v is in the queue of namespace %q and is stored as %+v", keys[i], namespaces[i], e)
			}
		}
		return nil
	})
}

// timers looks up the execution of every timer. As no two timers are equal, there
// is a timer for every deadline if there are as many timers as deadlines.
func (v *verification) timers() error {
	good, last := 0, Timer{Due: math.MinInt64}
	err := inBatches(v, v.r.Timers(math.MaxInt64), func(batch []Timer) error {
		keys := make([]ExecutionKey, len(batch))
		for i, t := range batch {
			keys[i] = t.ExecutionKey
		}
		executions, err := v.r.Executions(keys...)
		if err != nil {
			return err
		}
		for i, e := range executions {
			v.know(keys[i].Job)
			if last.Compare(batch[i]) >= 0 {
				v.problem(TimersAreDeadlines, "timer %+v comes after %+v", batch[i], last)
			}
			if e == nil || e.Deadline() != batch[i].Due {
				v.problem(TimersAreDeadlines, "there is a timer %+v and the execution is %+v", batch[i], e)
			} else {
				good++
			}
			last = batch[i]
		}
		return nil
	})
	if err != nil || good == v.deadlines {
		return err
	}
	return v.missingTimers()
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
