package storetest

import (
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Skewed returns a store of several lanes on top of main, which promises no more than
// store.Laned does: each transaction runs on a snapshot of its own, and between its
// snapshot, its reads and its end there are pauses of up to longest, in which others are
// applied. The pauses of the transactions of a lane depend on the seed alone, so in a
// synctest bubble, whose time passes only while nobody works, a run can be repeated.
func Skewed[S Forking[S]](main S, lanes int, seed uint64, longest time.Duration) store.Laned {
	site := NewSite(main, func() time.Time { return time.Time{} }, lanes, seed, longest)
	site.single = true
	return skewed{site.Join()}
}

// skewed is the only process of a site, which does not know that there could be others.
type skewed struct{ *Process }

func (skewed) Shared() bool { return false }

// skewedLane runs one transaction at a time. Its token is not a lock, so that a synctest
// bubble is idle while a transaction waits for it.
type skewedLane struct {
	free chan struct{} // holds a token while a transaction runs
	rng  *rand.Rand    // used by the holder
}

func newSkewedLane(seed, n uint64) *skewedLane {
	return &skewedLane{free: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, n))}
}

// pause lets others be applied: mostly one, sometimes many.
func (l *skewedLane) pause(longest time.Duration) {
	if longest == 0 {
		runtime.Gosched()
		return
	}
	if l.rng.IntN(4) > 0 {
		longest = longest/16 + 1
	}
	time.Sleep(time.Duration(l.rng.Int64N(int64(longest))))
}

// recorded is a transaction that remembers its writes.
type recorded struct {
	store.Tx
	moment store.Moment
	keeps  bool         // revisions of queues without entries
	keys   map[any]bool // of what was written; true: an execution that has, or had, a deadline
	writes []func(store.Tx)
	reread func(store.Reader) // nil for nothing
}

// Reread implements store.Rereader.
func (r *recorded) Reread(_ store.Wanted, got func(store.Reader)) { r.reread = got }

// recordKey names a record.
type recordKey struct {
	table store.Table
	key   string
}

// Moment implements store.Timed.
func (r *recorded) Moment() (store.Moment, error) { return r.moment, nil }

func (r *recorded) write(key any, write func(store.Tx)) {
	if _, known := r.keys[key]; !known {
		r.keys[key] = false
	}
	r.writes = append(r.writes, write)
	write(r.Tx)
}

func (r *recorded) PutQueue(q muster.Queue) {
	q.Entries = slices.Clone(q.Entries)
	r.write(store.KeyOfQueue(q), func(tx store.Tx) {
		if tx.PutQueue(q); r.keeps {
			keepRevision(tx, q)
		}
	})
}

func (r *recorded) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	if !r.keeps {
		return r.Tx.Queues(keys...)
	}
	return keeping{r.Tx}.Queues(keys...)
}

func (r *recorded) Change(before, after *muster.Execution) {
	x := after
	if x == nil {
		x = before
	}
	before, after = copied(before), copied(after)
	r.write(store.Key(*x), func(tx store.Tx) { tx.Change(before, after) })
	if before != nil && before.Deadline() != 0 || after != nil && after.Deadline() != 0 {
		r.keys[store.Key(*x)] = true
	}
}

func copied(x *muster.Execution) *muster.Execution {
	if x == nil {
		return nil
	}
	own := *x
	own.Details = maps.Clone(x.Details)
	return &own
}

func (r *recorded) Put(table store.Table, key string, value []byte) {
	value = append([]byte{}, value...)
	r.write(recordKey{table, key}, func(tx store.Tx) { tx.Put(table, key, value) })
}

func (r *recorded) Delete(table store.Table, key string) {
	r.write(recordKey{table, key}, func(tx store.Tx) { tx.Delete(table, key) })
}

// replay does the writes again in another transaction.
func (r *recorded) replay(tx store.Tx) error {
	for _, write := range r.writes {
		write(tx)
	}
	return nil
}
