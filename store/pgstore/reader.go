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
// before. A page of a list of the API is 250 at most and reads one more, in one round trip.
const (
	pageMin = 256
	pageMax = 2048
)

// keptMax is about how much of what it has read by a key a view keeps. Verification reads
// everything in one view.
const keptMax = 4096

// reader reads one snapshot with the changes that a transaction has made on it, and keeps
// what it has read by a key.
type reader struct {
	s    *session
	own  *changes
	view bool // there are no changes
}

var _ store.Prefetcher = (*reader)(nil)

// trim forgets what a view has read if that is much.
func (r *reader) trim() {
	if r.view && r.own.known() > keptMax {
		r.own = &changes{shards: r.own.shards}
	}
}

// Prefetch reads what is wanted in one round trip, or in two if there are shards.
func (r *reader) Prefetch(w store.Wanted) error {
	if w.Anew && r.view && r.own.known() > keptMax/2 {
		r.own = &changes{} // now, and not while what is read here is used
	}
	own := r.own
	err := r.s.send(own.ask(w)...)
	if err == nil && own.shards != nil {
		err = r.s.send(own.askOfKnownHeads(w.Heads, w.OfHeads)...)
	}
	return err
}

// ask returns the requests for what is wanted and not known.
func (c *changes) ask(w store.Wanted) []request {
	return slices.Concat(
		c.askQueues(w.Queues), c.askHeads(w.Heads), c.askOfHeads(w.Heads, w.OfHeads), c.askLatest(w.Latest),
		c.askExecutions(w.Executions), c.askCounts(w.Counts), c.askRecords(w.Records), c.askRanges(w.Ranges),
		askFirst(&c.ofThing, w.OfThings, (*row).execution, executionsOfThing),
		askFirst(&c.ofJob, w.OfJobs, (*row).execution, c.shards.executionsOfJob),
		askFirst(&c.timers, w.Timers, (*row).timer, timersUntil),
	)
}

func (r *reader) Queues(keys ...store.QueueKey) ([]muster.Queue, error) {
	r.trim()
	if err := r.s.send(r.own.askQueues(keys)...); err != nil {
		return nil, err
	}
	all := make([]muster.Queue, len(keys))
	for i, key := range keys {
		all[i] = cloneQueue(r.own.queues[key].queue)
	}
	return all, nil
}

func (r *reader) Executions(keys ...store.ExecutionKey) ([]*muster.Execution, error) {
	r.trim()
	if err := r.s.send(r.own.askExecutions(keys)...); err != nil {
		return nil, err
	}
	all := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		all[i] = cloneExecution(r.own.executions[key].now)
	}
	return all, nil
}

func (r *reader) Latest(keys ...store.AttemptsKey) ([]*muster.Execution, error) {
	r.trim()
	if err := r.s.send(r.own.askLatest(keys)...); err != nil {
		return nil, err
	}
	all := make([]*muster.Execution, len(keys))
	for i, key := range keys {
		latest, deleted := r.own.latestOf(key)
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
	return func(yield func(muster.Execution, error) bool) {
		own := r.ownExecutions(func(e *muster.Execution) bool { return e.Thing == thing })
		merge(func(last *muster.Execution, limit int) ([]muster.Execution, error) {
			if last == nil {
				return firstPage(r.s, r.own.ofThing, thing, (*row).execution, executionsOfThing, limit)
			}
			return page(r.s, (*row).execution, pageOfThing, string(thing), bucketOf(thing), string(last.Job), last.Number, limit)
		}, byKey, own)(yield)
	}
}

func executionsOfThing(thing muster.ThingName, limit int) (string, []any) {
	return pageOfThing, []any{string(thing), bucketOf(thing), "", int64(firstNumber), limit}
}

func (r *reader) ExecutionsOfJob(job muster.JobID, status muster.Status, after store.Cursor) iter.Seq2[muster.Execution, error] {
	return func(yield func(muster.Execution, error) bool) {
		own := r.ownExecutions(func(e *muster.Execution) bool {
			return e.Job == job && (status == 0 || e.Status == status) && (after == store.Cursor{} || store.CursorOf(*e).Compare(after) > 0)
		})
		merge(func(last *muster.Execution, limit int) ([]muster.Execution, error) {
			of := store.OfJob{Job: job, Status: status, After: after}
			if last == nil {
				return firstPage(r.s, r.own.ofJob, of, (*row).execution, r.own.shards.executionsOfJob, limit)
			}
			of.After = store.CursorOf(*last)
			sql, args := r.own.shards.executionsOfJob(of, limit)
			return page(r.s, (*row).execution, sql, args...)
		}, func(a, b muster.Execution) int { return store.CursorOf(a).Compare(store.CursorOf(b)) }, own)(yield)
	}
}

func (s *shards) executionsOfJob(of store.OfJob, limit int) (string, []any) {
	if of.After == (store.Cursor{}) {
		of.After = store.Cursor{QueuedAt: math.MaxInt64, Number: firstNumber}
	}
	var statuses []int16
	for _, s := range muster.Statuses() {
		if of.Status == 0 || s == of.Status {
			statuses = append(statuses, int16(s))
		}
	}
	if s != nil {
		return ofStatuses(statuses), []any{string(of.Job), int64(of.After.QueuedAt), string(of.After.Thing), of.After.Number, limit}
	}
	return pageOfJob, []any{statuses, string(of.Job), int64(of.After.QueuedAt), string(of.After.Thing), of.After.Number, limit}
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
	if len(r.own.changed) == 0 {
		return ownRows[muster.Execution]{}
	}
	keys := make(map[store.ExecutionKey]struct{}, len(r.own.changed)) // a copy, since the loop may change more
	var rows []muster.Execution
	for key := range r.own.changed {
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
			if last == nil {
				return firstPage(r.s, r.own.timers, until, (*row).timer, timersUntil, limit)
			}
			return page(r.s, (*row).timer, pageOfTimers, int64(until), int64(last.Due), string(last.Thing), string(last.Job), last.Number, limit)
		}, store.Timer.Compare, own)(yield)
	}
}

func timersUntil(until muster.Instant, limit int) (string, []any) {
	return pageOfTimers, []any{int64(until), int64(math.MinInt64), "", "", int64(firstNumber), limit}
}

func (r *row) timer() store.Timer {
	due := r.instant()
	return store.Timer{Due: due, ExecutionKey: store.ExecutionKey{Thing: muster.ThingName(r.text()), Job: muster.JobID(r.text()), Number: r.big()}}
}

func (r *reader) AllQueues() iter.Seq2[muster.Queue, error] {
	return func(yield func(muster.Queue, error) bool) {
		own := ownRows[muster.Queue]{clone: cloneQueue}
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
		own.hidden = func(q muster.Queue) bool { return hidden[store.KeyOfQueue(q)] }
		merge(func(last *muster.Queue, limit int) ([]muster.Queue, error) {
			if last == nil {
				return page(r.s, (*row).queue, pageOfQueues, "", "", limit)
			}
			return page(r.s, (*row).queue, pageOfQueues, string(last.Thing), string(last.Namespace), limit)
		}, func(a, b muster.Queue) int { return store.KeyOfQueue(a).Compare(store.KeyOfQueue(b)) }, own)(yield)
	}
}

func (r *reader) Counts(jobs ...muster.JobID) ([]muster.Counts, error) {
	r.trim()
	if err := r.s.send(r.own.askCounts(jobs)...); err != nil {
		return nil, err
	}
	all := make([]muster.Counts, len(jobs))
	for i, job := range jobs {
		c := r.own.counts[job]
		all[i] = c.stored.Plus(c.change)
	}
	return all, nil
}

func (r *reader) Get(table store.Table, key string) ([]byte, error) {
	r.trim()
	k := store.RecordKey{Table: table, Key: key}
	if err := r.s.send(r.own.askRecords([]store.RecordKey{k})...); err != nil {
		return nil, err
	}
	return cloneValue(r.own.record(k)), nil
}

func (r *reader) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if to != "" && from >= to {
			return
		}
		own := ownRows[store.Record]{clone: func(r store.Record) store.Record { return store.Record{Key: r.Key, Value: cloneValue(r.Value)} }}
		if r.own.written != nil {
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
		all := store.Range{Table: table, From: from, To: to}
		merge(func(last *store.Record, limit int) ([]store.Record, error) {
			if last == nil {
				return r.firstRecords(all, limit)
			}
			return pageOf(r.s, store.Range{Table: table, From: store.After(last.Key), To: to}, limit)
		}, func(a, b store.Record) int { return cmp.Compare(a.Key, b.Key) }, own)(yield)
	}
}

// firstRecords reads up to limit records of a range. A range of fewer records is kept: commands
// of one transaction ask for the same ones.
func (r *reader) firstRecords(all store.Range, limit int) ([]store.Record, error) {
	r.trim()
	rows, known := r.own.ranges[all]
	if !known {
		var err error
		if rows, err = pageOf(r.s, all, limit); err != nil || len(rows) == limit {
			return rows, err
		}
		set(&r.own.ranges, all, rows)
	}
	if r.s.err != nil { // that of Prefetch
		return nil, r.s.err
	}
	mine := make([]store.Record, len(rows))
	for i, row := range rows {
		mine[i] = store.Record{Key: row.Key, Value: cloneValue(row.Value)}
	}
	return mine, nil
}

// pageOf reads up to limit records of a range.
func pageOf(s *session, of store.Range, limit int) ([]store.Record, error) {
	if of.To == "" {
		return page(s, (*row).record, restOfRecords, string(of.Table), []byte(of.From), limit)
	}
	return page(s, (*row).record, pageOfRecords, string(of.Table), []byte(of.From), []byte(of.To), limit)
}

func (r *row) record() store.Record { return store.Record{Key: r.text(), Value: r.bytes()} }

// firstPage returns the first rows of a sequence, up to limit of them: those of pages, which
// are used once, or else what it reads.
func firstPage[K comparable, T any](s *session, pages map[K][]T, of K, read func(*row) T, first func(of K, limit int) (string, []any), limit int) ([]T, error) {
	if rows, known := pages[of]; known {
		delete(pages, of)
		return rows, s.err // that of Prefetch
	}
	sql, args := first(of, limit)
	return page(s, read, sql, args...)
}

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
