package commit

import (
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Never is later than every instant: the Wake of a command that leaves no
// background work.
const Never = muster.Instant(math.MaxInt64)

// Tx is a transaction of the store as the commands of one batch see it, one
// after the other: its reads show what was written before in it. It belongs to
// the goroutine of the Committer, and ends with the transaction. A Tx that was
// given up is followed by a new one, so whatever a command keeps, it keeps with
// OfTransaction and OfCommand.
type Tx struct {
	store.Tx
	// Now is the instant of the transaction.
	Now muster.Instant

	queues map[store.QueueKey]muster.Queue // as they are by now
	found  map[store.ExecutionKey]*muster.Execution
	kept   memo // of the transaction
	close  []func() error
	adopts []func() // once it is applied
	ends   []func() // after all its commands are answered

	// Of the running command:
	own    memo
	before []ranked
	ahead  []func() // before it is answered
	after  []func() // after it is answered
	wrote  bool
	wake   muster.Instant
	closes bool // the transaction is being closed
}

func newTx(tx store.Tx, now muster.Instant) *Tx {
	return &Tx{Tx: tx, Now: now, queues: map[store.QueueKey]muster.Queue{}}
}

// ranked is a seal of a command.
type ranked struct {
	rank int
	seal func() error
}

// Before has seal run once, at the end of the running command, in its
// transaction: to settle what the command left open. Seals run by rank, lowest
// first, those of one rank in the order in which they came; a seal may bring
// more. A seal that fails fails the command.
func (t *Tx) Before(rank int, seal func() error) {
	t.before = append(t.before, ranked{rank, seal})
}

// Close has seal run once, at the end of the transaction, after all its
// commands. It must not fail for a reason that is a command's own.
func (t *Tx) Close(seal func() error) { t.close = append(t.close, seal) }

// Ahead has tell called after the transaction is durable and before the running
// command is answered, so that its caller finds it done. It must be quick.
func (t *Tx) Ahead(tell func()) { t.ahead = append(t.ahead, tell) }

// After has tell called after the transaction is durable and the running command
// is answered, in the order in which commands are committed. Within a seal of
// Close it is called after those of all commands. It must be quick.
func (t *Tx) After(tell func()) {
	if t.closes {
		t.ends = append(t.ends, tell)
		return
	}
	t.after = append(t.after, tell)
}

// Adopt has take called once the transaction is applied, before the next one
// begins: what it makes of the transaction may still be lost with the process,
// and with what rests on it. It must be quick.
func (t *Tx) Adopt(take func()) { t.adopts = append(t.adopts, take) }

// Wake says that the running command leaves background work which can be done
// from an instant on; zero is at once.
func (t *Tx) Wake(at muster.Instant) { t.wake = min(t.wake, at) }

// Queue returns a queue as it is at this point of the transaction.
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

// Load reads many queues at once, for a command that will ask for each.
func (t *Tx) Load(keys []store.QueueKey) error {
	missing := make([]store.QueueKey, 0, len(keys))
	for _, key := range keys {
		if _, ok := t.queues[key]; !ok {
			missing = append(missing, key)
		}
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

// PutQueue writes a queue; one without entries is removed.
func (t *Tx) PutQueue(q muster.Queue) {
	t.wrote = true
	t.queues[store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}] = q
	t.Tx.PutQueue(q)
}

// Executions returns executions as they are at this point of the transaction, in
// the order of keys, with nil for one that does not exist.
func (t *Tx) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	if len(keys) == 1 && len(t.found) > 0 {
		if x, ok := t.found[keys[0]]; ok {
			return []*muster.Execution{x}, nil
		}
	}
	return t.Tx.Executions(keys...)
}

// Change creates, replaces or deletes one execution (store.Tx). The deadline of
// what it leaves is background work.
func (t *Tx) Change(before, after *muster.Execution) {
	t.wrote = true
	x := after
	if x == nil {
		x = before
	}
	delete(t.found, store.Key(*x))
	if after != nil && after.Deadline() != 0 {
		t.Wake(after.Deadline())
	}
	t.Tx.Change(before, after)
}

// Put writes a record.
func (t *Tx) Put(table store.Table, key string, value []byte) {
	t.wrote = true
	t.Tx.Put(table, key, value)
}

// Delete removes a record if it is there.
func (t *Tx) Delete(table store.Table, key string) {
	t.wrote = true
	t.Tx.Delete(table, key)
}

// memo is what commands keep by the way; there are few keys.
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

// OfTransaction returns what was kept under key for this transaction, made when
// there is none. It ends with the transaction, also when that is given up.
func OfTransaction[T any](t *Tx, key any, make func() (*T, error)) (*T, error) {
	return recall(&t.kept, key, make)
}

// OfCommand returns what was kept under key for the running command, a zero T
// when there is none. It ends with the command.
func OfCommand[T any](t *Tx, key any) *T {
	v, _ := recall(&t.own, key, func() (*T, error) { return new(T), nil })
	return v
}

// outcome is what became of one command.
type outcome struct {
	value        any
	err          error
	ahead, after []func()
	wake         muster.Instant
}

// run runs one command with its seals. A command that panics fails like any
// other, and takes no other with it.
func (t *Tx) run(c command) (o outcome) {
	defer func() {
		if value := recover(); value != nil {
			t.wrote = true
			o = outcome{wake: Never, err: &muster.Error{Kind: muster.Internal, Msg: "internal fault", Err: &faultError{value, string(debug.Stack())}}}
		}
	}()
	t.own, t.before, t.ahead, t.after, t.wrote, t.wake = t.own[:0], t.before[:0], nil, nil, false, Never
	value, err := c.run(t)
	if err == nil {
		err = t.seal()
	}
	if err != nil {
		return outcome{err: err, wake: Never}
	}
	return outcome{value: value, ahead: t.ahead, after: t.after, wake: t.wake}
}

// seal runs the seals of the running command.
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

// end closes the transaction.
func (t *Tx) end() error {
	t.closes = true
	for _, seal := range t.close {
		if err := seal(); err != nil {
			return err
		}
	}
	return nil
}

// faultError is a panic of a command.
type faultError struct {
	value any
	stack string
}

func (e *faultError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
