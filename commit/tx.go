package commit

import (
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Never is later than every instant: the wake of a command that leaves no background
// work.
const Never = muster.Instant(math.MaxInt64)

// Tx is the transaction of a batch. Its commands use it one after the other, and reads
// show what was written before in the same transaction. It is for the goroutine of the
// Committer only, and must not be used after the command has returned, except in the
// functions given to Before and Close.
//
// A transaction may be given up and run again on a new Tx. So a command must not keep
// anything outside of its Tx: use OfTransaction and OfCommand. What should happen outside
// is given to Tx as a function, in the order in which they are called:
//
//	Before  at the end of the command, in the transaction
//	Close   at the end of the transaction, in the transaction
//	Adopt   after the transaction is applied; it may still be lost in a crash
//	Look    after it is durable, before any of its commands is answered; only where
//	        transactions run at the same time
//	Ahead   after it is durable, before the command is answered
//	After   after it is durable and the command is answered
//
// Ahead and After of commands that concern no single thing come before the second looks.
type Tx struct {
	store.Tx
	// Now is the instant of the transaction. It is not known while wants are named.
	Now muster.Instant

	// Moment is likewise the time of the transaction where other processes may change the store: it is
	// later than that of every transaction whose writes this one can read. It is zero on any other store.
	Moment store.Moment

	queues map[store.QueueKey]muster.Queue          // read or written so far, in their current state
	found  map[store.ExecutionKey]*muster.Execution // read by Prefetch and not changed since
	latest map[store.AttemptsKey]*muster.Execution  // likewise: none of the executions has changed since
	kept   memo                                     // of OfTransaction
	// removed is the highest revision of a queue that was removed, by this transaction or,
	// since the process started, by an earlier one (muster.Queue.Revised).
	removed int64
	close   []func() error
	adopts  []func()
	ends    []func() // given to After by a seal of Close
	looks   []secondLook
	looked  looked
	over    []func()

	c      *Committer
	narrow bool // it is one of a lane that is not the wide one
	alone  bool // no other transaction runs

	// Of the running command:
	own    memo // of OfCommand
	before []rankedSeal
	ahead  []func()
	after  []func()
	wrote  bool           // so it cannot fail without spoiling the transaction
	seen   *sight         // of its witness; nil without one
	wake   muster.Instant // the earliest background work that it leaves

	closes bool // the seals of Close are running
}

// rankedSeal is a function given to Before.
type rankedSeal struct {
	rank int
	seal func() error
}

// Before registers a seal: a function that runs once at the end of the running command,
// in its transaction, and completes what the command began. A command may change a thing
// several times, for example, and its dynamic groups are evaluated once, by a seal. The
// seal with the lowest rank runs first, those of one rank in the order of their
// registration. A seal may register more, also of a lower rank. An error of a seal fails
// the command.
func (t *Tx) Before(rank int, seal func() error) {
	t.before = append(t.before, rankedSeal{rank, seal})
}

// Close registers a seal that runs once at the end of the transaction, after all its
// commands, in the order of registration. It serves all commands, so its error fails all
// of them: it must return only errors of the store.
func (t *Tx) Close(seal func() error) { t.close = append(t.close, seal) }

// Ahead registers a function that is called after the transaction is durable and before
// the running command is answered, so that its effect is in force when the caller gets
// the answer. It must be quick.
func (t *Tx) Ahead(tell func()) { t.ahead = append(t.ahead, tell) }

// After registers a function that is called after the transaction is durable and the
// running command is answered, in the order in which commands are committed. Registered
// by a seal of Close it is called after all commands are answered. It must be quick.
func (t *Tx) After(tell func()) {
	if t.closes {
		t.ends = append(t.ends, tell)
		return
	}
	t.after = append(t.after, tell)
}

// Adopt registers a function that is called after the transaction is applied and before
// the next one of its lane begins, by the same goroutine. It is for values in memory that the next
// transaction uses instead of reading the store, such as a compiled index. The
// transaction is not durable yet: if it is lost in a crash, such values are lost with it,
// and so are the later transactions that used them. It must be quick.
func (t *Tx) Adopt(take func()) { t.adopts = append(t.adopts, take) }

// Wake notes that the running command leaves background work that can be done from the
// instant at; zero is at once. The earliest instant of a command counts.
func (t *Tx) Wake(at muster.Instant) { t.wake = min(t.wake, at) }

// Queue returns a queue in its state at this point of the transaction; one that does not
// exist has no entries.
func (t *Tx) Queue(key store.QueueKey) (muster.Queue, error) {
	if q, ok := t.queues[key]; ok {
		return q, nil
	}
	found, err := t.Tx.Queues(key)
	if err != nil {
		return muster.Queue{}, err
	}
	t.queues[key] = found[0]
	return found[0], nil
}

// Queues returns queues in their state at this point of the transaction, in the order of
// keys; one that does not exist has no entries.
func (t *Tx) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	if err := t.Load(keys); err != nil {
		return nil, err
	}
	all := make([]muster.Queue, len(keys))
	for i, key := range keys {
		all[i] = t.queues[key]
	}
	return all, nil
}

// Load reads the queues of keys with one read of the store, so that Queue finds them in
// memory.
func (t *Tx) Load(keys []store.QueueKey) error {
	missing := make([]store.QueueKey, 0, len(keys))
	for _, key := range keys {
		if _, ok := t.queues[key]; !ok {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := t.Tx.Queues(missing...)
	if err != nil {
		return err
	}
	for i, q := range found {
		t.queues[missing[i]] = q
	}
	return nil
}

// PutQueue writes a queue with the next revision; Queue returns it so. q must be what a
// rule made of the queue in its present state. One without entries is removed.
func (t *Tx) PutQueue(q muster.Queue) {
	t.wrote = true
	if t.c.Clustered() {
		t.write(q.Revised(0)) // the store keeps the revision of a queue without entries
		return
	}
	if t.Shared() {
		t.removed = max(t.removed, t.c.removed.Load()) // others have removed some meanwhile
	}
	q = q.Revised(t.removed)
	if len(q.Entries) == 0 {
		t.removed = max(t.removed, q.Rev)
		if t.Shared() {
			t.c.removes(q.Rev) // before anybody can see that it is removed
		}
	}
	t.write(q)
}

// write writes a queue as it is.
func (t *Tx) write(q muster.Queue) {
	t.queues[store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}] = q
	t.Tx.PutQueue(q)
}

// Executions returns executions in their state at this point of the transaction, in the
// order of keys, with nil for one that does not exist.
func (t *Tx) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	if len(keys) == 1 && len(t.found) > 0 {
		if x, ok := t.found[keys[0]]; ok {
			return []*muster.Execution{x}, nil
		}
	}
	return t.Tx.Executions(keys...)
}

// Latest returns the latest executions at this point of the transaction, in the order of
// keys, with nil where there is none.
func (t *Tx) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	if len(keys) == 1 && len(t.latest) > 0 {
		if x, ok := t.latest[keys[0]]; ok {
			return []*muster.Execution{x}, nil
		}
	}
	return t.Tx.Latest(keys...)
}

// Change creates, replaces or deletes one execution (store.Tx). If after has a deadline,
// the command wakes background work then.
func (t *Tx) Change(before, after *muster.Execution) {
	t.wrote = true
	t.seen.execution(before, after)
	x := after
	if x == nil {
		x = before
	}
	delete(t.found, store.Key(*x))
	delete(t.latest, store.AttemptsKey{Thing: x.Thing, Job: x.Job})
	if after != nil && after.Deadline() != 0 {
		t.Wake(after.Deadline())
	}
	t.Tx.Change(before, after)
}

// Put writes a record.
func (t *Tx) Put(table store.Table, key string, value []byte) {
	t.wrote = true
	t.seen.record(t, table, key, value)
	t.Tx.Put(table, key, value)
}

// Delete removes a record if it is there.
func (t *Tx) Delete(table store.Table, key string) {
	t.wrote = true
	t.seen.record(t, table, key, nil)
	t.Tx.Delete(table, key)
}

// memo holds values by key. It is a list because there are few keys.
type memo []struct{ key, value any }

func recall[T any](m *memo, key any, make func() (*T, error)) (*T, error) {
	for _, k := range *m {
		if k.key == key {
			return k.value.(*T), nil
		}
	}
	v, err := make()
	if err != nil {
		return nil, err
	}
	*m = append(*m, struct{ key, value any }{key, v})
	return v, nil
}

// OfTransaction returns the value kept under key for this transaction, making it with make
// if there is none. It is shared by the commands of the transaction, and dropped when the
// transaction ends or is given up. The T of a key must always be the same.
func OfTransaction[T any](t *Tx, key any, make func() (*T, error)) (*T, error) {
	return recall(&t.kept, key, make)
}

// OfCommand returns the value kept under key for the running command, a zero T if there
// is none yet. It is dropped when the command ends. The T of a key must always be the
// same.
func OfCommand[T any](t *Tx, key any) *T {
	v, _ := recall(&t.own, key, func() (*T, error) { return new(T), nil })
	return v
}

// outcome is the result of one command and what is to be called for it.
type outcome struct {
	value        any
	err          error
	ahead, after []func()
	wake         muster.Instant
}

// run runs one command with its seals. A command that panics fails with Internal; it
// counts as one that wrote, because it may have been anywhere, so the transaction runs
// again without it.
func (t *Tx) run(c command) (o outcome) {
	defer func() {
		if value := recover(); value != nil {
			t.wrote = true
			o = outcome{wake: Never, err: &muster.Error{Kind: muster.Internal, Msg: "internal fault", Err: &faultError{value, string(debug.Stack())}}}
		}
	}()
	t.own, t.before, t.ahead, t.after, t.wrote, t.seen, t.wake = t.own[:0], t.before[:0], nil, nil, false, nil, Never
	value, err := c.run(t)
	if err == nil {
		err = t.seal()
	}
	if err != nil {
		return outcome{err: err, wake: Never}
	}
	return outcome{value: value, ahead: t.ahead, after: t.after, wake: t.wake}
}

// seal runs the seals of the running command until none is left.
func (t *Tx) seal() error {
	for len(t.before) > 0 {
		first := 0
		for i, b := range t.before {
			if b.rank < t.before[first].rank {
				first = i
			}
		}
		b := t.before[first]
		t.before = slices.Delete(t.before, first, first+1)
		if err := b.seal(); err != nil {
			return err
		}
	}
	return nil
}

// end runs the seals of the transaction.
func (t *Tx) end() error {
	t.closes = true
	for _, seal := range t.close {
		if err := seal(); err != nil {
			return err
		}
	}
	lookSoon(t)
	return nil
}

// faultError is a panic of a command.
type faultError struct {
	value any
	stack string
}

func (e *faultError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
