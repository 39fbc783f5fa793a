package storetest

import (
	"iter"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// serial finds out whether transactions that ran at the same time could have run one after the
// other. One depends on another, and comes after it, if its snapshot shows it. One comes before
// another if it has read what the other one wrote and its snapshot does not show that.
type serial struct {
	committed []*serialTx // the latest, in their order
}

// serialMax bounds the transactions that are remembered: more than run at the same time, and
// those that ran with them, and so on.
const serialMax = 128

type serialTx struct {
	at, number int // how many were applied at its snapshot, and once it was
	reads      *readSet
	before     []*serialTx // those that it comes before although it did not commit first
}

// add adds a transaction that has read and written reads, unless it would come before itself.
func (s *serial) add(reads *readSet, at, number int) bool {
	tx := &serialTx{at: at, number: number, reads: reads}
	var after []*serialTx // at the same time, and tx has written what they have read
	for _, other := range s.committed {
		if other.number <= at {
			continue
		}
		if reads.meets(other.reads) {
			tx.before = append(tx.before, other)
		}
		if other.reads.meets(reads) {
			after = append(after, other)
		}
	}
	if s.reaches(tx.before, func(other *serialTx) bool { return other.number <= at || slices.Contains(after, other) }) {
		return false
	}
	for _, other := range after {
		other.before = append(other.before, tx)
	}
	s.committed = append(s.committed, tx)
	if len(s.committed) > serialMax {
		s.committed = slices.Clone(s.committed[len(s.committed)-serialMax:])
	}
	return true
}

// reaches reports whether one of from, or one that comes after it, is what is looked for.
func (s *serial) reaches(from []*serialTx, found func(*serialTx) bool) bool {
	seen := map[*serialTx]bool{}
	for len(from) > 0 {
		tx := from[0]
		from = from[1:]
		if seen[tx] {
			continue
		}
		if seen[tx] = true; found(tx) {
			return true
		}
		from = append(slices.Clone(from), tx.before...)
		for _, other := range s.committed {
			if other.at >= tx.number {
				from = append(from, other)
			}
		}
	}
	return false
}

// readSet is a transaction that remembers what it has read.
type readSet struct {
	*recorded
	points map[any]bool
	ranges []func(key any, timed bool) bool // whether it has read what was written
}

// meets reports whether r has read something that another transaction wrote.
func (r *readSet) meets(other *readSet) bool {
	for key, timed := range other.keys {
		if r.points[key] || slices.ContainsFunc(r.ranges, func(has func(any, bool) bool) bool { return has(key, timed) }) {
			return true
		}
	}
	return false
}

func (r *readSet) point(key any) {
	if r.points == nil {
		r.points = map[any]bool{}
	}
	r.points[key] = true
}

func (r *readSet) executions(has func(store.ExecutionKey) bool) {
	r.ranges = append(r.ranges, func(key any, _ bool) bool {
		of, ok := key.(store.ExecutionKey)
		return ok && has(of)
	})
}

func (r *readSet) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	for _, key := range keys {
		r.point(key)
	}
	return r.recorded.Queues(keys...)
}

func (r *readSet) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	for _, key := range keys {
		r.point(key)
	}
	return r.recorded.Executions(keys...)
}

func (r *readSet) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	for _, key := range keys {
		r.executions(func(of store.ExecutionKey) bool { return of.Thing == key.Thing && of.Job == key.Job })
	}
	return r.recorded.Latest(keys...)
}

func (r *readSet) ExecutionsOfThing(thing muster.ThingName) iter.Seq2[muster.Execution, error] {
	r.executions(func(of store.ExecutionKey) bool { return of.Thing == thing })
	return r.recorded.ExecutionsOfThing(thing)
}

func (r *readSet) ExecutionsOfJob(job muster.JobID, status muster.Status, after store.Cursor) iter.Seq2[muster.Execution, error] {
	r.executions(func(of store.ExecutionKey) bool { return of.Job == job })
	return r.recorded.ExecutionsOfJob(job, status, after)
}

func (r *readSet) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	r.executions(func(of store.ExecutionKey) bool { return slices.Contains(jobs, of.Job) })
	return r.recorded.Counts(jobs...)
}

func (r *readSet) Timers(until muster.Instant) iter.Seq2[store.Timer, error] {
	r.ranges = append(r.ranges, func(_ any, timed bool) bool { return timed })
	return r.recorded.Timers(until)
}

func (r *readSet) AllQueues() iter.Seq2[muster.Queue, error] {
	r.ranges = append(r.ranges, func(key any, _ bool) bool { _, ok := key.(store.QueueKey); return ok })
	return r.recorded.AllQueues()
}

func (r *readSet) AllExecutions() iter.Seq2[muster.Execution, error] {
	r.executions(func(store.ExecutionKey) bool { return true })
	return r.recorded.AllExecutions()
}

func (r *readSet) Get(table store.Table, key string) ([]byte, error) {
	r.point(recordKey{table, key})
	return r.recorded.Get(table, key)
}

func (r *readSet) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		until := to
		r.ranges = append(r.ranges, func(key any, _ bool) bool {
			of, ok := key.(recordKey)
			return ok && of.table == table && of.key >= from && (until == "" || of.key < until)
		})
		for row, err := range r.recorded.Scan(table, from, to) {
			if !yield(row, err) {
				until = store.After(row.Key)
				return
			}
		}
	}
}
