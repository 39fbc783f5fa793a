// Package store is the narrow seam between the service and a database: what
// Muster asks of one, and nothing that any of them could not keep. Package
// storetest is this contract as tests; memstore, pebblestore and pgstore fill
// it. No rule lives here: paging limits, versions, idempotency and state
// machines are those of the packages above.
package store

import (
	"context"
	"errors"
	"iter"

	"github.com/muster-iot/muster"
)

// Store keeps Muster's state. Its methods may be called by many goroutines.
type Store interface {
	// View runs fn on one consistent snapshot and returns its error as it is.
	// When it returns, all that fn could see is durable: an answer made of it
	// may go out, also one that says no.
	View(ctx context.Context, fn func(Reader) error) error

	// Apply runs fn in one serializable transaction and applies it when fn
	// returns nil: from then on every View and Apply sees it. The returned wait
	// blocks until it is durable; transactions become durable in the order in
	// which they were applied, so when wait returns nil, all earlier ones are
	// durable too. An error of fn, returned as it is, leaves no mark, and what
	// fn could see is durable by then. fn may run more than once, so it must
	// not send, log or sleep, nor call the store. It runs alone or as if alone.
	Apply(ctx context.Context, fn func(Tx) error) (wait func() error, err error)

	// Close waits for running calls and frees the store. Calls after it fail
	// with ErrClosed, a second Close too; a wait still tells the truth.
	Close() error
}

// ErrClosed is the error of a call on a store that is closed.
var ErrClosed = errors.New("store: closed")

// ErrStopped is wrapped by the errors of a store that cannot go on: a write
// failed, and from then on every call does. Only a new process can help.
var ErrStopped = errors.New("store: stopped")

// Update is Apply followed by wait: when it returns nil, fn's changes are
// durable.
func Update(ctx context.Context, s Store, fn func(Tx) error) error {
	wait, err := s.Apply(ctx, fn)
	if err != nil {
		return err
	}
	return wait()
}

// QueueKey names one queue.
type QueueKey struct {
	Thing     muster.ThingName
	Namespace muster.Namespace
}

// ExecutionKey names one execution.
type ExecutionKey struct {
	Thing  muster.ThingName
	Job    muster.JobID
	Number int64
}

// Key returns the key of e.
func Key(e muster.Execution) ExecutionKey { return ExecutionKey{e.Thing, e.Job, e.Number} }

// Cursor is a place in the order of ExecutionsOfJob: QueuedAt descending, then
// Thing, then Number ascending. The zero Cursor is before the first.
type Cursor struct {
	QueuedAt muster.Instant
	Thing    muster.ThingName
	Number   int64
}

// CursorOf returns the place of e.
func CursorOf(e muster.Execution) Cursor { return Cursor{e.QueuedAt, e.Thing, e.Number} }

// Timer is a deadline of one execution that is IN_PROGRESS.
type Timer struct {
	Due muster.Instant
	ExecutionKey
}

// Record is one row of a table: an opaque value under a key. Keys sort as
// bytes. A value handed out is the caller's own; one handed in is copied.
type Record struct {
	Key   string
	Value []byte
}

// Reader reads one snapshot. Whatever it returns belongs to the caller.
// Sequences stop at the first error, which is their last pair's second value.
// A sequence shows what there was when its loop began, so that the loop may
// change what it walks over. A Reader is for one goroutine, and ends with the
// function that it was given to.
type Reader interface {
	// Queues returns the queues of keys, in the same order. A queue that was
	// never written is an empty one with its two names set.
	Queues(keys ...QueueKey) ([]muster.Queue, error)

	// Executions returns the executions of keys, in the same order, with nil
	// for one that does not exist.
	Executions(keys ...ExecutionKey) ([]*muster.Execution, error)

	// Latest returns the execution of job on thing with the highest number, or
	// nil when there is none.
	Latest(thing muster.ThingName, job muster.JobID) (*muster.Execution, error)

	// ExecutionsOfThing yields every execution of thing, by job then number.
	ExecutionsOfThing(thing muster.ThingName) iter.Seq2[muster.Execution, error]

	// ExecutionsOfJob yields the executions of job that have the status (any,
	// if zero) and come after the cursor, in the order of Cursor. The cost of
	// the first few does not grow with the number of executions.
	ExecutionsOfJob(job muster.JobID, status muster.Status, after Cursor) iter.Seq2[muster.Execution, error]

	// Counts returns how many executions job has in each status, without
	// counting them.
	Counts(job muster.JobID) (muster.Counts, error)

	// Timers yields the timers that are due at or before until, earliest
	// first, then by thing, job and number.
	Timers(until muster.Instant) iter.Seq2[Timer, error]

	// AllQueues and AllExecutions yield everything there is, in no promised
	// order. They are for verification, not for serving.
	AllQueues() iter.Seq2[muster.Queue, error]
	AllExecutions() iter.Seq2[muster.Execution, error]

	// Get returns the record under key, or nil when there is none.
	Get(table Table, key string) ([]byte, error)

	// Scan yields the records with from <= key < to in key order. An empty to
	// means no upper bound.
	Scan(table Table, from, to string) iter.Seq2[Record, error]
}

// Tx reads and writes. Its reads see its own writes. Writes never fail by
// themselves; what goes wrong shows when the transaction is applied.
type Tx interface {
	Reader

	// PutQueue writes a queue; one without entries is removed.
	PutQueue(q muster.Queue)

	// Change creates (before nil), replaces, or deletes (after nil) one
	// execution. before must be what is stored, and both must have one key; a
	// store may, but need not, fail the transaction otherwise. The store derives the rest
	// from the pair, so that it cannot drift: the index by job, the counts,
	// and the timer, which is after.Deadline.
	Change(before, after *muster.Execution)

	Writer
}

// Writer writes records.
type Writer interface {
	// Put writes a record, and Delete removes one if it is there.
	Put(table Table, key string, value []byte)
	Delete(table Table, key string)
}

// Records is a snapshot whose records can be changed.
type Records interface {
	Reader
	Writer
}

// Format is the format of keys and records that this release writes. One that
// changes any of them raises it and says in its migrations how they become the
// new ones.
const Format = 2

// Formatted is a Store that keeps the format of what is in it, 1 to Format. Any
// other Store is new with the process, so it is of the present format.
type Formatted interface {
	Store

	// Format returns the format of what is in the store.
	Format() int

	// SetFormat changes it and returns when that is durable. From then on
	// releases that do not know the format refuse the store.
	SetFormat(ctx context.Context, format int) error
}

// Table names a family of records. Names are short, lower case and for ever.
type Table string
