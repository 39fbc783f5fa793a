package pebblestore

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// ExecutionsOfJob iterates over the places of one status, or merges those of all
// eight, and looks each execution up. It reads the state at the beginning of the
// iteration.
func (r *reader) ExecutionsOfJob(
	job muster.JobID, status muster.Status, after store.Cursor,
) iter.Seq2[muster.Execution, error] {
	statuses := muster.Statuses()
	if status != 0 {
		statuses = []muster.Status{status}
	}
	return func(yield func(muster.Execution, error) bool) {
		w := walk{job: job, prefix: appendPlaces(nil, job)}
		err := w.open(r, statuses, after)
		for err == nil && len(w.places) > 0 {
			var e *muster.Execution
			if e, err = w.next(); err == nil && !yield(*e, nil) {
				break
			}
		}
		if err := errors.Join(err, w.close()); err != nil {
			yield(muster.Execution{}, err)
		}
	}
}

// walk is a merge of the places of a job, by status.
type walk struct {
	job        muster.JobID
	prefix     []byte
	places     []*pebble.Iterator // those that are at a place
	done       []*pebble.Iterator
	executions *pebble.Iterator
	key        []byte // room for one
}

func (w *walk) open(r *reader, statuses []muster.Status, cursor store.Cursor) (err error) {
	if w.executions, err = r.iterator([]byte{ofThing}, []byte{ofThing + 1}); err != nil {
		return err
	}
	for _, status := range statuses {
		lower := append(bytes.Clone(w.prefix), byte(status))
		upper := append(bytes.Clone(w.prefix), byte(status)+1)
		if cursor != (store.Cursor{}) {
			lower = append(appendPlaceKey(nil, w.job, status, cursor), 0)
		}
		it, err := r.iterator(lower, upper)
		if err != nil {
			return err
		}
		if err := w.keep(it, it.First()); err != nil {
			return err
		}
	}
	return nil
}

// keep adds an iterator that was moved to places, or to done if it is at its end.
func (w *walk) keep(it *pebble.Iterator, valid bool) error {
	if valid {
		w.places = append(w.places, it)
		return nil
	}
	w.done = append(w.done, it)
	return it.Error()
}

// next returns the execution at the first of the places, and steps.
func (w *walk) next() (*muster.Execution, error) {
	first := 0
	for i, it := range w.places {
		if bytes.Compare(w.rank(it), w.rank(w.places[first])) < 0 {
			first = i
		}
	}
	it := w.places[first]
	e, err := w.execution(it.Key())
	if err != nil {
		return nil, err
	}
	w.places = append(w.places[:first], w.places[first+1:]...)
	return e, w.keep(it, it.Next())
}

// rank is the part of a place's key that orders executions across statuses.
func (w *walk) rank(it *pebble.Iterator) []byte { return it.Key()[len(w.prefix)+1:] }

// execution looks up the execution that the key of a place names. If they
// disagree, it fails: the folder is damaged.
func (w *walk) execution(key []byte) (*muster.Execution, error) {
	status, at, err := parsePlace(key[len(w.prefix):])
	if err != nil {
		return nil, err
	}
	name := store.ExecutionKey{Thing: at.Thing, Job: w.job, Number: at.Number}
	e, err := w.find(name, status)
	if err != nil {
		return nil, err
	}
	if e.Status != status || e.QueuedAt != at.QueuedAt {
		return nil, fmt.Errorf("pebblestore: the index has %v as %s since %d, which is %s since %d",
			name, status, at.QueuedAt, e.Status, e.QueuedAt)
	}
	return e, nil
}

// find returns an execution that has a status.
func (w *walk) find(name store.ExecutionKey, status muster.Status) (*muster.Execution, error) {
	if !status.Terminal() {
		if e, err := w.bareAt(name); err != nil || e != nil {
			return e, err
		}
	}
	w.key = appendExecutionKey(w.key[:0], name)
	if !w.executions.SeekGE(w.key) || !bytes.Equal(w.executions.Key(), w.key) {
		return nil, errors.Join(fmt.Errorf("pebblestore: the index names %v, which does not exist", name), w.executions.Error())
	}
	value, err := w.executions.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return newExecution(name, value)
}

func (w *walk) close() error {
	var err error
	for _, it := range append(append(w.places, w.done...), w.executions) {
		if it != nil {
			err = errors.Join(err, it.Close())
		}
	}
	return err
}
