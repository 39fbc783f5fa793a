package pgstore

import (
	"maps"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/tidwall/btree"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// changes is what a transaction has read and changed so far. Changes stay in memory until
// the commit, which then writes each row once.
type changes struct {
	shards *shards // of the database

	queues     map[store.QueueKey]*ownQueue
	executions map[store.ExecutionKey]*ownExecution
	latest     map[store.AttemptsKey]*muster.Execution // in the database; nil for none
	counts     map[muster.JobID]*ownCounts
	records    map[store.RecordKey][]byte     // as they were read; nil for none
	ranges     map[store.Range][]store.Record // likewise: their first pages
	written    *btree.BTreeG[ownRecord]       // nil for none

	// First pages that were asked for beforehand, as the database has them, until they are used.
	ofThing map[muster.ThingName][]muster.Execution
	ofJob   map[store.OfJob][]muster.Execution
	timers  map[muster.Instant][]store.Timer

	changed  map[store.ExecutionKey]struct{}
	attempts map[store.AttemptsKey][]int64 // the numbers of those that are changed
	err      error                         // the first Change that cannot be
}

// ownQueue is a queue as it is now. The place of its row is valid if the database has one; that
// is known once it was asked for.
type ownQueue struct {
	queue          muster.Queue
	place          pgtype.TID
	known, changed bool
	head           bool // the execution at its head was asked for
}

// ownExecution is an execution as it is now, nil if it is not there. The rest is as in
// ownQueue.
type ownExecution struct {
	now      *muster.Execution
	place    pgtype.TID
	known    bool
	expected bool // it was changed as one that the database has, without having been read
}

// ownCounts are the counts of a job: how they were read, and what is added to them.
type ownCounts struct {
	stored, change muster.Counts
	read           bool
}

// set sets m[key], making m if there is none: most transactions use few of the maps.
func set[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// known returns how much is kept.
func (c *changes) known() int {
	return len(c.queues) + len(c.executions) + len(c.latest) + len(c.counts) + len(c.records) + len(c.ranges) +
		len(c.ofThing) + len(c.ofJob) + len(c.timers)
}

// askQueues returns the request for those of keys that are not known. From then on they
// are, in the state that they have in the database, or of an empty queue.
func (c *changes) askQueues(keys []store.QueueKey) []request {
	columns := parts[queueKeys]{shards: c.shards}
	for _, key := range keys {
		if c.queues[key] == nil {
			set(&c.queues, key, newQueue(key))
			columns.of(key.Thing).add(key)
		}
	}
	return c.askRowsOfQueues(columns)
}

func (c *changes) askRowsOfQueues(columns parts[queueKeys]) (all []request) {
	for k := range columns.each() {
		all = append(all, ask(c.learnQueue, c.shards.pick(selectQueues, selectQueuesOfShard), k.thing, k.ns, k.bucket))
	}
	return all
}

func newQueue(key store.QueueKey) *ownQueue {
	return &ownQueue{queue: muster.Queue{Thing: key.Thing, Namespace: key.Namespace}, known: true}
}

// learnQueue keeps the queue of a row, unless it was changed.
func (c *changes) learnQueue(row *row) {
	place, q := row.place(), row.queue()
	own := c.queues[store.KeyOfQueue(q)]
	if own.place = place; !own.changed {
		own.queue = q
	}
}

func (c *changes) askExecutions(keys []store.ExecutionKey) []request {
	columns := parts[executionKeys]{shards: c.shards}
	for _, key := range keys {
		if c.executions[key] == nil {
			set(&c.executions, key, &ownExecution{known: true})
			columns.of(key.Thing).add(key)
		}
	}
	return c.askRowsOfExecutions(columns)
}

func (c *changes) askRowsOfExecutions(columns parts[executionKeys]) (all []request) {
	for k := range columns.each() {
		all = append(all, ask(func(row *row) { c.learn(row) }, c.shards.pick(selectExecutions, selectExecutionsOfShard), k.thing, k.job, k.number, k.bucket))
	}
	return all
}

// learn keeps the execution of a row, unless it was changed, and returns it as the database
// has it.
func (c *changes) learn(row *row) *muster.Execution {
	place, e := row.place(), row.execution()
	key := store.Key(e)
	own := c.executions[key]
	if own == nil {
		own = &ownExecution{}
		set(&c.executions, key, own)
	}
	own.place, own.known = place, true
	if _, changed := c.changed[key]; !changed {
		own.now = &e
	}
	return &e
}

// askHeads asks for queues that are not known, and for the executions at their heads.
func (c *changes) askHeads(keys []store.QueueKey) (all []request) {
	columns := parts[queueKeys]{shards: c.shards}
	for _, key := range keys {
		own := c.queues[key]
		if own == nil {
			own = newQueue(key)
			set(&c.queues, key, own)
		}
		if !own.head {
			own.head = true
			columns.of(key.Thing).add(key)
		}
	}
	for k := range columns.each() {
		all = append(all, ask(func(row *row) {
			c.learnQueue(row)
			if !row.none() {
				c.learn(row)
			}
		}, c.shards.pick(selectHeads, selectHeadsOfShard), k.thing, k.ns, k.bucket))
	}
	return all
}

// askPlaces asks for the rows of what was changed without having been read.
func (c *changes) askPlaces() []request {
	queues, executions := parts[queueKeys]{shards: c.shards}, parts[executionKeys]{shards: c.shards}
	for key, own := range c.queues {
		if own.changed && !own.known {
			own.known = true
			queues.of(key.Thing).add(key)
		}
	}
	for key := range c.changed {
		if own := c.executions[key]; !own.known {
			own.known = true
			executions.of(key.Thing).add(key)
		}
	}
	return append(c.askRowsOfQueues(queues), c.askRowsOfExecutions(executions)...)
}

func (c *changes) askLatest(keys []store.AttemptsKey) (all []request) {
	columns := parts[attemptsKeys]{shards: c.shards}
	for _, key := range keys {
		if _, known := c.latest[key]; !known {
			set(&c.latest, key, nil)
			columns.of(key.Thing).add(key)
		}
	}
	for k := range columns.each() {
		all = append(all, ask(func(row *row) {
			e := c.learn(row)
			c.latest[store.AttemptsKey{Thing: e.Thing, Job: e.Job}] = e
		}, c.shards.pick(selectLatest, selectLatestOfShard), k.thing, k.job, k.bucket))
	}
	return all
}

// latestOf returns the latest execution of key as it is now, nil for none. If that which
// the database has was deleted, the latest of the others is not known.
func (c *changes) latestOf(key store.AttemptsKey) (latest *muster.Execution, deleted bool) {
	latest = c.latest[key]
	for _, number := range c.attempts[key] {
		own := c.executions[store.ExecutionKey{Thing: key.Thing, Job: key.Job, Number: number}]
		switch {
		case own.now == nil && latest != nil && latest.Number == number:
			return nil, true
		case own.now != nil && (latest == nil || latest.Number <= number):
			latest = own.now
		}
	}
	return latest, false
}

func (c *changes) askCounts(jobs []muster.JobID) []request {
	var columns []string
	for _, job := range jobs {
		if own := c.countsOf(job); !own.read {
			own.read = true
			columns = append(columns, string(job))
		}
	}
	if len(columns) == 0 {
		return nil
	}
	return []request{ask(func(row *row) {
		job, counts := row.counts()
		c.counts[job].stored = counts
	}, selectCounts, columns)}
}

func (c *changes) countsOf(job muster.JobID) *ownCounts {
	own := c.counts[job]
	if own == nil {
		own = &ownCounts{}
		set(&c.counts, job, own)
	}
	return own
}

func (c *changes) askRecords(keys []store.RecordKey) []request {
	var columns recordRows
	for _, key := range keys {
		if _, known := c.records[key]; known {
			continue
		}
		if _, written := c.ownRecord(key); written {
			continue
		}
		set(&c.records, key, nil)
		columns.add(key, nil)
	}
	if len(columns.key) == 0 {
		return nil
	}
	return []request{ask(c.learnRecord, selectRecords, columns.table, columns.key)}
}

// askOfHeads asks for the records of some tables that have the job at the head of a queue
// as their key. With shards nothing is asked for, as queues and records are not in one place.
func (c *changes) askOfHeads(keys []store.QueueKey, tables []store.Table) []request {
	if len(keys) == 0 || len(tables) == 0 || c.shards != nil {
		return nil
	}
	var columns queueKeys
	for _, key := range keys {
		columns.add(key)
	}
	return []request{ask(c.learnRecord, selectOfHeads, columns.thing, columns.ns, columns.bucket, tables)}
}

// askOfKnownHeads asks for the same when the queues are known.
func (c *changes) askOfKnownHeads(keys []store.QueueKey, tables []store.Table) []request {
	var records []store.RecordKey
	for _, key := range keys {
		if head, ok := c.queues[key].queue.Head(); ok {
			for _, table := range tables {
				records = append(records, store.RecordKey{Table: table, Key: string(head.Job)})
			}
		}
	}
	return c.askRecords(records)
}

// askRanges asks for the first pages of ranges.
func (c *changes) askRanges(ranges []store.Range) []request {
	var bounded, rests rangeRows
	for _, r := range ranges {
		if _, known := c.ranges[r]; known {
			continue
		}
		set(&c.ranges, r, nil)
		if r.To == "" {
			rests.add(r)
		} else {
			bounded.add(r)
		}
	}
	var all []request
	if len(bounded.of) > 0 {
		all = append(all, ask(c.learnRange(bounded.of), selectRanges, bounded.table, bounded.lowest, bounded.below, pageMin))
	}
	if len(rests.of) > 0 {
		all = append(all, ask(c.learnRange(rests.of), selectRests, rests.table, rests.lowest, pageMin))
	}
	return all
}

// learnRange returns what keeps the records of some ranges, which are numbered from 1.
func (c *changes) learnRange(of []store.Range) func(*row) {
	return func(row *row) {
		r := of[row.big()-1]
		c.ranges[r] = append(c.ranges[r], row.record())
	}
}

// askFirst returns requests for the first pages of sequences, which are put into pages.
func askFirst[K comparable, T any](pages *map[K][]T, of []K, read func(*row) T, page func(of K, limit int) (sql string, args []any)) (all []request) {
	for _, key := range of {
		if _, known := (*pages)[key]; known {
			continue
		}
		set(pages, key, nil)
		sql, args := page(key, pageMin)
		all = append(all, ask(func(row *row) { (*pages)[key] = append((*pages)[key], read(row)) }, sql, args...))
	}
	return all
}

func (c *changes) learnRecord(row *row) {
	key := store.RecordKey{Table: store.Table(row.text()), Key: row.text()}
	set(&c.records, key, row.bytes())
}

// record returns a record that is known, nil if there is none. The caller must not change
// it.
func (c *changes) record(key store.RecordKey) []byte {
	if own, ok := c.ownRecord(key); ok {
		return own.value
	}
	return c.records[key]
}

// ownRecord returns a record that was written or deleted.
func (c *changes) ownRecord(key store.RecordKey) (ownRecord, bool) {
	if c.written == nil {
		return ownRecord{}, false
	}
	return c.written.Get(ownRecord{RecordKey: key})
}

// write keeps a record as it is from now on.
func (c *changes) write(o ownRecord) {
	if c.written == nil {
		c.written = btree.NewBTreeGOptions(func(a, b ownRecord) bool { return compareOwn(a, b) < 0 }, btree.Options{NoLocks: true})
	}
	c.written.Set(o)
}

func cloneQueue(q muster.Queue) muster.Queue {
	q.Entries = slices.Clone(q.Entries)
	return q
}

func cloneExecution(e *muster.Execution) *muster.Execution {
	if e == nil {
		return nil
	}
	clone := *e
	clone.Details = maps.Clone(e.Details)
	return &clone
}

// cloneValue returns nil for nil only: an empty value is a record.
func cloneValue(value []byte) []byte {
	if value == nil {
		return nil
	}
	return append([]byte{}, value...)
}
