package pgstore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tx is a transaction that writes. Nothing is sent before it commits.
type tx struct {
	*reader
	shared bool // queues without entries are kept
	reread reread
}

var (
	_ store.Tx       = (*tx)(nil)
	_ store.Timed    = (*tx)(nil)
	_ store.Rereader = (*tx)(nil)
)

func newTx(s *session, shards *shards, shared bool) *tx {
	return &tx{reader: &reader{s: s, own: &changes{shards: shards}}, shared: shared}
}

func (t *tx) PutQueue(q muster.Queue) {
	own := t.own.queues[store.KeyOfQueue(q)]
	if own == nil {
		own = &ownQueue{}
		set(&t.own.queues, store.KeyOfQueue(q), own)
	}
	own.queue, own.changed = cloneQueue(q), true
	if !t.keeps(q) {
		own.queue.Rev = 0
	}
}

// keeps reports whether a queue is a row.
func (t *tx) keeps(q muster.Queue) bool { return t.shared || len(q.Entries) > 0 }

func (t *tx) Change(before, after *muster.Execution) {
	e := cmp.Or(after, before)
	switch {
	case e == nil:
		t.refuse(errors.New("pgstore: a change from nothing to nothing"))
		return
	case before != nil && after != nil && store.Key(*before) != store.Key(*after):
		t.refuse(fmt.Errorf("pgstore: a change of %v into %v", store.Key(*before), store.Key(*after)))
		return
	}
	key := store.Key(*e)
	own := t.own.executions[key]
	if own == nil {
		own = &ownExecution{known: before == nil, expected: before != nil}
		set(&t.own.executions, key, own)
	}
	own.now = cloneExecution(after)
	if _, known := t.own.changed[key]; !known {
		set(&t.own.changed, key, struct{}{})
		attempts := store.AttemptsKey{Thing: key.Thing, Job: key.Job}
		set(&t.own.attempts, attempts, append(t.own.attempts[attempts], key.Number))
	}
	t.count(before, -1)
	t.count(after, 1)
}

func (t *tx) count(e *muster.Execution, n int64) {
	if e == nil {
		return
	}
	c := t.own.countsOf(e.Job)
	c.change = c.change.Add(e.Status, n)
}

func (t *tx) refuse(err error) {
	if t.own.err == nil {
		t.own.err = err
	}
}

func (t *tx) Put(table store.Table, key string, value []byte) {
	t.own.write(ownRecord{store.RecordKey{Table: table, Key: key}, append([]byte{}, value...)})
}

func (t *tx) Delete(table store.Table, key string) {
	t.own.write(ownRecord{RecordKey: store.RecordKey{Table: table, Key: key}})
}

// writes returns the requests that write all changes. Rows are in the order of their keys,
// so that two transactions that wait for each other's rows are rare.
func (t *tx) writes(lane, bucket int16) ([]request, error) {
	if t.own.err != nil {
		return nil, t.own.err
	}
	executions, err := t.executionWrites()
	return slices.Concat(t.queueWrites(), executions, t.countWrites(lane, bucket), t.recordWrites()), err
}

func (t *tx) queueWrites() (all []request) {
	insert, update, remove := parts[queueRows]{shards: t.own.shards}, parts[queueRows]{shards: t.own.shards}, parts[queueAddresses]{shards: t.own.shards}
	for _, key := range slices.SortedFunc(maps.Keys(t.own.queues), store.QueueKey.Compare) {
		q := t.own.queues[key]
		switch {
		case !q.changed:
		case t.keeps(q.queue) && q.place.Valid:
			update.of(key.Thing).add(q.queue, t.own.shards.place(q.place))
		case t.keeps(q.queue):
			insert.of(key.Thing).add(q.queue, q.place)
		case q.place.Valid:
			remove.of(key.Thing).add(key, t.own.shards.place(q.place))
		}
	}
	for rows := range remove.each() {
		all = append(all, order(rows.count(), t.own.shards.pick(deleteQueues, deleteQueuesOfShard), rows.args()...))
	}
	for rows := range update.each() {
		all = append(all, order(rows.count(), t.own.shards.pick(updateQueues, updateQueuesOfShard), rows.args()...))
	}
	for rows := range insert.each() {
		all = append(all, t.own.shards.insert(rows.count(), insertQueues, insertQueuesOfShard, rows.args())...)
	}
	return all
}

func (t *tx) executionWrites() (all []request, err error) {
	insert, update, remove := parts[executionRows]{shards: t.own.shards}, parts[executionRows]{shards: t.own.shards}, parts[executionAddresses]{shards: t.own.shards}
	for _, key := range slices.SortedFunc(maps.Keys(t.own.changed), store.ExecutionKey.Compare) {
		e := t.own.executions[key]
		var bad error
		switch {
		case e.expected && !e.place.Valid:
			bad = fmt.Errorf("pgstore: a change of the execution %v, which is not there", key)
		case e.now != nil && e.place.Valid:
			bad = update.of(key.Thing).add(e.now, t.own.shards.place(e.place))
		case e.now != nil:
			bad = insert.of(key.Thing).add(e.now, e.place)
		case e.place.Valid:
			remove.of(key.Thing).add(key, t.own.shards.place(e.place))
		}
		err = cmp.Or(err, bad)
	}
	for rows := range remove.each() {
		all = append(all, order(rows.count(), t.own.shards.pick(deleteExecutions, deleteExecutionsOfShard), rows.args()...))
	}
	for rows := range update.each() {
		all = append(all, order(rows.count(), t.own.shards.pick(updateExecutions, updateExecutionsOfShard), rows.args()...))
	}
	for rows := range insert.each() {
		all = append(all, t.own.shards.insert(rows.count(), insertExecutions, insertExecutionsOfShard, rows.args())...)
	}
	return all, err
}

func (t *tx) countWrites(lane, bucket int16) []request {
	var rows countRows
	for _, job := range slices.Sorted(maps.Keys(t.own.counts)) {
		if change := t.own.counts[job].change; change != (muster.Counts{}) {
			rows.add(job, change)
		}
	}
	if len(rows.job) == 0 {
		return nil
	}
	all := rows.writes(lane, bucket, t.own.shards)
	if rows.lessens() {
		all = append(all, order(-1, dropCounts, rows.job, lane, bucket))
	}
	return all
}

func (t *tx) recordWrites() []request {
	if t.own.written == nil {
		return nil
	}
	var put, insert, update, remove recordRows
	t.own.written.Scan(func(o ownRecord) bool {
		stored, known := t.own.records[o.RecordKey]
		switch {
		case o.value == nil:
			remove.add(o.RecordKey, nil)
		case !known:
			put.add(o.RecordKey, o.value)
		case stored == nil:
			insert.add(o.RecordKey, o.value)
		default:
			update.add(o.RecordKey, o.value)
		}
		return true
	})
	var all []request
	if len(remove.key) > 0 {
		all = append(all, order(-1, deleteRecords, remove.table, remove.key))
	}
	if n := len(update.key); n > 0 {
		all = append(all, order(int64(n), updateRecords, update.args()...))
	}
	if n := len(insert.key); n > 0 {
		all = append(all, order(int64(n), insertRecords, insert.args()...))
	}
	if len(put.key) > 0 {
		all = append(all, order(-1, updateRecords, put.args()...), order(-1, insertOthers, put.args()...))
	}
	return all
}

// storable reports whether PostgreSQL can hold a text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
