package jobs

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// transaction is a commit.Tx with what the commands of it may reuse of each
// other's reading of jobs.
type transaction struct {
	*commit.Tx
	s *Jobs

	jobs  map[muster.JobID]*muster.Job // as they are by now; nil: there is none
	texts map[muster.JobID]string      // of documents, as they are by now; "": there is none
}

// in returns the transaction as jobs see it.
func (s *Jobs) in(tx *commit.Tx) *transaction {
	t, _ := commit.OfTransaction(tx, s, func() (*transaction, error) {
		return &transaction{Tx: tx, s: s, jobs: map[muster.JobID]*muster.Job{}, texts: map[muster.JobID]string{}}, nil
	})
	return t
}

// do runs one command and returns its value (commit.Do).
func do[T any](ctx context.Context, s *Jobs, fn func(*transaction) (T, error)) (T, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (T, error) { return fn(s.in(tx)) })
}

// do runs one command that makes no value.
func (s *Jobs) do(ctx context.Context, fn func(*transaction) error) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error { return fn(s.in(tx)) })
}

// submit hands in a command that answers through done (commit.Submit).
func submit[T any](s *Jobs, wants func(*commit.Wants), fn func(*transaction) (T, error), done func(T, error)) {
	commit.Submit(s.commits, wants, func(tx *commit.Tx) (T, error) { return fn(s.in(tx)) }, done)
}

// rank is when jobs make the notifications of a command (commit.Tx.Before): after
// all that the registry settles.
const rank = registry.Rank + 1

// replaced are the queues that a command changed, as they were before it.
type replaced struct {
	before map[store.QueueKey]muster.Queue
	order  []store.QueueKey // those of which no notification is made yet
	notes  []Notification
}

// tellThings has a thing told of n after the command.
func (tx *transaction) tellThings(n Notification) {
	r := commit.OfCommand[replaced](tx.Tx, tx.s)
	if r.notes = append(r.notes, n); len(r.notes) > 1 {
		return
	}
	tx.After(func() {
		tx.s.waiters.wake(r.notes)
		tx.s.audience.Notify(r.notes)
	})
}

// note adds the notifications that the command owes the thing of key.
func (tx *transaction) note(key store.QueueKey, before muster.Queue) error {
	after, err := tx.Queue(key)
	if err != nil {
		return err
	}
	change := muster.Diff(before, after)
	if !change.Any() {
		return nil
	}
	n := Notification{QueueKey: key, At: tx.Now, Change: change, Queue: after, jobs: tx.s}
	if change.Next {
		if n.Head, err = tx.head(after); err != nil {
			return err
		}
		if err = tx.present(&n); err != nil {
			return err
		}
	}
	if err := tx.owe(&n); err != nil {
		return err
	}
	tx.tellThings(n)
	return nil
}

// head returns the execution that comes first in q, or nil.
func (tx *transaction) head(q muster.Queue) (*muster.Execution, error) {
	entry, ok := q.Head()
	if !ok {
		return nil, nil
	}
	found, err := tx.Executions(store.ExecutionKey{Thing: q.Thing, Job: entry.Job, Number: entry.Number})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// change replaces, creates (before nil) or deletes (after nil) an execution,
// together with its place in the thing's queue. It is the only way in.
func (tx *transaction) change(before, after *muster.Execution) error {
	e := after
	if e == nil {
		e = before
	}
	key := store.QueueKey{Thing: e.Thing, Namespace: e.Namespace}
	old, err := tx.Queue(key)
	if err != nil {
		return err
	}
	var q muster.Queue
	if after == nil {
		q = old.Without(e.Job, e.Number)
	} else {
		q = old.With(*after)
	}
	tx.replace(old, q)
	tx.Change(before, after)
	if err := tx.s.registry.ExecutionChanged(tx.Tx, e.Thing, e.Job); err != nil {
		return err
	}
	return tx.tellExecution(before, after)
}

// replace writes a queue as it is from now on, and remembers how it was before
// the command.
func (tx *transaction) replace(old, q muster.Queue) {
	key := store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}
	r := commit.OfCommand[replaced](tx.Tx, tx.s)
	if _, ok := r.before[key]; !ok {
		if r.before == nil {
			r.before = map[store.QueueKey]muster.Queue{}
		}
		r.before[key] = old
		if r.order = append(r.order, key); len(r.order) == 1 {
			tx.Before(rank, func() error { return tx.noteAll(r) })
		}
	}
	tx.PutQueue(q)
}

// noteAll makes the notifications of the queues that the command changed.
func (tx *transaction) noteAll(r *replaced) error {
	for _, key := range r.order {
		if err := tx.note(key, r.before[key]); err != nil {
			return err
		}
	}
	r.order = nil
	return nil
}

// job returns a job, or nil when there is none. It is not to be changed.
func (tx *transaction) job(id muster.JobID) (*muster.Job, error) {
	if j, ok := tx.jobs[id]; ok {
		return j, nil
	}
	j, err := tx.s.decoded.get(tx, string(id))
	if err == nil {
		tx.jobs[id] = j
	}
	return j, err
}

// document returns the text of a job's document, or "" when the job is gone.
func (tx *transaction) document(id muster.JobID) (string, error) {
	if text, ok := tx.texts[id]; ok {
		return text, nil
	}
	text, err := textOf(tx.s.documents.get(tx, string(id)))
	if err == nil {
		tx.texts[id] = text
	}
	return text, err
}

// putJob writes a new or changed job, and its alarm.
func (tx *transaction) putJob(j muster.Job) error {
	old, err := tx.job(j.ID)
	if err != nil {
		return err
	}
	if j, err = takeTurn(tx, old, j); err != nil {
		return err
	}
	if old != nil {
		if err := tx.tellJob(*old, j); err != nil {
			return err
		}
	}
	if err := tx.fileJob(old, &j); err != nil {
		return err
	}
	tx.setAlarm(j.ID, old, j.Wake)
	tx.watch(old, j)
	tables.jobs.Put(tx.Tx, string(j.ID), j)
	tx.jobs[j.ID] = &j
	return nil
}

// deleteJob removes a job.
func (tx *transaction) deleteJob(id muster.JobID) error {
	old, err := tx.job(id)
	if err != nil {
		return err
	}
	if err := tx.fileJob(old, nil); err != nil {
		return err
	}
	tx.setAlarm(id, old, 0)
	tables.jobs.Delete(tx.Tx, string(id))
	tx.jobs[id] = nil
	return nil
}

// setAlarm moves the alarm of a job that was old, nil for a new one, and whose
// Wake is about to change.
func (tx *transaction) setAlarm(id muster.JobID, old *muster.Job, wake muster.Instant) {
	if old != nil && old.Wake == wake {
		return
	}
	if old != nil && old.Wake != 0 {
		tables.alarms.Delete(tx.Tx, alarmKey(old.Wake, id))
	}
	if wake != 0 {
		tx.Wake(wake)
		tables.alarms.Put(tx.Tx, alarmKey(wake, id), store.Link{})
	}
}
