package memstore

import (
	"iter"
	"math"

	"github.com/tidwall/btree"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

type reader struct {
	*state
	changing bool // the state is that of a transaction
}

// at returns a state that stays as it is now, for a sequence to walk over.
func (r reader) at() *state {
	if r.changing {
		return r.copy()
	}
	return r.state
}

func (r reader) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	queues := make([]muster.Queue, len(keys))
	for i, key := range keys {
		queues[i] = muster.Queue{Thing: key.Thing, Namespace: key.Namespace}
		if q, ok := r.queues.Get(queues[i]); ok {
			queues[i] = cloneQueue(q)
		}
	}
	return queues, nil
}

func (r reader) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	executions := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		if e, ok := r.execution(key); ok {
			e = cloneExecution(e)
			executions[i] = &e
		}
	}
	return executions, nil
}

func (s *state) execution(key store.ExecutionKey) (muster.Execution, bool) {
	return s.executions.Get(muster.Execution{Thing: key.Thing, Job: key.Job, Number: key.Number})
}

func (r reader) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	latest := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		last := muster.Execution{Thing: key.Thing, Job: key.Job, Number: math.MaxInt64}
		r.executions.Descend(last, func(e muster.Execution) bool {
			if e.Thing == key.Thing && e.Job == key.Job {
				e = cloneExecution(e)
				latest[i] = &e
			}
			return false
		})
	}
	return latest, nil
}

func (r reader) ExecutionsOfThing(thing muster.ThingName) iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		from := muster.Execution{Thing: thing, Number: math.MinInt64}
		r.at().executions.Ascend(from, func(e muster.Execution) bool {
			return e.Thing == thing && yield(cloneExecution(e), nil)
		})
	}
}

func (r reader) ExecutionsOfJob(
	job muster.JobID, status muster.Status, after store.Cursor,
) iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		from := place{job, status, after}
		if after == (store.Cursor{}) {
			from.Cursor = first
		}
		s := r.at()
		s.places.Ascend(from, func(p place) bool {
			if p.job != job || p.status != status {
				return false
			}
			if p.Cursor == after {
				return true
			}
			e, _ := s.execution(store.ExecutionKey{Thing: p.Thing, Job: job, Number: p.Number})
			return yield(cloneExecution(e), nil)
		})
	}
}

func (r reader) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	all := make([]muster.Counts, len(jobs))
	for i, job := range jobs {
		c, _ := r.counts.Get(jobCounts{job: job})
		all[i] = c.counts
	}
	return all, nil
}

func (r reader) Timers(until muster.Instant) iter.Seq2[store.Timer, error] {
	return func(yield func(store.Timer, error) bool) {
		r.at().timers.Scan(func(t store.Timer) bool { return t.Due <= until && yield(t, nil) })
	}
}

func (r reader) AllQueues() iter.Seq2[muster.Queue, error] {
	return all(r, func(s *state) *btree.BTreeG[muster.Queue] { return s.queues }, cloneQueue)
}

func (r reader) AllExecutions() iter.Seq2[muster.Execution, error] {
	return all(r, func(s *state) *btree.BTreeG[muster.Execution] { return s.executions }, cloneExecution)
}

func all[T any](r reader, of func(*state) *btree.BTreeG[T], clone func(T) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		of(r.at()).Scan(func(v T) bool { return yield(clone(v), nil) })
	}
}

func (r reader) Get(table store.Table, key string) ([]byte, error) {
	rec, ok := r.records.Get(record{table: table, key: key})
	if !ok {
		return nil, nil
	}
	return cloneValue(rec.value), nil
}

func (r reader) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		r.at().records.Ascend(record{table: table, key: from}, func(rec record) bool {
			if rec.table != table || (to != "" && rec.key >= to) {
				return false
			}
			return yield(store.Record{Key: rec.key, Value: cloneValue(rec.value)}, nil)
		})
	}
}

// cloneValue never returns nil, which would mean that there is no record.
func cloneValue(value []byte) []byte { return append([]byte{}, value...) }
