package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// batch is a transaction with what its commands may reuse of each other's
// reading. It belongs to the committer's goroutine.
type batch struct {
	*commit.Tx
	e *Engine

	jobs       map[muster.JobID]*muster.Job // as they are by now; nil: there is none
	texts      map[muster.JobID]string      // of documents, as they are by now; "": there is none
	events     *muster.EventConfig          // as it is by now; nil until it is needed
	marks      *marks                       // of the event log, as they will be; nil until they are needed
	fleetIndex *fleetIndex                  // as it is by now; nil until it is needed
	adopting   bool                         // the committer is to adopt it
}

func newBatch(e *Engine, tx *commit.Tx) *batch {
	return &batch{Tx: tx, e: e, jobs: map[muster.JobID]*muster.Job{}, texts: map[muster.JobID]string{}}
}

// The ranks of what is done at the end of a command.
const (
	settling = iota // what dynamic groups and jobs make of its changes
	noting          // what things are told of it
)

// replacedKey is the key of replaced among what is kept of a command.
var replacedKey any = new(int)

// replaced are the queues that a command changed, as they were before it.
type replaced struct {
	before map[store.QueueKey]muster.Queue
	order  []store.QueueKey // those of which no notification is made yet
	notes  []Notification
}

// tell has things told after the command.
func (b *batch) tellThings(n Notification) {
	r := commit.OfCommand[replaced](b.Tx, replacedKey)
	if r.notes = append(r.notes, n); len(r.notes) > 1 {
		return
	}
	b.After(func() {
		b.e.waiters.wake(r.notes)
		b.e.o.Notify(r.notes)
	})
}

// note adds the notifications that the command owes the thing of key.
func (b *batch) note(key store.QueueKey, before muster.Queue) error {
	after, err := b.Queue(key)
	if err != nil {
		return err
	}
	change := muster.Diff(before, after)
	if !change.Any() {
		return nil
	}
	n := Notification{QueueKey: key, At: b.Now, Change: change, Queue: after, engine: b.e}
	if change.Next {
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
	b.tellThings(n)
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

// change replaces, creates (before nil) or deletes (after nil) an execution,
// together with its place in the thing's queue. It is the only way in.
func (b *batch) change(before, after *muster.Execution) error {
	e := after
	if e == nil {
		e = before
	}
	key := store.QueueKey{Thing: e.Thing, Namespace: e.Namespace}
	old, err := b.Queue(key)
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
	r := commit.OfCommand[replaced](b.Tx, replacedKey)
	if _, ok := r.before[key]; !ok {
		if r.before == nil {
			r.before = map[store.QueueKey]muster.Queue{}
		}
		r.before[key] = old
		if r.order = append(r.order, key); len(r.order) == 1 {
			b.Before(noting, func() error { return b.noteAll(r) })
		}
	}
	b.PutQueue(q)
}

// noteAll makes the notifications of the queues that the command changed.
func (b *batch) noteAll(r *replaced) error {
	for _, key := range r.order {
		if err := b.note(key, r.before[key]); err != nil {
			return err
		}
	}
	r.order = nil
	return nil
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
		b.Wake(wake)
		alarms.Put(b.Tx, alarmKey(wake, id), link{})
	}
}
