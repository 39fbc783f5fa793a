package pebblestore

import (
	"fmt"

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
	counts        map[muster.JobID]*muster.Counts // how they change
	keyBuf, value []byte                          // room for one write
	err           error                           // the first of a write
}

func newTx(batch *pebble.Batch) *tx {
	return &tx{reader: reader{from: batch}, batch: batch, counts: map[muster.JobID]*muster.Counts{}}
}

func (t *tx) PutQueue(q muster.Queue) {
	t.keyBuf = appendQueueKey(t.keyBuf[:0], store.QueueKey{Thing: q.Thing, Namespace: q.Namespace})
	if len(q.Entries) == 0 {
		t.remove(t.keyBuf)
		return
	}
	t.value = appendQueue(t.value[:0], &q)
	t.set(t.keyBuf, t.value)
}

func (t *tx) Change(before, after *muster.Execution) {
	t.changeExecution(before, after)
	t.changePlace(before, after)
	t.changeTimer(before, after)
}

func (t *tx) changeExecution(before, after *muster.Execution) {
	if after == nil {
		t.keyBuf = appendExecutionKey(t.keyBuf[:0], store.Key(*before))
		t.remove(t.keyBuf)
		return
	}
	t.keyBuf = appendExecutionKey(t.keyBuf[:0], store.Key(*after))
	t.value = appendExecution(t.value[:0], after)
	t.set(t.keyBuf, t.value)
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
	sum := t.counts[e.Job]
	if sum == nil {
		sum = new(muster.Counts)
		t.counts[e.Job] = sum
	}
	*sum = sum.Add(e.Status, n)
}

// Counts adds what the transaction has changed to what is stored.
func (t *tx) Counts(job muster.JobID) (muster.Counts, error) {
	counts, err := t.reader.Counts(job)
	if sum := t.counts[job]; sum != nil && err == nil {
		counts = counts.Plus(*sum)
	}
	return counts, err
}

// finish writes the counts. If one is below zero, the before of a Change was not
// what is stored, and the transaction must not be applied.
func (t *tx) finish() error {
	for job := range t.counts {
		counts, err := t.Counts(job)
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
