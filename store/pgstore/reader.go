package pgstore

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// The sizes of the first and the largest page of a sequence; each is four times the one
// before.
const (
	pageMin = 128
	pageMax = 2048
)

// reader reads one snapshot. In a transaction it sees the changes, and keeps what it has
// read; otherwise own is nil.
type reader struct {
	s   *session
	own *changes
}

func (r *reader) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	all := make([]muster.Queue, len(keys))
	if r.own != nil {
		if err := r.s.send(r.own.askQueues(keys)...); err != nil {
			return nil, err
		}
		for i, key := range keys {
			all[i] = cloneQueue(r.own.queues[key].queue)
		}
		return all, nil
	}
	places := make(map[store.QueueKey][]int, len(keys))
	var columns queueKeys
	for i, key := range keys {
		all[i] = muster.Queue{Thing: key.Thing, Namespace: key.Namespace}
		if places[key] == nil {
			columns.add(key)
		}
		places[key] = append(places[key], i)
	}
	if len(keys) == 0 {
		return all, nil
	}
	err := r.s.send(ask(func(row *row) {
		q := row.queue()
		for _, i := range places[keyOf(q)] {
			all[i] = cloneQueue(q)
		}
	}, selectQueues, columns.thing, columns.ns, columns.bucket))
	return all, err
}

func (r *reader) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	own := r.own
	if own == nil {
		own = newChanges()
	}
	if err := r.s.send(own.askExecutions(keys)...); err != nil {
		return nil, err
	}
	all := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		all[i] = cloneExecution(own.executions[key].now)
	}
	return all, nil
}

func (r *reader) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	own := r.own
	if own == nil {
		own = newChanges()
	}
	if err := r.s.send(own.askLatest(keys)...); err != nil {
		return nil, err
	}
	all := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		latest, deleted := own.latestOf(key)
		if deleted { // what was the latest; the one before it is not known
			for e, err := range r.ExecutionsOfThing(key.Thing) {
				if err != nil {
					return nil, err
				}
				if e.Job == key.Job {
					latest = &e
				}
			}
		}
		all[i] = cloneExecution(latest)
	}
	return all, nil
}

func (r *reader) ExecutionsOfThing(thing muster.ThingName) iter.Seq2[muster.Execution, error] {
	bucket := bucketOf(thing)
	return func(yield func(muster.Execution, error) bool) {
		own := r.ownExecutions(func(e *muster.Execution) bool { return e.Thing == thing })
		merge(func(last *muster.Execution, limit int) ([]muster.Execution, error) {
			job, number := "", int64(firstNumber)
			if last != nil {
				job, number = string(last.Job), last.Number
			}
			return page(r.s, (*row).execution, pageOfThing, string(thing), bucket, job, number, limit)
		}, byKey, own)(yield)
	}
}

func (r *reader) ExecutionsOfJob(job muster.JobID, status muster.Status, after store.Cursor) iter.Seq2[muster.Execution, error] {
	if after == (store.Cursor{}) {
		after = store.Cursor{QueuedAt: math.MaxInt64, Number: firstNumber}
	}
	var statuses []int16
	for _, s := range muster.Statuses() {
		if status == 0 || s == status {
			statuses = append(statuses, int16(s))
		}
	}
	return func(yield func(muster.Execution, error) bool) {
		own := r.ownExecutions(func(e *muster.Execution) bool {
			return e.Job == job && (status == 0 || e.Status == status) && store.CursorOf(*e).Compare(after) > 0
		})
		merge(func(last *muster.Execution, limit int) ([]muster.Execution, error) {
			from := after
			if last != nil {
				from = store.CursorOf(*last)
			}
			return page(r.s, (*row).execution, pageOfJob, statuses, string(job), int64(from.QueuedAt), string(from.Thing), from.Number, limit)
		}, func(a, b muster.Execution) int { return store.CursorOf(a).Compare(store.CursorOf(b)) }, own)(yield)
	}
}

func (r *reader) AllExecutions() iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		own := r.ownExecutions(func(*muster.Execution) bool { return true })
		merge(func(last *muster.Execution, limit int) ([]muster.Execution, error) {
			key := store.ExecutionKey{Number: firstNumber}
			if last != nil {
				key = store.Key(*last)
			}
			return page(r.s, (*row).execution, pageOfAll, string(key.Thing), string(key.Job), key.Number, limit)
		}, byKey, own)(yield)
	}
}

// ownExecutions returns the changed executions that match, in no order, and which ones
// of the database they hide.
func (r *reader) ownExecutions(match func(*muster.Execution) bool) ownRows[muster.Execution] {
	if r.own == nil {
		return ownRows[muster.Execution]{}
	}
	hidden := r.own.changed // an entry is added, and never changed, so this must be copied
	keys := make(map[store.ExecutionKey]struct{}, len(hidden))
	var rows []muster.Execution
	for key := range hidden {
		keys[key] = struct{}{}
		if e := r.own.executions[key].now; e != nil && match(e) {
			rows = append(rows, *e)
		}
	}
	return ownRows[muster.Execution]{
		rows:   rows,
		hidden: func(e muster.Execution) bool { _, ok := keys[store.Key(e)]; return ok },
		clone:  func(e muster.Execution) muster.Execution { return *cloneExecution(&e) },
	}
}

func (r *reader) Timers(until muster.Instant) iter.Seq2[store.Timer, error] {
	return func(yield func(store.Timer, error) bool) {
		executions := r.ownExecutions(func(e *muster.Execution) bool { return e.Deadline() != 0 && e.Deadline() <= until })
		own := ownRows[store.Timer]{}
		if executions.hidden != nil {
			own.hidden = func(t store.Timer) bool {
				return executions.hidden(muster.Execution{Thing: t.Thing, Job: t.Job, Number: t.Number})
			}
		}
		for _, e := range executions.rows {
			own.rows = append(own.rows, store.Timer{Due: e.Deadline(), ExecutionKey: store.Key(e)})
		}
		merge(func(last *store.Timer, limit int) ([]store.Timer, error) {
			from := store.Timer{Due: math.MinInt64, ExecutionKey: store.ExecutionKey{Number: firstNumber}}
			if last != nil {
				from = *last
			}
			return page(r.s, (*row).timer, pageOfTimers, int64(until), int64(from.Due), string(from.Thing), string(from.Job), from.Number, limit)
		}, store.Timer.Compare, own)(yield)
	}
}

func (r *row) timer() store.Timer {
	due := r.instant()
	return store.Timer{Due: due, ExecutionKey: store.ExecutionKey{Thing: muster.ThingName(r.text()), Job: muster.JobID(r.text()), Number: r.big()}}
}

func (r *reader) AllQueues() iter.Seq2[muster.Queue, error] {
	return func(yield func(muster.Queue, error) bool) {
		own := ownRows[muster.Queue]{clone: cloneQueue}
		if r.own != nil {
			hidden := map[store.QueueKey]bool{}
			for key, q := range r.own.queues {
				if !q.changed {
					continue
				}
				hidden[key] = true
				if len(q.queue.Entries) > 0 {
					own.rows = append(own.rows, q.queue)
				}
			}
			own.hidden = func(q muster.Queue) bool { return hidden[keyOf(q)] }
		}
		merge(func(last *muster.Queue, limit int) ([]muster.Queue, error) {
			if last == nil {
				return page(r.s, (*row).queue, pageOfQueues, "", "", limit)
			}
			return page(r.s, (*row).queue, pageOfQueues, string(last.Thing), string(last.Namespace), limit)
		}, func(a, b muster.Queue) int {
			return cmp.Or(cmp.Compare(a.Thing, b.Thing), cmp.Compare(a.Namespace, b.Namespace))
		}, own)(yield)
	}
}

func (r *reader) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	own := r.own
	if own == nil {
		own = newChanges()
	}
	if err := r.s.send(own.askCounts(jobs)...); err != nil {
		return nil, err
	}
	all := make([]muster.Counts, len(jobs))
	for i, job := range jobs {
		c := own.counts[job]
		all[i] = c.stored.Plus(c.change)
	}
	return all, nil
}

func (r *reader) Get(table store.Table, key string) ([]byte, error) {
	own := r.own
	if own == nil {
		own = newChanges()
	}
	k := store.RecordKey{Table: table, Key: key}
	if err := r.s.send(own.askRecords([]store.RecordKey{k})...); err != nil {
		return nil, err
	}
	return cloneValue(own.record(k)), nil
}

func (r *reader) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if to != "" && from >= to {
			return
		}
		own := ownRows[store.Record]{clone: func(r store.Record) store.Record { return store.Record{Key: r.Key, Value: cloneValue(r.Value)} }}
		if r.own != nil {
			written := r.own.written.Copy() // the loop may write
			written.Ascend(ownRecord{RecordKey: store.RecordKey{Table: table, Key: from}}, func(o ownRecord) bool {
				if o.Table != table || to != "" && o.Key >= to {
					return false
				}
				if o.value != nil {
					own.rows = append(own.rows, store.Record{Key: o.Key, Value: o.value})
				}
				return true
			})
			own.hidden = func(rec store.Record) bool {
				_, ok := written.Get(ownRecord{RecordKey: store.RecordKey{Table: table, Key: rec.Key}})
				return ok
			}
		}
		merge(func(last *store.Record, limit int) ([]store.Record, error) {
			lowest := from
			if last != nil {
				lowest = store.After(last.Key)
			}
			if to == "" {
				return page(r.s, (*row).record, restOfRecords, string(table), []byte(lowest), limit)
			}
			return page(r.s, (*row).record, pageOfRecords, string(table), []byte(lowest), []byte(to), limit)
		}, func(a, b store.Record) int { return cmp.Compare(a.Key, b.Key) }, own)(yield)
	}
}

func (r *row) record() store.Record { return store.Record{Key: r.text(), Value: r.bytes()} }

// page reads up to limit rows, which is the last argument.
func page[T any](s *session, read func(*row) T, sql string, args ...any) (rows []T, err error) {
	err = s.send(ask(func(row *row) { rows = append(rows, read(row)) }, sql, args...))
	return rows, err
}

// ownRows are rows that a transaction has changed: how they are now, and which rows of
// the database are not to be shown.
type ownRows[T any] struct {
	rows   []T
	hidden func(T) bool // nil hides none
	clone  func(T) T    // nil for values that share nothing
}

// merge yields the rows of the database page by page, and those of own, in one order. A
// page begins after a row, or is the first one; one that is shorter than limit is the last.
func merge[T any](page func(last *T, limit int) ([]T, error), compare func(a, b T) int, own ownRows[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		slices.SortFunc(own.rows, compare)
		// ours yields own rows up to one of the database.
		ours := func(before *T) bool {
			for ; len(own.rows) > 0 && (before == nil || compare(own.rows[0], *before) < 0); own.rows = own.rows[1:] {
				v := own.rows[0]
				if own.clone != nil {
					v = own.clone(v)
				}
				if !yield(v, nil) {
					return false
				}
			}
			return true
		}
		var last *T
		for limit := pageMin; ; limit = min(limit*4, pageMax) {
			rows, err := page(last, limit)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range rows {
				if own.hidden != nil && own.hidden(rows[i]) {
					continue
				}
				if !ours(&rows[i]) || !yield(rows[i], nil) {
					return
				}
			}
			if len(rows) < limit {
				ours(nil)
				return
			}
			last = &rows[len(rows)-1]
		}
	}
}

func byKey(a, b muster.Execution) int { return store.Key(a).Compare(store.Key(b)) }

func keyOf(q muster.Queue) store.QueueKey {
	return store.QueueKey{Thing: q.Thing, Namespace: q.Namespace}
}
