package memstore

import (
	"fmt"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

type tx struct {
	reader
	err error // of the first Change that does not fit the state
}

func (t *tx) PutQueue(q muster.Queue) {
	if len(q.Entries) == 0 {
		t.queues.Delete(q)
		return
	}
	t.queues.Set(cloneQueue(q))
}

func (t *tx) Change(before, after *muster.Execution) {
	if err := t.check(before, after); err != nil {
		if t.err == nil {
			t.err = err
		}
		return
	}
	if before != nil {
		t.forget(*before)
	}
	if after != nil {
		t.keep(cloneExecution(*after))
	}
}

// check compares before with what is stored.
func (t *tx) check(before, after *muster.Execution) error {
	if before == nil && after == nil {
		return fmt.Errorf("memstore: a change from nothing to nothing")
	}
	if before != nil && after != nil && store.Key(*before) != store.Key(*after) {
		return fmt.Errorf("memstore: a change of %v into %v", store.Key(*before), store.Key(*after))
	}
	if before == nil {
		if _, exists := t.execution(store.Key(*after)); exists {
			return fmt.Errorf("memstore: %v is created twice", store.Key(*after))
		}
		return nil
	}
	stored, exists := t.execution(store.Key(*before))
	if !exists || !stored.Equal(*before) {
		return fmt.Errorf("memstore: a change of %v that is not stored so: %v", *before, stored)
	}
	return nil
}

func (t *tx) forget(e muster.Execution) {
	t.executions.Delete(e)
	t.places.Delete(place{e.Job, e.Status, store.CursorOf(e)})
	t.places.Delete(place{e.Job, 0, store.CursorOf(e)})
	t.count(e, -1)
	if due := e.Deadline(); due != 0 {
		t.timers.Delete(store.Timer{Due: due, ExecutionKey: store.Key(e)})
	}
}

func (t *tx) keep(e muster.Execution) {
	t.executions.Set(e)
	t.places.Set(place{e.Job, e.Status, store.CursorOf(e)})
	t.places.Set(place{e.Job, 0, store.CursorOf(e)})
	t.count(e, 1)
	if due := e.Deadline(); due != 0 {
		t.timers.Set(store.Timer{Due: due, ExecutionKey: store.Key(e)})
	}
}

// count adds n to the counts of e's job, and removes them when they are zero.
func (t *tx) count(e muster.Execution, n int64) {
	c, _ := t.counts.Get(jobCounts{job: e.Job})
	c.job, c.counts = e.Job, c.counts.Add(e.Status, n)
	if c.counts == (muster.Counts{}) {
		t.counts.Delete(c)
		return
	}
	t.counts.Set(c)
}

func (t *tx) Put(table store.Table, key string, value []byte) {
	t.records.Set(record{table, key, cloneValue(value)})
}

func (t *tx) Delete(table store.Table, key string) {
	t.records.Delete(record{table: table, key: key})
}
