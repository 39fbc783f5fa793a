package engine

import (
	"fmt"
	"runtime/debug"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// batch is the transaction of the commands that were waiting together, with
// what the later ones may reuse of the earlier ones' reading. It belongs to the
// committer's goroutine.
type batch struct {
	store.Tx
	e   *Engine
	now muster.Instant

	queues     map[store.QueueKey]muster.Queue // as they are by now
	jobs       map[muster.JobID]*muster.Job    // as they are by now; nil: there is none
	texts      map[muster.JobID]string         // of documents, as they are by now; "": there is none
	events     *muster.EventConfig             // as it is by now; nil until it is needed
	marks      *marks                          // of the event log, as they will be; nil until they are needed
	fleetIndex *fleetIndex                     // as it is by now; nil until it is needed

	// Of the running command:
	before   map[store.QueueKey]muster.Queue // the queues it changed, as they were
	order    []store.QueueKey                // the keys of before, in order
	notes    []Notification
	wrote    bool
	wake     muster.Instant // when Work has something to do of it; never for nothing
	access   AccessChange   // whose rights it may have changed
	recorded bool           // there are events to be told of it
	stirred  []stirred      // things that dynamic groups have to look at, in order
	moves    []move         // things that joined or left groups, in order
}

func newBatch(e *Engine, tx store.Tx, now muster.Instant) *batch {
	b := &batch{e: e, now: now, queues: map[store.QueueKey]muster.Queue{}, jobs: map[muster.JobID]*muster.Job{}, texts: map[muster.JobID]string{}}
	b.Tx = marking{tx, b}
	return b
}

// run runs one command and collects what it owes. A command that panics fails
// like any other, and takes no other with it.
func (b *batch) run(c command) (err error) {
	defer func() {
		if value := recover(); value != nil {
			b.wrote = true
			err = &muster.Error{Kind: muster.Internal, Msg: "internal fault", Err: &faultError{value, string(debug.Stack())}}
		}
	}()
	b.before, b.order, b.notes, b.wrote, b.wake, b.access, b.recorded = nil, nil, nil, false, never, AccessChange{}, false
	b.stirred, b.moves = nil, nil
	if err := c.run(b); err != nil {
		return err
	}
	if err := b.settleMembers(); err != nil {
		return err
	}
	for _, key := range b.order {
		if err := b.note(key); err != nil {
			return err
		}
	}
	return nil
}

// outcome returns what became of the command that just ran.
func (b *batch) outcome(err error) outcome {
	if err != nil {
		return outcome{err: err, wake: never}
	}
	return outcome{notes: b.notes, wake: b.wake, access: b.access, recorded: b.recorded}
}

// faultError is a panic of a command.
type faultError struct {
	value any
	stack string
}

func (e *faultError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// note adds the notifications that the command owes the thing of key.
func (b *batch) note(key store.QueueKey) error {
	after := b.queues[key]
	change := muster.Diff(b.before[key], after)
	if !change.Any() {
		return nil
	}
	n := Notification{QueueKey: key, At: b.now, Change: change, Queue: after, engine: b.e}
	if change.Next {
		var err error
		if n.Head, err = b.head(after); err != nil {
			return err
		}
		if err = b.present(&n); err != nil {
			return err
		}
	}
	if err := b.owe(&n); err != nil {
		return err
	}
	b.notes = append(b.notes, n)
	return nil
}

// head returns the execution that comes first in q, or nil.
func (b *batch) head(q muster.Queue) (*muster.Execution, error) {
	entry, ok := q.Head()
	if !ok {
		return nil, nil
	}
	found, err := b.Executions(store.ExecutionKey{Thing: q.Thing, Job: entry.Job, Number: entry.Number})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// queue returns the queue of key as it is at this point of the batch.
func (b *batch) queue(key store.QueueKey) (muster.Queue, error) {
	if q, ok := b.queues[key]; ok {
		return q, nil
	}
	found, err := b.Queues(key)
	if err != nil {
		return muster.Queue{}, err
	}
	b.queues[key] = found[0]
	return found[0], nil
}

// load reads many queues at once, for commands that will ask for each.
func (b *batch) load(keys []store.QueueKey) error {
	missing := make([]store.QueueKey, 0, len(keys))
	for _, key := range keys {
		if _, ok := b.queues[key]; !ok {
			missing = append(missing, key)
		}
	}
	found, err := b.Queues(missing...)
	if err != nil {
		return err
	}
	for i, q := range found {
		b.queues[missing[i]] = q
	}
	return nil
}

// change replaces, creates (before nil) or deletes (after nil) an execution,
// together with its place in the thing's queue. It is the only way in.
func (b *batch) change(before, after *muster.Execution) error {
	e := after
	if e == nil {
		e = before
	}
	key := store.QueueKey{Thing: e.Thing, Namespace: e.Namespace}
	old, err := b.queue(key)
	if err != nil {
		return err
	}
	var q muster.Queue
	if after == nil {
		q = old.Without(e.Job, e.Number)
	} else {
		q = old.With(*after)
	}
	b.replace(old, q)
	b.Change(before, after)
	if err := b.stirExecution(e.Thing, e.Job); err != nil {
		return err
	}
	return b.tellExecution(before, after)
}

// replace writes a queue as it is from now on, and remembers how it was before
// the command.
func (b *batch) replace(old, q muster.Queue) {
	key := store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}
	if _, ok := b.before[key]; !ok {
		if b.before == nil {
			b.before = map[store.QueueKey]muster.Queue{}
		}
		b.before[key] = old
		b.order = append(b.order, key)
	}
	b.queues[key] = q
	b.PutQueue(q)
}

// job returns a job, or nil when there is none. It is not to be changed.
func (b *batch) job(id muster.JobID) (*muster.Job, error) {
	if j, ok := b.jobs[id]; ok {
		return j, nil
	}
	j, err := b.e.jobs.get(b, string(id))
	if err == nil {
		b.jobs[id] = j
	}
	return j, err
}

// document returns the text of a job's document, or "" when the job is gone.
func (b *batch) document(id muster.JobID) (string, error) {
	if text, ok := b.texts[id]; ok {
		return text, nil
	}
	text, err := textOf(b.e.documents.get(b, string(id)))
	if err == nil {
		b.texts[id] = text
	}
	return text, err
}

// putJob writes a new or changed job, and its alarm.
func (b *batch) putJob(j muster.Job) error {
	old, err := b.job(j.ID)
	if err != nil {
		return err
	}
	if j, err = b.turn(old, j); err != nil {
		return err
	}
	if old != nil {
		if err := b.tellJob(*old, j); err != nil {
			return err
		}
	}
	if err := b.fileJob(old, &j); err != nil {
		return err
	}
	b.setAlarm(j.ID, old, j.Wake)
	b.watch(old, j)
	jobs.Put(b.Tx, string(j.ID), j)
	b.jobs[j.ID] = &j
	return nil
}

// deleteJob removes a job.
func (b *batch) deleteJob(id muster.JobID) error {
	old, err := b.job(id)
	if err != nil {
		return err
	}
	if err := b.fileJob(old, nil); err != nil {
		return err
	}
	b.setAlarm(id, old, 0)
	jobs.Delete(b.Tx, string(id))
	b.jobs[id] = nil
	return nil
}

// setAlarm moves the alarm of a job that was old, nil for a new one, and whose
// Wake is about to change.
func (b *batch) setAlarm(id muster.JobID, old *muster.Job, wake muster.Instant) {
	if old != nil && old.Wake == wake {
		return
	}
	if old != nil && old.Wake != 0 {
		alarms.Delete(b.Tx, alarmKey(old.Wake, id))
	}
	if wake != 0 {
		alarms.Put(b.Tx, alarmKey(wake, id), link{})
	}
}

// marking notices what a command writes: that it did, when Work has something
// to do of it, and that what was read of a document is out of date.
type marking struct {
	store.Tx
	b *batch
}

func (m marking) PutQueue(q muster.Queue) { m.b.wrote = true; m.Tx.PutQueue(q) }

func (m marking) Change(before, after *muster.Execution) {
	m.b.wrote = true
	if after != nil && after.Deadline() != 0 {
		m.b.wake = min(m.b.wake, after.Deadline())
	}
	m.Tx.Change(before, after)
}

func (m marking) Put(t store.Table, key string, value []byte) {
	m.write(t, key)
	m.b.wake = min(m.b.wake, m.b.e.workOf(t, key))
	m.Tx.Put(t, key, value)
}

func (m marking) Delete(t store.Table, key string) {
	m.write(t, key)
	if t == concurrent.Table && m.b.e.o.Limits.ConcurrentJobs > 0 {
		m.b.wake = 0 // it may be another job's turn
	}
	m.Tx.Delete(t, key)
}

func (m marking) write(t store.Table, key string) {
	m.b.wrote = true
	if t == documents.Table {
		delete(m.b.texts, muster.JobID(key))
	}
}
