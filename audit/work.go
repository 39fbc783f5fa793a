package audit

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// How large the records are is counted by background work, so that commands do not meet in a counter: a command leaves
// what its record adds in a row of its own, and a step adds such rows to what there is of their hour and takes them
// away. So the count is right whatever the clocks show and whenever a transaction ends.
const (
	countedAfter = 5 * time.Second
	countStep    = 256  // rows that one step counts
	removeStep   = 128  // records that one step removes
	lookMax      = 1024 // records that are looked at to find the oldest
)

// hour is the time of a row of tables.hours.
const hour = time.Hour

// wholeKey is the key in tables.hours of what there is of all; it is after those of hours.
const wholeKey = "all"

// hourOf returns the begin of the hour of an instant.
func hourOf(at muster.Instant) muster.Instant { return at - at%muster.Instant(hour.Milliseconds()) }

// Wants implements commit.Source.
func (l *Log) Wants(w *commit.Wants) {
	w.Range(tables.uncounted.Table, "", "")
	w.Range(tables.hours.Table, "", "")
	w.Record(tables.hours.Table, wholeKey)
}

// Due implements commit.Source: refused attempts are to be written, new records counted, old ones removed.
func (l *Log) Due(r store.Reader, asked commit.Asked) (commit.Due, error) {
	var due commit.Due
	var steps []func() []func(*commit.Tx) error
	if at := l.refused.due(); at != 0 && at <= asked.Now {
		if asked.Grow {
			steps = append(steps, l.attemptSteps)
		}
	} else if at != 0 {
		due.Sooner(at)
	}
	if asked.Mine("audit") {
		counts, at, err := l.firstUncounted(r)
		if err != nil {
			return due, err
		}
		if at = at.Add(countedAfter); counts && (at <= asked.Now || at > asked.Now.Add(countedAfter)) {
			steps = append(steps, func() []func(*commit.Tx) error { return repeat(l.count) })
		} else if counts {
			due.Sooner(at)
		}
		full, at, err := l.excess(r, asked.Now)
		if err != nil {
			return due, err
		}
		if full {
			steps = append(steps, func() []func(*commit.Tx) error { return repeat(l.removeOldest) })
		} else if at != 0 {
			due.Sooner(at)
		}
	}
	if len(steps) > 0 {
		due.Steps = func() (all []func(*commit.Tx) error) {
			for _, some := range steps {
				all = append(all, some()...)
			}
			return all
		}
	}
	return due, nil
}

// repeat returns the same step some times: one after the other finds what is left.
func repeat(step func(*commit.Tx) error) []func(*commit.Tx) error {
	steps := make([]func(*commit.Tx) error, commit.StepsAhead)
	for i := range steps {
		steps[i] = step
	}
	return steps
}

// firstAt returns the instant of the first row of a table whose keys begin with a TimeKey, from a key on, if there is one.
func firstAt(r store.Reader, table store.Table, from string) (there bool, at muster.Instant, err error) {
	for row, err := range r.Scan(table, from, "") {
		if err != nil || row.Key == wholeKey {
			return false, 0, err
		}
		return true, store.TimeIn(row.Key[:min(len(row.Key), 16)]), nil
	}
	return false, 0, nil
}

// counted is the place in tables.uncounted up to which this process has counted, while there was more to count; otherwise
// empty. Without it each step would read over what the steps before it have removed, which a store keeps for a while. A row that is
// written before the place is counted later, when the steps have come to the end of the table and begin again.
type counted struct{ place atomic.Pointer[string] }

func (c *counted) get() string {
	if place := c.place.Load(); place != nil {
		return *place
	}
	return ""
}

// firstUncounted returns the instant of a row that is to be counted, of the first one if the place is not known.
func (l *Log) firstUncounted(r store.Reader) (there bool, at muster.Instant, err error) {
	if place := l.counted.get(); place != "" {
		if there, at, err := firstAt(r, tables.uncounted.Table, place); there || err != nil {
			return there, at, err
		}
	}
	return firstAt(r, tables.uncounted.Table, "")
}

// count adds what came since to what there is.
func (l *Log) count(tx *commit.Tx) error {
	var all amount
	hours := map[muster.Instant]amount{}
	var counted []string
	for row, err := range tables.uncounted.Scan(tx, l.counted.get(), "") {
		if err != nil {
			return err
		}
		if len(counted) == countStep {
			break
		}
		counted = append(counted, row.Key)
		of := hourOf(store.TimeIn(row.Key[:min(len(row.Key), 16)]))
		hours[of] = hours[of].plus(row.Value)
		all = all.plus(row.Value)
	}
	place := ""
	if len(counted) == countStep {
		place = store.After(counted[countStep-1])
	}
	tx.After(func() { l.counted.place.Store(&place) })
	if len(counted) == 0 {
		return nil
	}
	if err := l.tell(tx, counted); err != nil {
		return err
	}
	for _, key := range counted {
		tables.uncounted.Delete(tx, key)
	}
	for of, more := range hours {
		if err := add(tx, store.TimeKey(of), more); err != nil {
			return err
		}
	}
	return add(tx, wholeKey, all)
}

// tell records events of the records of rows of tables.uncounted. Each record that is written has such a row until it is told of, so
// none is left out.
func (l *Log) tell(tx *commit.Tx, waiting []string) error {
	if l.events == nil {
		return nil
	}
	if wanted, err := l.events.Wanted(tx); err != nil || !wanted {
		return err
	}
	keys := make([]string, len(waiting))
	for i, key := range waiting {
		at, request, _ := strings.Cut(key, "\x00")
		keys[i] = keyOf(store.TimeIn(at), request)
	}
	tx.PrefetchFar(func(w *commit.Wants) {
		for _, key := range keys {
			w.Record(tables.records.Table, key)
		}
	})
	for _, key := range keys {
		r, err := tables.records.Get(tx, key)
		if err != nil {
			return err
		}
		if r == nil {
			continue // it was too old, and is removed
		}
		entry, err := json.Marshal(EntryOf(*r))
		if err == nil {
			err = l.events.Tell(tx, r.RequestID, entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add adds to a row of tables.hours. One of nothing is removed.
func add(tx store.Records, key string, more amount) error {
	was, err := tables.hours.Get(tx, key)
	if err != nil {
		return err
	}
	if was != nil {
		more = more.plus(*was)
	}
	if more == (amount{}) {
		tables.hours.Delete(tx, key)
		return nil
	}
	tables.hours.Put(tx, key, more)
	return nil
}

// excess reports whether the oldest records are to be removed, and otherwise when they will be too old; zero is never.
func (l *Log) excess(r store.Reader, now muster.Instant) (bool, muster.Instant, error) {
	there, oldest, err := firstAt(r, tables.hours.Table, "")
	if err != nil || !there {
		return false, 0, err
	}
	if l.settings.Max > 0 {
		whole, err := tables.hours.Get(r, wholeKey)
		if err != nil {
			return false, 0, err
		}
		if whole != nil && whole.Bytes > l.settings.Max {
			return true, 0, nil
		}
	}
	end := oldest.Add(hour).Add(l.settings.keep())
	return end <= now, end, nil
}

// removeOldest removes some of the oldest records if there is excess.
func (l *Log) removeOldest(tx *commit.Tx) error {
	full, at, err := l.excess(tx, tx.Now)
	if err != nil || !full {
		return err
	}
	_, oldest, err := firstAt(tx, tables.hours.Table, "")
	if err != nil {
		return err
	}
	records, err := oldestOf(tx, oldest)
	if err != nil {
		return err
	}
	var gone amount
	if len(records) == 0 { // none is there any more: so that nothing is looked for there again
		was, err := tables.hours.Get(tx, store.TimeKey(oldest))
		if err != nil {
			return err
		}
		gone = *was
	}
	for _, r := range records {
		counted, err := remove(tx, r)
		if err != nil {
			return err
		}
		gone = gone.plus(counted)
	}
	if err := add(tx, store.TimeKey(oldest), amount{}.minus(gone)); err != nil {
		return err
	}
	if err := add(tx, wholeKey, amount{}.minus(gone)); err != nil {
		return err
	}
	if at == 0 { // too many, and not too old
		tx.After(func() {
			l.warned.Do(func() {
				l.log.Warn("the audit records are larger than they may be: the oldest are removed", "bytes", l.settings.Max)
			})
		})
	}
	return nil
}

// oldestOf returns the oldest records of an hour, some at a time. Records are in the order of their instants, the newest first, so the
// hour is halved until what is left of it is short.
func oldestOf(r store.Reader, begin muster.Instant) ([]Record, error) {
	for end := begin.Add(hour); ; end = begin + (end-begin)/2 {
		last, n := make([]store.Record, removeStep), 0
		for row, err := range r.Scan(tables.records.Table, store.LatestKey(end-1), store.LatestKey(begin)+"\x01") {
			if err != nil {
				return nil, err
			}
			last[n%removeStep] = row
			if n++; n > lookMax && end-begin > 1 {
				break
			}
		}
		if n > lookMax && end-begin > 1 {
			continue
		}
		var all []Record
		for _, row := range last[:min(n, removeStep)] {
			record, err := tables.records.Decode(row.Key, row.Value)
			if err != nil {
				return nil, err
			}
			all = append(all, *record)
		}
		return all, nil
	}
}

// Figures are what a deployment is told of its records.
type Figures struct {
	Records int64 // counted so far
	Bytes   int64
	Left    int64 // attempts that were left out, since the process started
}

// Figures returns how many records there are, and how large they are.
func (l *Log) Figures(ctx context.Context) (f Figures, err error) {
	if l == nil {
		return f, nil
	}
	l.refused.mu.Lock()
	f.Left = l.refused.left
	l.refused.mu.Unlock()
	err = l.commits.View(ctx, func(r store.Reader) error {
		whole, err := tables.hours.Get(r, wholeKey)
		if whole != nil {
			f.Records, f.Bytes = whole.Records, whole.Bytes
		}
		return err
	})
	return f, err
}
