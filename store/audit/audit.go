// Package audit checks that a store holds together: that what is kept twice
// says the same both times, and that what must hold at every instant does
// (docs/ARCHITECTURE.md, invariants). It reads and never repairs.
package audit

import (
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// findingsMax bounds a report: whoever has so many faults needs no more.
const findingsMax = 100

// endOfTime is later than any deadline.
const endOfTime = muster.Instant(1) << 60

// Report is what an audit saw.
type Report struct {
	Executions int
	Pending    int // of these, QUEUED or IN_PROGRESS
	Queues     int
	Timers     int
	Jobs       int      // that have executions
	Findings   []string // at most 100, one sentence each; none when all is well
}

// Read audits one snapshot. Its cost is a few reads for each execution; it keeps
// in memory only counters for each job. The error is the reader's.
func Read(r store.Reader) (Report, error) {
	a := auditor{r: r, counts: map[muster.JobID]muster.Counts{}}
	for _, step := range []func() error{a.executions, a.queues, a.timers, a.jobs} {
		if err := step(); err != nil {
			return a.Report, err
		}
	}
	return a.Report, nil
}

type auditor struct {
	Report
	r         store.Reader
	counts    map[muster.JobID]muster.Counts
	deadlines int
}

func (a *auditor) find(format string, args ...any) {
	if len(a.Findings) < findingsMax {
		a.Findings = append(a.Findings, fmt.Sprintf(format, args...))
	}
}

// executions looks at each by itself, and for its place in its queue.
func (a *auditor) executions() error {
	for e, err := range a.r.AllExecutions() {
		if err != nil {
			return err
		}
		a.Executions++
		a.counts[e.Job] = a.counts[e.Job].Add(e.Status, 1)
		a.sane(e)
		if e.Deadline() != 0 {
			a.deadlines++
		}
		if e.Status.Terminal() {
			continue
		}
		a.Pending++
		found, err := a.r.Queues(store.QueueKey{Thing: e.Thing, Namespace: e.Namespace})
		if err != nil {
			return err
		}
		entry, ok := found[0].Find(e.Job)
		switch {
		case !ok:
			a.find("%s is %s but not in the queue of its thing", name(e), e.Status)
		case entry.Number != e.Number:
			a.find("%s is %s beside number %d: two live executions of one job", name(e), e.Status, entry.Number)
		case entry.Version != e.Version || entry.Status != e.Status || entry.QueuedAt != e.QueuedAt ||
			entry.StartedAt != e.StartedAt || entry.UpdatedAt != e.UpdatedAt || entry.Windowed != e.Windowed:
			a.find("%s differs from its entry in the queue of its thing", name(e))
		}
	}
	return nil
}

// sane checks what an execution can say of itself.
func (a *auditor) sane(e muster.Execution) {
	switch {
	case e.Number < 1 || e.Version < 1:
		a.find("%s has version %d; numbers and versions begin at 1", name(e), e.Version)
	case e.QueuedAt == 0 || e.UpdatedAt < e.QueuedAt:
		a.find("%s was queued at %d and updated at %d", name(e), e.QueuedAt, e.UpdatedAt)
	case e.Status == muster.InProgress && e.StartedAt == 0:
		a.find("%s is IN_PROGRESS but was never started", name(e))
	case e.Status == muster.Queued && e.StartedAt != 0:
		a.find("%s is QUEUED but was started", name(e))
	}
}

// queues checks that no queue holds more than the executions it was found for:
// each pending execution has an entry, so equal numbers leave none over.
func (a *auditor) queues() error {
	entries := 0
	for q, err := range a.r.AllQueues() {
		if err != nil {
			return err
		}
		a.Queues++
		entries += len(q.Entries)
	}
	if entries != a.Pending {
		a.find("the queues have %d entries for %d pending executions", entries, a.Pending)
	}
	return nil
}

// timers checks every stored timer against its execution, and their number.
func (a *auditor) timers() error {
	for t, err := range a.r.Timers(endOfTime) {
		if err != nil {
			return err
		}
		a.Timers++
		found, err := a.r.Executions(t.ExecutionKey)
		switch {
		case err != nil:
			return err
		case found[0] == nil:
			a.find("a timer is set for execution %d of job %s on %s, which does not exist", t.Number, t.Job, t.Thing)
		case found[0].Deadline() != t.Due:
			a.find("the timer of %s is set for %d, its deadline is %d", name(*found[0]), t.Due, found[0].Deadline())
		}
	}
	if a.Timers != a.deadlines {
		a.find("there are %d timers for %d deadlines", a.Timers, a.deadlines)
	}
	return nil
}

// jobs compares the counters of each job, and its index, with a recount.
func (a *auditor) jobs() error {
	a.Jobs = len(a.counts)
	for job, recount := range a.counts {
		kept, err := a.r.Counts(job)
		if err != nil {
			return err
		}
		if kept != recount {
			a.find("job %s counts %v, a recount gives %v", job, kept, recount)
		}
		indexed, last := int64(0), store.Cursor{}
		for e, err := range a.r.ExecutionsOfJob(job, 0, store.Cursor{}) {
			if err != nil {
				return err
			}
			if indexed++; indexed > 1 && !before(last, store.CursorOf(e)) {
				a.find("the index of job %s is out of order at %s", job, name(e))
			}
			last = store.CursorOf(e)
		}
		if indexed != recount.Total() {
			a.find("the index of job %s has %d executions of %d", job, indexed, recount.Total())
		}
	}
	return nil
}

// before reports whether c comes before d in the order of store.Cursor.
func before(c, d store.Cursor) bool {
	switch {
	case c.QueuedAt != d.QueuedAt:
		return c.QueuedAt > d.QueuedAt
	case c.Thing != d.Thing:
		return c.Thing < d.Thing
	}
	return c.Number < d.Number
}

func name(e muster.Execution) string {
	return fmt.Sprintf("execution %d of job %s on %s", e.Number, e.Job, e.Thing)
}
