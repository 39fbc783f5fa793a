package pebblestore

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tx writes to an indexed batch, from which it also reads. Only the changes of
// counts are summed up until the end: so thousands of executions of one job change
// one record once (docs/decisions/0001-counts-are-absolute.md).
type tx struct {
	reader
	batch         *pebble.Batch
	counts        map[muster.JobID]*tally // those that were read or changed
	keyBuf, value []byte                  // room for one write
	err           error                   // the first of a write
}

// tally is the counts of a job in a transaction. They are read at most once in it: each
// command that ends an execution asks for them.
type tally struct {
	stored muster.Counts
	read   bool // stored is known
	change muster.Counts
}

func newTx(batch *pebble.Batch) *tx {
	t := &tx{batch: batch, counts: map[muster.JobID]*tally{}}
	t.reader = reader{from: batch, queues: map[store.QueueKey]*queue{}, settle: t.writeQueues}
	return t
}

// PutQueue keeps the queue until the end of the transaction, or until something reads
// more than one queue: which of its executions are bare may still change, and the next
// command may change the queue again.
func (t *tx) PutQueue(q muster.Queue) {
	stored, err := t.queue(store.QueueKey{Thing: q.Thing, Namespace: q.Namespace})
	if err != nil {
		t.keep(err)
		return
	}
	stored.entries, stored.rev, stored.changed = slices.Clone(q.Entries), q.Rev, true
	if len(q.Entries) == 0 {
		stored.rev = 0
	}
}

// writeQueues adds the queues that were changed to the batch.
func (t *tx) writeQueues() error {
	for key, q := range t.queues {
		if q.changed {
			t.writeQueue(key, q)
		}
	}
	return t.err
}

func (t *tx) writeQueue(key store.QueueKey, q *queue) {
	q.changed = false
	t.keyBuf = appendQueueKey(t.keyBuf[:0], key)
	switch {
	case len(q.entries) > 0:
		t.value = appendQueue(t.value[:0], q)
		t.set(t.keyBuf, t.value)
	case q.stored:
		t.remove(t.keyBuf)
	}
	q.stored = len(q.entries) > 0
	for _, a := range q.bare {
		if _, ok := q.find(a); !ok {
			t.keep(fmt.Errorf("pebblestore: %v of %v has left its queue and is not changed", a, key.Thing))
		}
	}
}

func (t *tx) Change(before, after *muster.Execution) {
	t.changeExecution(before, after)
	t.changePlace(before, after)
	t.changeTimer(before, after)
}

// changeExecution writes the record of an execution, unless the execution is bare.
func (t *tx) changeExecution(before, after *muster.Execution) {
	e := after
	if e == nil {
		e = before
	}
	was, is, err := t.changeBare(e, after)
	if err != nil {
		t.keep(err)
		return
	}
	t.keyBuf = appendExecutionKey(t.keyBuf[:0], store.Key(*e))
	switch {
	case after != nil && !is:
		t.value = appendExecution(t.value[:0], after)
		t.set(t.keyBuf, t.value)
	case before != nil && !was:
		t.remove(t.keyBuf)
	}
}

// changeBare reports whether e was bare and whether after, which may be nil, is, and
// marks its entry so.
func (t *tx) changeBare(e, after *muster.Execution) (was, is bool, err error) {
	if e.Namespace != "" {
		return false, false, nil
	}
	q, err := t.queue(store.QueueKey{Thing: e.Thing})
	if err != nil {
		return false, false, err
	}
	a := attempt{e.Job, e.Number}
	was, is = slices.Contains(q.bare, a), after != nil && q.saysAllOf(after)
	if was != is {
		q.mark(a, is)
	}
	return was, is, nil
}

// changePlace updates the index by job and the counts.
func (t *tx) changePlace(before, after *muster.Execution) {
	if before != nil && after != nil && before.Status == after.Status && before.QueuedAt == after.QueuedAt {
		return
	}
	if before != nil {
		t.keyBuf = appendPlaceKey(t.keyBuf[:0], before.Job, before.Status, store.CursorOf(*before))
		t.remove(t.keyBuf)
		t.count(before, -1)
	}
	if after != nil {
		t.keyBuf = appendPlaceKey(t.keyBuf[:0], after.Job, after.Status, store.CursorOf(*after))
		t.set(t.keyBuf, nil)
		t.count(after, 1)
	}
}

func (t *tx) changeTimer(before, after *muster.Execution) {
	was, is := deadline(before), deadline(after)
	if was == is {
		return
	}
	if was != 0 {
		t.keyBuf = appendTimerKey(t.keyBuf[:0], store.Timer{Due: was, ExecutionKey: store.Key(*before)})
		t.remove(t.keyBuf)
	}
	if is != 0 {
		t.keyBuf = appendTimerKey(t.keyBuf[:0], store.Timer{Due: is, ExecutionKey: store.Key(*after)})
		t.set(t.keyBuf, nil)
	}
}

func deadline(e *muster.Execution) muster.Instant {
	if e == nil {
		return 0
	}
	return e.Deadline()
}

func (t *tx) count(e *muster.Execution, n int64) {
	c := t.tally(e.Job)
	c.change = c.change.Add(e.Status, n)
}

func (t *tx) tally(job muster.JobID) *tally {
	c := t.counts[job]
	if c == nil {
		c = new(tally)
		t.counts[job] = c
	}
	return c
}

// Counts adds what the transaction has changed to what is stored.
func (t *tx) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	all := make([]muster.Counts, len(jobs))
	for i, job := range jobs {
		c := t.tally(job)
		if !c.read {
			stored, err := t.reader.Counts(job)
			if err != nil {
				return nil, err
			}
			c.stored, c.read = stored[0], true
		}
		all[i] = c.stored.Plus(c.change)
	}
	return all, nil
}

// finish writes the queues and the counts. If a count would be below zero, the before of a
// Change was not what is stored, and the transaction must not be applied.
func (t *tx) finish() error {
	if err := t.writeQueues(); err != nil {
		return err
	}
	for job, c := range t.counts {
		if c.change == (muster.Counts{}) {
			continue
		}
		counts, err := store.CountsOf(t, job)
		if err != nil {
			return err
		}
		for _, n := range counts {
			if n < 0 {
				return fmt.Errorf("pebblestore: the counts of job %q would be %v", job, counts)
			}
		}
		t.keyBuf = appendCountsKey(t.keyBuf[:0], job)
		if counts == (muster.Counts{}) {
			t.remove(t.keyBuf)
			continue
		}
		t.value = appendCounts(t.value[:0], counts)
		t.set(t.keyBuf, t.value)
	}
	return t.err
}

func (t *tx) Put(table store.Table, key string, value []byte) {
	t.keyBuf = appendRecordKey(t.keyBuf[:0], table, key)
	t.set(t.keyBuf, value)
}

func (t *tx) Delete(table store.Table, key string) {
	t.keyBuf = appendRecordKey(t.keyBuf[:0], table, key)
	t.remove(t.keyBuf)
}

func (t *tx) set(key, value []byte) { t.keep(t.batch.Set(key, value, nil)) }

func (t *tx) remove(key []byte) { t.keep(t.batch.Delete(key, nil)) }

func (t *tx) keep(err error) {
	if err != nil && t.err == nil {
		t.err = err
	}
}
