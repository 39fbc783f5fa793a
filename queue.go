package muster

import (
	"cmp"
	"slices"
)

// PlainCap and WindowedCap bound the part of its queue that a device is shown: at
// most 10 executions of plain jobs and 5 of jobs with maintenance windows
// (arbitration A12). They do not bound the queue itself.
const (
	PlainCap    = 10
	WindowedCap = 5
)

// Entry is a pending execution in its queue: the fields that lists show.
type Entry struct {
	Job       JobID
	Number    int64
	Version   int64
	Status    Status // Queued or InProgress
	QueuedAt  Instant
	StartedAt Instant
	UpdatedAt Instant
	Windowed  bool // its job has maintenance windows
	Hidden    bool // QUEUED while the job is outside its maintenance windows; not shown to devices
}

// Queue is the unit of consistency: all pending executions of one thing in one
// namespace, at most one of each job. The zero Queue with its two names set is an
// empty queue. Queues are values: rules return changed copies and do not modify the
// Entries of the original.
type Queue struct {
	Thing     ThingName
	Namespace Namespace
	Entries   []Entry // sorted by job ID; Pending returns them in the order that devices see

	// Rev is the revision of the queue as it was written last: of two written states of a
	// queue, the newer one has the higher revision (Revised). It is zero if nothing is
	// stored. Other rules keep it.
	Rev int64
}

// LeastRev returns the lowest revision that a written queue with these entries may have:
// the instant at which the oldest of them was queued, times 1,000. Without entries it
// is zero.
func (q Queue) LeastRev() int64 {
	if len(q.Entries) == 0 {
		return 0
	}
	oldest := q.Entries[0].QueuedAt
	for _, e := range q.Entries[1:] {
		oldest = min(oldest, e.QueuedAt)
	}
	return int64(oldest) * 1000
}

// Revised returns the queue with the revision that its next write gives it. That is
// higher than Rev, at least LeastRev, and for a queue that is not stored also higher than
// removed.
//
// A queue without entries is not stored, so its revision is forgotten, and removed should
// be the highest revision that any queue was removed with. Then a queue that comes again
// has a higher revision than ever before, whatever the clock says. A caller that cannot
// know that, because it was started again, passes zero. Then the same holds if the clock
// shows a later instant than when the oldest entry was queued that the queue had in the
// end: it may have been set back since, but by less than that entry was pending.
func (q Queue) Revised(removed int64) Queue {
	if q.Rev == 0 {
		q.Rev = removed
	}
	q.Rev = max(q.Rev+1, q.LeastRev())
	return q
}

// Find returns the entry of job, if one is pending.
func (q Queue) Find(job JobID) (Entry, bool) {
	if i, ok := q.search(job); ok {
		return q.Entries[i], true
	}
	return Entry{}, false
}

// With returns the queue after e was created or changed: a pending execution is
// added or updated, a terminal one is removed. An entry stays Hidden until its
// execution starts or another one takes its place.
func (q Queue) With(e Execution) Queue {
	if e.Status.Terminal() {
		return q.Without(e.Job, e.Number)
	}
	entry := Entry{
		Job: e.Job, Number: e.Number, Version: e.Version, Status: e.Status,
		QueuedAt: e.QueuedAt, StartedAt: e.StartedAt, UpdatedAt: e.UpdatedAt, Windowed: e.Windowed,
	}
	i, found := q.search(e.Job)
	entries := make([]Entry, 0, len(q.Entries)+1)
	entries = append(entries, q.Entries[:i]...)
	if found {
		old := q.Entries[i]
		entry.Hidden = old.Hidden && old.Number == e.Number && e.Status == Queued
		i++
	}
	entries = append(entries, entry)
	q.Entries = append(entries, q.Entries[i:]...)
	return q
}

// Without returns the queue after execution number of job ended or was deleted. The
// entry of another execution of the job stays.
func (q Queue) Without(job JobID, number int64) Queue {
	i, ok := q.search(job)
	if !ok || q.Entries[i].Number != number {
		return q
	}
	entries := make([]Entry, 0, len(q.Entries)-1)
	entries = append(entries, q.Entries[:i]...)
	q.Entries = append(entries, q.Entries[i+1:]...)
	return q
}

func (q Queue) search(job JobID) (int, bool) {
	return slices.BinarySearchFunc(q.Entries, job, func(e Entry, job JobID) int { return cmp.Compare(e.Job, job) })
}

// Hide returns the queue with the entry of job hidden or shown. Only QUEUED entries
// can be hidden.
func (q Queue) Hide(job JobID, hidden bool) Queue {
	i, ok := q.search(job)
	if !ok || q.Entries[i].Hidden == hidden || q.Entries[i].Status != Queued {
		return q
	}
	q.Entries = slices.Clone(q.Entries)
	q.Entries[i].Hidden = hidden
	return q
}

// Pending returns the visible entries in the order of jobs-data-plane.md section 5:
// IN_PROGRESS before QUEUED, then by queuedAt, job ID and number. The caller owns the
// slice.
func (q Queue) Pending() []Entry {
	entries := make([]Entry, 0, len(q.Entries))
	for _, e := range q.Entries {
		if !e.Hidden {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, Entry.compare)
	return entries
}

// Head returns the first entry of Pending, if there is one.
func (q Queue) Head() (Entry, bool) {
	var head Entry
	found := false
	for _, e := range q.Entries {
		if !e.Hidden && (!found || e.compare(head) < 0) {
			head, found = e, true
		}
	}
	return head, found
}

// Shown returns Pending cut to PlainCap and WindowedCap, split by status: what
// GetPendingJobExecutions and the list notification carry.
func (q Queue) Shown() (inProgress, queued []Entry) {
	plain, windowed := 0, 0
	for _, e := range q.Pending() {
		n, limit := &plain, PlainCap
		if e.Windowed {
			n, limit = &windowed, WindowedCap
		}
		if *n == limit {
			continue
		}
		*n++
		if e.Status == InProgress {
			inProgress = append(inProgress, e)
		} else {
			queued = append(queued, e)
		}
	}
	return inProgress, queued
}

// Change says which of the two notifications must be sent after a change of a queue
// (jobs-data-plane.md section 11.1).
type Change struct {
	List bool // the set of pending executions changed: notify
	Next bool // the head changed: notify-next
}

// Or returns the notifications of either change.
func (c Change) Or(d Change) Change { return Change{c.List || d.List, c.Next || d.Next} }

// Any reports whether there is a notification to send.
func (c Change) Any() bool { return c.List || c.Next }

// Diff compares a queue before and after a change. Only which executions are pending
// and which is the first one counts: a start, a progress report or a new version
// alone causes no notification.
func Diff(before, after Queue) Change {
	hb, okb := before.Head()
	ha, oka := after.Head()
	return Change{
		List: !before.sameSet(after),
		Next: okb != oka || hb.Job != ha.Job || hb.Number != ha.Number,
	}
}

// sameSet reports whether the same executions are visible in both queues. It walks
// them in parallel, as both are sorted by job.
func (q Queue) sameSet(r Queue) bool {
	a, b := q.Entries, r.Entries
	for {
		a, b = skipHidden(a), skipHidden(b)
		if len(a) == 0 || len(b) == 0 {
			return len(a) == len(b)
		}
		if a[0].Job != b[0].Job || a[0].Number != b[0].Number {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

func skipHidden(entries []Entry) []Entry {
	for len(entries) > 0 && entries[0].Hidden {
		entries = entries[1:]
	}
	return entries
}

func (e Entry) compare(f Entry) int {
	return cmp.Or(
		-cmp.Compare(e.Status, f.Status), // InProgress is greater than Queued
		cmp.Compare(e.QueuedAt, f.QueuedAt),
		cmp.Compare(e.Job, f.Job),
		cmp.Compare(e.Number, f.Number),
	)
}
