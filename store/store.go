// Package store is the narrow interface between Muster's rules and a database:
// what Muster asks of a database, and nothing that one of them could not
// promise. Package storetest is this contract as tests; memstore and pebblestore
// implement it. It has no rules: paging limits, versions, idempotency and state
// machines belong to the packages that use it.
package store

import (
	"context"
	"errors"
	"iter"

	"github.com/muster-iot/muster"
)

// Store keeps Muster's state. Its methods may be called by many goroutines.
type Store interface {
	// View runs fn on one consistent snapshot and returns its error unchanged. The
	// snapshot shows every transaction whose wait has returned, and may show later
	// ones. When View returns, all that fn could see is durable: an answer that
	// depends on it may be sent, a refusal as well.
	View(ctx context.Context, fn func(Reader) error) error

	// Apply runs fn in one serializable transaction and applies it when fn
	// returns nil: from then on every Apply sees it. The returned wait blocks until
	// it is durable; from then on every View sees it, too. Transactions become
	// durable in the order in which they were applied, so when wait returns nil, all
	// earlier ones are durable too. If fn fails, its error is returned unchanged, none
	// of its changes is applied, and all that fn could see is durable. fn may run more
	// than once, so it must not send, log or sleep, nor call the store. It runs
	// alone or as if alone. Apply, and what fn reads, may fail with ErrAgain.
	Apply(ctx context.Context, fn func(Tx) error) (wait func() error, err error)

	// Close waits for running calls and frees the store. Calls after it fail
	// with ErrClosed, a second Close too; a wait of an earlier Apply still
	// returns its true result.
	Close() error
}

// Laned is a Store that runs several transactions at the same time, each in a lane.
type Laned interface {
	Store

	// Lanes returns how many lanes there are. It is always the same. With zero the store has
	// none, and everything is for Apply.
	Lanes() int

	// LaneOf returns the lane for transactions that write what is of a thing. It is always the
	// same, and depends on the name alone. Another lane may be taken; this one may be quicker.
	LaneOf(thing muster.ThingName) int

	// ApplyIn is Apply in a lane, 0 to Lanes()-1, but at snapshot isolation: fn reads a
	// snapshot that is taken after the call and shows all that was applied before it. If
	// another transaction, of a lane or of Apply, has since written a queue, an execution
	// or a record that this one writes, also if either of them removes it or it is not
	// there, the transaction is refused with ErrAgain; so is that of Apply if it is the
	// later one. What fn has only read may have changed: two transactions of which each
	// reads what the other writes may both be applied, which cannot happen between two of
	// Apply. The calls of one lane run one after the other. No call waits for the fn of
	// another lane, or for that of Apply, to return.
	ApplyIn(ctx context.Context, lane int, fn func(Tx) error) (wait func() error, err error)
}

// Scattered is a Store that is kept in several places. If Scattered returns true, a view, and
// what a transaction reads, is one snapshot in each place, taken when that is first read, so
// parts of it may be of different instants. All the rest is promised as by other stores: a
// transaction is applied everywhere or nowhere, and what it writes is as it was read.
//
// What belongs to one thing is in one place, and so are all records.
type Scattered interface {
	Store

	// Scattered always returns the same.
	Scattered() bool
}

// ErrClosed is the error of a call on a store that is closed.
var ErrClosed = errors.New("store: closed")

// ErrStopped is wrapped by the errors of a store that cannot go on: after a write
// has failed, every call fails. Only a new process can help.
var ErrStopped = errors.New("store: stopped")

// ErrUnavailable is wrapped by the errors of a store that cannot be reached now. Nothing of
// a transaction that fails so is applied, and what waits for it may be tried later.
var ErrUnavailable = errors.New("store: the database cannot be reached")

// ErrFull is wrapped by the errors of a store whose database has no room on its disk.
// Nothing of a transaction that fails so is applied.
var ErrFull = errors.New("store: the database has no room")

// ErrAgain is wrapped by the errors of a transaction that a store refuses because
// another one has changed what it read. Nothing of it is applied. What it read need
// never have been true at one moment, so nothing may be concluded from it. It may
// succeed when it runs again. If a read fails with ErrAgain, Apply does so too,
// whatever fn returns. A store that runs one transaction at a time refuses none.
var ErrAgain = errors.New("store: the transaction must run again")

// QueueKey names one queue.
type QueueKey struct {
	Thing     muster.ThingName
	Namespace muster.Namespace
}

// KeyOfQueue returns the key of q.
func KeyOfQueue(q muster.Queue) QueueKey { return QueueKey{q.Thing, q.Namespace} }

// ExecutionKey names one execution.
type ExecutionKey struct {
	Thing  muster.ThingName
	Job    muster.JobID
	Number int64
}

// Key returns the key of e.
func Key(e muster.Execution) ExecutionKey { return ExecutionKey{e.Thing, e.Job, e.Number} }

// AttemptsKey names the executions of a job on a thing. The latest is that with the
// highest number.
type AttemptsKey struct {
	Thing muster.ThingName
	Job   muster.JobID
}

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

// Reader reads one snapshot, which is taken at the latest when it first reads. All that
// it returns belongs to the caller. What takes several keys reads them at once, which
// matters for a store that is reached over a network.
// Sequences stop at the first error, which is the second value of their last
// pair. A sequence shows the state in which its loop began, so the loop may
// change what it iterates over. A Reader is for one goroutine, and must not be
// used after the function that it was passed to.
type Reader interface {
	// Queues returns the queues of keys, in the same order. A queue that was
	// never written is an empty one with its two names set.
	Queues(keys ...QueueKey) ([]muster.Queue, error)

	// Executions returns the executions of keys, in the same order, with nil
	// for one that does not exist.
	Executions(keys ...ExecutionKey) ([]*muster.Execution, error)

	// Latest returns the latest executions of keys, in the same order, with nil
	// where there is none.
	Latest(keys ...AttemptsKey) ([]*muster.Execution, error)

	// ExecutionsOfThing yields every execution of thing, by job then number.
	ExecutionsOfThing(thing muster.ThingName) iter.Seq2[muster.Execution, error]

	// ExecutionsOfJob yields the executions of job that have the status (any,
	// if zero) and come after the cursor, in the order of Cursor. The cost of
	// the first few does not grow with the number of executions.
	ExecutionsOfJob(job muster.JobID, status muster.Status, after Cursor) iter.Seq2[muster.Execution, error]

	// Counts returns how many executions each of jobs has in each status, in the
	// same order, without counting them.
	Counts(jobs ...muster.JobID) ([]muster.Counts, error)

	// Timers yields the timers that are due at or before until, earliest
	// first, then by thing, job and number.
	Timers(until muster.Instant) iter.Seq2[Timer, error]

	// AllQueues and AllExecutions yield everything there is, thing by thing, in the
	// order of their names; the executions of a thing by job then number; and no queue
	// without entries. They are for verification, not for serving.
	AllQueues() iter.Seq2[muster.Queue, error]
	AllExecutions() iter.Seq2[muster.Execution, error]

	// Get returns the record under key, or nil when there is none.
	Get(table Table, key string) ([]byte, error)

	// Scan yields the records with from <= key < to in key order. An empty to
	// means no upper bound.
	Scan(table Table, from, to string) iter.Seq2[Record, error]
}

// Prefetcher is a Reader of a store that is reached over a network. It keeps what it has
// read, so later reads of what Prefetch has read cost nothing.
type Prefetcher interface {
	// Prefetch reads at once what is wanted. It is a hint: what it cannot read is read when it
	// is asked for.
	Prefetch(w Wanted) error
}

// Wanted is what a transaction will probably read. A key may be there twice.
type Wanted struct {
	Queues     []QueueKey
	Heads      []QueueKey // the executions at the heads of these queues
	OfHeads    []Table    // the records of these tables that have the job of such an execution as their key
	Latest     []AttemptsKey
	Executions []ExecutionKey
	Counts     []muster.JobID
	Records    []RecordKey

	// The first rows of sequences:
	Ranges   []Range            // of Scan
	OfThings []muster.ThingName // of ExecutionsOfThing
	OfJobs   []OfJob            // of ExecutionsOfJob
	Timers   []muster.Instant   // of Timers

	Anew bool // what a view has read before is probably not read again
}

// OfJob names a sequence of ExecutionsOfJob.
type OfJob struct {
	Job    muster.JobID
	Status muster.Status
	After  Cursor
}

// Range names the records of a table with From <= key < To. An empty To means no upper
// bound.
type Range struct {
	Table    Table
	From, To string
}

// RecordKey names one record.
type RecordKey struct {
	Table Table
	Key   string
}

// Tx reads and writes. Its reads see its own writes. Writes return no error; if
// one fails, the transaction fails when it is applied.
type Tx interface {
	Reader

	// PutQueue writes a queue with its revision; one without entries is removed, and
	// its revision is forgotten, unless the store is a Shared one. It comes before the Change of its executions, so that
	// a store need not store twice what an entry says. An entry names the latest
	// execution of its job, once that is changed, and must not leave its queue unless
	// its execution is changed or deleted in the same transaction; a store may, but
	// need not, fail it otherwise.
	PutQueue(q muster.Queue)

	// Change creates (before nil), replaces, or deletes (after nil) one
	// execution. before must be what is stored, and both must have the same
	// key; a store may, but need not, fail the transaction otherwise. The store
	// derives the rest from the pair, so that it cannot disagree: the index by
	// job, the counts, and the timer, which is after.Deadline.
	Change(before, after *muster.Execution)

	Writer
}

// Rereader is a Tx of a store that is reached over a network, which can read once more in the trip that makes
// it durable.
type Rereader interface {
	// Reread has got called when the transaction is applied, before Apply or ApplyIn returns, with a Reader
	// of what w names and nothing else: as the transaction has left it, with all that others had applied by
	// then. The Reader is for the time of the call. If something hinders it, got is not called, and neither is that
	// of an earlier call of Reread.
	Reread(w Wanted, got func(Reader))
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

// Format is the format of keys and records that this release writes. A release
// that changes any of them raises it and has migrations from the old to the new
// ones.
const Format = 6

// Formatted is a Store that records the format of its content, 1 to Format. A
// Store that is not Formatted is empty when the process starts, so its content
// is of the present format.
type Formatted interface {
	Store

	// Format returns the format of what is in the store.
	Format() int

	// SetFormat changes it and returns when that is durable. From then on
	// releases that do not know the format refuse the store.
	SetFormat(ctx context.Context, format int) error
}

// Table names a family of records. Names are short and lower case, and never
// change.
type Table string
