package pebblestore

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Most executions that are pending hold nothing but what their entry in the queue holds
// too: one that waits for its device has no details and no timer yet. Such an execution
// is bare: it has no record of its own, and its entry, which is marked, is read instead.
// So a fan-out writes two keys for an execution and not three
// (docs/decisions/0031-bare-executions.md).
//
// Only entries in queues of the default namespace can be marked, so that a bare
// execution is found without knowing its namespace.

// queue is a queue as it is stored.
type queue struct {
	entries []muster.Entry // not changed in place
	rev     int64          // zero without entries
	bare    []attempt      // which of the executions are bare
	stored  bool           // there is a value under its key, in the database or the batch
	changed bool           // it is not in the batch yet
}

// attempt names an execution among those of a thing.
type attempt struct {
	job    muster.JobID
	number int64
}

// mark says whether the execution of an entry is bare.
func (q *queue) mark(a attempt, bare bool) {
	i := slices.Index(q.bare, a)
	switch {
	case bare && i < 0:
		q.bare = append(q.bare, a)
	case !bare && i >= 0:
		q.bare = slices.Delete(q.bare, i, i+1)
	default:
		return
	}
	q.changed = true
}

// find returns the entry of an execution.
func (q *queue) find(a attempt) (muster.Entry, bool) {
	e, ok := muster.Queue{Entries: q.entries}.Find(a.job)
	return e, ok && e.Number == a.number
}

// saysAllOf reports whether an entry of q has all that e has.
func (q *queue) saysAllOf(e *muster.Execution) bool {
	entry, ok := q.find(attempt{e.Job, e.Number})
	return ok && bareExecution(e.Thing, &entry).Equal(*e)
}

// bareExecutions returns the bare executions of a thing, by job.
func (q *queue) bareExecutions(thing muster.ThingName) []muster.Execution {
	var all []muster.Execution
	for i := range q.entries {
		if e := &q.entries[i]; slices.Contains(q.bare, attempt{e.Job, e.Number}) {
			all = append(all, bareExecution(thing, e))
		}
	}
	return all
}

// bareExecution returns the execution of which an entry says all.
func bareExecution(thing muster.ThingName, e *muster.Entry) muster.Execution {
	return muster.Execution{
		Thing: thing, Job: e.Job, Number: e.Number, Status: e.Status, Version: e.Version,
		QueuedAt: e.QueuedAt, StartedAt: e.StartedAt, UpdatedAt: e.UpdatedAt, Windowed: e.Windowed,
	}
}

// queue returns a queue; one that is not stored has no entries. It belongs to the reader.
func (r *reader) queue(key store.QueueKey) (*queue, error) {
	if q, ok := r.queues[key]; ok {
		return q, nil
	}
	if r.last != nil && r.lastKey == key {
		return r.last, nil
	}
	q := new(queue)
	var err error
	q.stored, err = r.get(appendQueueKey(r.key[:0], key), func(value []byte) error { return decodeQueue(value, q) })
	if err != nil {
		return nil, queueError(key, err)
	}
	if r.queues != nil {
		r.queues[key] = q
	} else {
		r.last, r.lastKey = q, key
	}
	return q, nil
}

func queueError(key store.QueueKey, err error) error {
	return fmt.Errorf("pebblestore: queue %v: %w", key, err)
}

// bare returns an execution if it is bare, and otherwise nil.
func (r *reader) bare(key store.ExecutionKey) (*muster.Execution, error) {
	q, err := r.queue(store.QueueKey{Thing: key.Thing})
	if err != nil {
		return nil, err
	}
	return q.bareOne(key), nil
}

func (q *queue) bareOne(key store.ExecutionKey) *muster.Execution {
	a := attempt{key.Job, key.Number}
	entry, ok := q.find(a)
	if !ok || !slices.Contains(q.bare, a) {
		return nil
	}
	e := bareExecution(key.Thing, &entry)
	return &e
}

// executionsIn yields the executions, bare or not, of the things whose keys are from
// lower to below upper: thing by thing, by job then number.
func (r *reader) executionsIn(lower, upper []byte) iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		var bare []muster.Execution // of the last queue, as far as they were not yielded
		// before yields those that come before a key.
		before := func(key store.ExecutionKey) bool {
			for len(bare) > 0 && store.Key(bare[0]).Compare(key) < 0 {
				if !yield(bare[0], nil) {
					return false
				}
				bare = bare[1:]
			}
			return true
		}
		for row, err := range sequence(r, lower, upper, decodeOfThing) {
			if err != nil {
				yield(muster.Execution{}, err)
				return
			}
			if row.execution == nil {
				if !before(store.ExecutionKey{Thing: row.thing}) { // those of the thing before
					return
				}
				bare = row.bare
				continue
			}
			if !before(store.Key(*row.execution)) || !yield(*row.execution, nil) {
				return
			}
		}
		for _, e := range bare {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// rowOfThing is a key of kind t with its value: an execution, or a queue, of which the
// bare executions are of interest.
type rowOfThing struct {
	thing     muster.ThingName
	execution *muster.Execution
	bare      []muster.Execution
}

func decodeOfThing(key, value []byte) (rowOfThing, bool, error) {
	thing, rest, err := parseThingKey(key)
	row := rowOfThing{thing: thing}
	switch {
	case err != nil:
	case rest[0] == executionMark:
		var name store.ExecutionKey
		if name, err = parseExecutionKey(key, thing, rest[1:]); err == nil {
			row.execution, err = newExecution(name, value)
		}
	default:
		var q queue
		if err = decodeQueue(value, &q); err != nil {
			err = queueError(store.QueueKey{Thing: thing, Namespace: muster.Namespace(rest[1:])}, err)
		}
		row.bare = q.bareExecutions(thing)
	}
	return row, row.execution != nil || len(row.bare) > 0, err
}

// bareAt returns an execution if it is bare in the state that the iterator shows, and
// otherwise nil.
func (w *walk) bareAt(key store.ExecutionKey) (*muster.Execution, error) {
	w.key = appendQueueKey(w.key[:0], store.QueueKey{Thing: key.Thing})
	if !w.executions.SeekGE(w.key) || !bytes.Equal(w.executions.Key(), w.key) {
		return nil, w.executions.Error()
	}
	value, err := w.executions.ValueAndErr()
	if err != nil {
		return nil, err
	}
	var q queue
	if err := decodeQueue(value, &q); err != nil {
		return nil, queueError(store.QueueKey{Thing: key.Thing}, err)
	}
	return q.bareOne(key), nil
}
