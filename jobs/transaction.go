package jobs

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// transaction is a commit.Tx with the jobs that its commands have read, so that the
// next command need not read them again.
type transaction struct {
	*commit.Tx
	s *Jobs

	jobs  map[muster.JobID]*muster.Job // at this point of the transaction; nil: there is none
	texts map[muster.JobID]string      // of documents, likewise; "": there is none
	open  []muster.JobID               // to be looked at again (second.go)
	ahead map[muster.JobID]bool        // for which readAhead has read
}

// in returns the transaction as jobs see it.
func (s *Jobs) in(tx *commit.Tx) *transaction {
	t, _ := commit.OfTransaction(tx, s, func() (*transaction, error) {
		return &transaction{Tx: tx, s: s, jobs: map[muster.JobID]*muster.Job{}, texts: map[muster.JobID]string{}}, nil
	})
	return t
}

// do runs one command and returns its value (commit.Do). wants name what it will read.
func do[T any](ctx context.Context, s *Jobs, fn func(*transaction) (T, error), wants ...func(*commit.Wants)) (T, error) {
	return commit.Do(ctx, s.commits, func(tx *commit.Tx) (T, error) { return fn(s.in(tx)) }, wants...)
}

// do runs one command that makes no value.
func (s *Jobs) do(ctx context.Context, fn func(*transaction) error, wants ...func(*commit.Wants)) error {
	return s.commits.Do(ctx, func(tx *commit.Tx) error { return fn(s.in(tx)) }, wants...)
}

// doFor is do for a command that concerns one thing.
func doFor[T any](ctx context.Context, s *Jobs, thing muster.ThingName, wants func(*commit.Wants), fn func(*transaction) (T, error)) (T, error) {
	return commit.Await(ctx, func(done func(T, error)) { submit(s, thing, wants, fn, done) })
}

// submit hands in a command that concerns one thing and answers through done
// (commit.Submit).
func submit[T any](s *Jobs, thing muster.ThingName, wants func(*commit.Wants), fn func(*transaction) (T, error), done func(T, error)) {
	commit.Submit(s.commits, thing, wants, func(tx *commit.Tx) (T, error) { return fn(s.in(tx)) }, done)
}

// changeExecution creates (before nil), replaces or deletes (after nil) an execution,
// together with its entry in the thing's queue. All changes of executions come through
// here, so queue, index of the registry, notifications and events cannot disagree.
func (tx *transaction) changeExecution(before, after *muster.Execution) error {
	e := after
	if e == nil {
		e = before
	}
	if err := tx.s.registry.ExecutionChanged(tx.Tx, e.Thing, e.Job); err != nil {
		return err
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
	tx.replaceQueue(old, q)
	tx.Change(before, after)
	return tellExecution(tx, before, after)
}

// replaceQueue writes a queue as it is from now on. What the change means to its thing is
// told at the end of the command.
func (tx *transaction) replaceQueue(old, q muster.Queue) {
	tx.outbox().remember(old)
	tx.PutQueue(q)
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
