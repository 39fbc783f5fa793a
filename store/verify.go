package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/muster-iot/muster"
)

// Invariant is something that must be true of every store at every instant,
// also after a crash.
type Invariant string

// The invariants that Verify checks. The first four are those of a thing's
// executions, the last says that the store itself is sound.
const (
	CountsAreSums      Invariant = "the counts of a job equal a recount"
	OneLiveExecution   Invariant = "a thing has at most one live execution of a job, its latest"
	QueuesAreLive      Invariant = "queues hold the live executions, field by field, and nothing else"
	TimersAreDeadlines Invariant = "every deadline has its timer, and every timer its deadline"
	IndexIsComplete    Invariant = "the index by job holds every execution once, in order"
	Readable           Invariant = "everything can be read"
)

// Problem is one place where an invariant does not hold.
type Problem struct {
	Invariant Invariant
	Detail    string // where, and both sides of the contradiction
}

func (p Problem) String() string { return p.Detail + ", but " + string(p.Invariant) }

// MaxProblems is how many problems Verify looks for before it gives up.
const MaxProblems = 1000

// Verify reads everything on one snapshot and returns the problems it finds, at
// most MaxProblems; an error means that it could not finish. Jobs are found
// through their executions, queues and timers; name further ones that should
// have none left. Memory grows with the number of jobs (about 100 bytes each),
// not with that of things or executions. A million executions take some ten
// seconds, during which the store serves on.
func Verify(ctx context.Context, s Store, jobs ...muster.JobID) ([]Problem, error) {
	var v verification
	err := s.View(ctx, func(r Reader) error {
		v = verification{ctx: ctx, r: r, jobs: map[muster.JobID]muster.Counts{}}
		for _, job := range jobs {
			v.jobs[job] = muster.Counts{}
		}
		for _, check := range []func() error{v.executions, v.queues, v.timers, v.countsAndIndex} {
			if err := check(); err != nil || len(v.problems) >= MaxProblems {
				return err
			}
		}
		return nil
	})
	return v.problems[:min(len(v.problems), MaxProblems)], err
}

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

// executions recounts, and looks up every live execution in its queue and
// among its brothers.
func (v *verification) executions() error {
	return inBatches(v, v.r.AllExecutions(), func(batch []muster.Execution) error {
		var live []muster.Execution
		var keys []QueueKey
		for _, e := range batch {
			v.jobs[e.Job] = v.jobs[e.Job].Add(e.Status, 1)
			if e.Deadline() != 0 {
				v.deadlines++
			}
			if !e.Status.Terminal() {
				live, keys = append(live, e), append(keys, QueueKey{e.Thing, e.Namespace})
			}
		}
		queues, err := v.r.Queues(keys...)
		if err != nil {
			return err
		}
		for i, e := range live {
			v.inQueue(e, queues[i])
			latest, err := v.r.Latest(e.Thing, e.Job)
			if err != nil {
				return err
			}
			if latest == nil || latest.Number != e.Number {
				v.problem(OneLiveExecution, "%v is %s and the latest is %+v", Key(e), e.Status, latest)
			}
		}
		return nil
	})
}

// inQueue compares the entry of a live execution with what it should be.
func (v *verification) inQueue(e muster.Execution, q muster.Queue) {
	got, found := q.Find(e.Job)
	want, _ := muster.Queue{}.With(e).Find(e.Job)
	want.Hidden = got.Hidden && got.Status == muster.Queued // known to the queue alone
	if !found || got != want {
		v.problem(QueuesAreLive, "%v should be queued as %+v and is as %+v", Key(e), want, got)
	}
}

// queues looks up the execution of every entry; that they agree in all fields
// was checked from the other side.
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

// timers looks up the execution of every timer. As no two timers are the same,
// a number equal to that of the deadlines proves the reverse.
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
			if compareTimers(last, batch[i]) >= 0 {
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

// missingTimersBatch is how many deadlines are held against all timers at a
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

// countsAndIndex holds the recount against the stored counts and against what
// the index yields, status by status.
func (v *verification) countsAndIndex() error {
	for job, want := range v.jobs {
		got, err := v.r.Counts(job)
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
			if e.Job != job || e.Status != status || compareCursors(last, CursorOf(e)) >= 0 {
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

// know has the counts of job checked even if no execution of it is found.
func (v *verification) know(job muster.JobID) { v.jobs[job] = v.jobs[job].Plus(muster.Counts{}) }

// inBatches hands what seq yields to check, some at a time. What cannot be
// read is a problem, and the end of this check alone.
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

func compareTimers(a, b Timer) int {
	return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Thing, b.Thing),
		cmp.Compare(a.Job, b.Job), cmp.Compare(a.Number, b.Number))
}

func compareCursors(a, b Cursor) int {
	return cmp.Or(cmp.Compare(b.QueuedAt, a.QueuedAt), cmp.Compare(a.Thing, b.Thing), cmp.Compare(a.Number, b.Number))
}
