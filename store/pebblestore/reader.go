package pebblestore

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// reader answers from a snapshot, or from a transaction's batch and what is
// below it.
type reader struct {
	from pebble.Reader
	key  []byte // room for the key of one point read

	// Of a view: the queue that was read last. A device asks for its queue, and then for
	// an execution of which the queue says all.
	last    *queue
	lastKey store.QueueKey

	// Of a transaction; nil in a view.
	queues map[store.QueueKey]*queue // read or written so far
	settle func() error              // adds to the batch what is changed in queues
}

// iterator returns one over the keys from lower to below upper, in the state of now.
func (r *reader) iterator(lower, upper []byte) (*pebble.Iterator, error) {
	if r.settle != nil && lower[0] == ofThing {
		if err := r.settle(); err != nil {
			return nil, err
		}
	}
	return r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

// get calls use with the value under key, which is valid during the call only. It
// reports whether there is one.
func (r *reader) get(key []byte, use func(value []byte) error) (found bool, err error) {
	r.key = key // it may have grown
	value, closer, err := r.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, plainly(err)
	}
	err = use(value)
	return true, errors.Join(err, closer.Close())
}

func (r *reader) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	queues := make([]muster.Queue, len(keys))
	for i, key := range keys {
		q, err := r.queue(key)
		if err != nil {
			return nil, err
		}
		queues[i] = muster.Queue{Thing: key.Thing, Namespace: key.Namespace, Entries: slices.Clone(q.entries), Rev: q.rev} // q is kept
	}
	return queues, nil
}

func (r *reader) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	executions := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		var err error
		if executions[i], err = r.execution(key); err != nil {
			return nil, err
		}
	}
	return executions, nil
}

// execution returns an execution, or nil when there is none.
func (r *reader) execution(key store.ExecutionKey) (*muster.Execution, error) {
	e, err := r.bare(key)
	if err != nil || e != nil {
		return e, err
	}
	_, err = r.get(appendExecutionKey(r.key[:0], key), func(value []byte) (err error) {
		e, err = newExecution(key, value)
		return err
	})
	return e, err
}

// newExecution decodes the execution under key.
func newExecution(key store.ExecutionKey, value []byte) (*muster.Execution, error) {
	e := &muster.Execution{Thing: key.Thing, Job: key.Job, Number: key.Number}
	if err := decodeExecution(value, e); err != nil {
		return nil, fmt.Errorf("pebblestore: execution %v: %w", key, err)
	}
	return e, nil
}

func (r *reader) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	latest := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		var err error
		if latest[i], err = r.latest(key.Thing, key.Job); err != nil {
			return nil, err
		}
	}
	return latest, nil
}

// latest returns the latest execution of a job on a thing, or nil when there is none. One
// that has an entry in the queue is the latest, and is read by its number: tables have
// filters for point reads only, so to look for the highest number reads a block of each
// level.
func (r *reader) latest(thing muster.ThingName, job muster.JobID) (*muster.Execution, error) {
	q, err := r.queue(store.QueueKey{Thing: thing})
	if err != nil {
		return nil, err
	}
	if entry, pending := (muster.Queue{Entries: q.entries}).Find(job); pending {
		e, err := r.execution(store.ExecutionKey{Thing: thing, Job: job, Number: entry.Number})
		if err != nil || e != nil {
			return e, err
		}
	}
	return r.latestRecorded(thing, job)
}

// latestRecorded is latest of the executions that have a record.
func (r *reader) latestRecorded(thing muster.ThingName, job muster.JobID) (*muster.Execution, error) {
	prefix := appendExecutions(nil, thing, job)
	it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, err
	}
	if !it.Last() {
		return nil, it.Close()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, errors.Join(err, it.Close())
	}
	n := number(it.Key()[len(prefix):])
	e, err := newExecution(store.ExecutionKey{Thing: thing, Job: job, Number: n}, value)
	return e, errors.Join(err, it.Close())
}

func (r *reader) ExecutionsOfThing(thing muster.ThingName) iter.Seq2[muster.Execution, error] {
	prefix := appendThing(nil, thing)
	return r.executionsIn(prefix, after(prefix))
}

func (r *reader) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	all := make([]muster.Counts, len(jobs))
	for i, job := range jobs {
		_, err := r.get(appendCountsKey(r.key[:0], job), func(value []byte) (err error) {
			all[i], err = decodeCounts(value)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("pebblestore: counts of %q: %w", job, err)
		}
	}
	return all, nil
}

func (r *reader) Timers(until muster.Instant) iter.Seq2[store.Timer, error] {
	upper := []byte{ofTimer + 1}
	if until < math.MaxInt64 {
		upper = appendNumber([]byte{ofTimer}, int64(until)+1)
	}
	return sequence(r, []byte{ofTimer}, upper, func(key, _ []byte) (store.Timer, bool, error) {
		t, err := parseTimerKey(key)
		return t, true, err
	})
}

func (r *reader) AllQueues() iter.Seq2[muster.Queue, error] {
	return sequence(r, []byte{ofThing}, []byte{ofThing + 1}, func(key, value []byte) (q muster.Queue, ok bool, err error) {
		thing, rest, err := parseThingKey(key)
		if err != nil || rest[0] != queueMark {
			return q, false, err
		}
		q.Thing, q.Namespace = thing, muster.Namespace(rest[1:])
		var stored queue
		if err := decodeQueue(value, &stored); err != nil {
			return q, true, queueError(store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}, err)
		}
		q.Entries, q.Rev = stored.entries, stored.rev
		return q, true, nil
	})
}

func (r *reader) AllExecutions() iter.Seq2[muster.Execution, error] {
	return r.executionsIn([]byte{ofThing}, []byte{ofThing + 1})
}

func (r *reader) Get(table store.Table, key string) (value []byte, err error) {
	_, err = r.get(appendRecordKey(r.key[:0], table, key), func(v []byte) error {
		value = append([]byte{}, v...) // not nil, even if empty
		return nil
	})
	return value, err
}

func (r *reader) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	prefix := appendRecordKey(nil, table, "")
	upper := after(prefix)
	if to != "" {
		upper = appendRecordKey(nil, table, to)
	}
	return sequence(r, appendRecordKey(nil, table, from), upper, func(key, value []byte) (store.Record, bool, error) {
		return store.Record{Key: string(key[len(prefix):]), Value: append([]byte{}, value...)}, true, nil
	})
}

// sequence yields what decode makes of the keys from lower to below upper,
// without those that are not ok.
func sequence[T any](
	r *reader, lower, upper []byte, decode func(key, value []byte) (v T, ok bool, err error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		it, err := r.iterator(lower, upper)
		if err != nil {
			yield(none, err)
			return
		}
		defer it.Close() // its error is that of it.Error, below
		for valid := it.First(); valid; valid = it.Next() {
			value, err := it.ValueAndErr()
			if err != nil {
				yield(none, plainly(err))
				return
			}
			v, ok, err := decode(it.Key(), value)
			if err != nil {
				yield(none, err)
				return
			}
			if ok && !yield(v, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(none, plainly(err))
		}
	}
}
