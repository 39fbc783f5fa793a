package storetest

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// model is what a store should hold, in the simplest form: it finds every answer
// by looking at everything.
type model struct {
	executions map[store.ExecutionKey]muster.Execution
	queues     map[store.QueueKey]muster.Queue
	records    map[string]string // of the one table that histories use

	revs    map[store.QueueKey]int64 // the last revision of each queue, also of those that were removed
	removed int64                    // the highest of those that were removed
	keeps   bool                     // the store keeps the revisions of queues without entries
}

func newModel() *model {
	return &model{
		executions: map[store.ExecutionKey]muster.Execution{},
		queues:     map[store.QueueKey]muster.Queue{},
		records:    map[string]string{},
		revs:       map[store.QueueKey]int64{},
	}
}

func (m *model) clone() *model {
	return &model{maps.Clone(m.executions), maps.Clone(m.queues), maps.Clone(m.records), maps.Clone(m.revs), m.removed, m.keeps}
}

func (m *model) latest(thing muster.ThingName, job muster.JobID) *muster.Execution {
	var latest *muster.Execution
	for _, e := range m.ofThing(thing) {
		if e.Job == job {
			latest = &e
		}
	}
	return latest
}

func (m *model) all() []muster.Execution {
	return slices.SortedFunc(maps.Values(m.executions), byKey)
}

func (m *model) ofThing(thing muster.ThingName) []muster.Execution {
	return slices.DeleteFunc(m.all(), func(e muster.Execution) bool { return e.Thing != thing })
}

func (m *model) ofJob(job muster.JobID, status muster.Status, after store.Cursor) []muster.Execution {
	all := slices.DeleteFunc(m.all(), func(e muster.Execution) bool {
		return e.Job != job || (status != 0 && e.Status != status) ||
			(after != (store.Cursor{}) && store.CursorOf(e).Compare(after) <= 0)
	})
	slices.SortFunc(all, func(a, b muster.Execution) int { return store.CursorOf(a).Compare(store.CursorOf(b)) })
	return all
}

func (m *model) counts(job muster.JobID) muster.Counts {
	var counts muster.Counts
	for _, e := range m.executions {
		if e.Job == job {
			counts = counts.Add(e.Status, 1)
		}
	}
	return counts
}

func (m *model) timers(until muster.Instant) []store.Timer {
	var timers []store.Timer
	for _, e := range m.all() {
		if due := e.Deadline(); due != 0 && due <= until {
			timers = append(timers, store.Timer{Due: due, ExecutionKey: store.Key(e)})
		}
	}
	slices.SortFunc(timers, store.Timer.Compare)
	return timers
}

func (m *model) scan(from, to string) []store.Record {
	var all []store.Record
	for _, key := range slices.Sorted(maps.Keys(m.records)) {
		if key >= from && (to == "" || key < to) {
			all = append(all, store.Record{Key: key, Value: []byte(m.records[key])})
		}
	}
	return all
}

func byKey(a, b muster.Execution) int { return store.Key(a).Compare(store.Key(b)) }

// check compares all that r shows with the model, and returns the first
// difference. In half of the states it prefetches, which must make no difference.
func (m *model) check(r store.Reader) error {
	if far, ok := r.(store.Prefetcher); ok && len(m.executions)%2 == 0 {
		if err := far.Prefetch(m.wanted()); err != nil {
			return fmt.Errorf("Prefetch(): %w", err)
		}
	}
	if err := m.checkQueues(r); err != nil {
		return err
	}
	all, err := collect(r.AllExecutions())
	if err := differ("AllExecutions()", all, m.all(), err); err != nil {
		return err
	}
	for _, thing := range things {
		got, err := collect(r.ExecutionsOfThing(thing))
		if err := differ(fmt.Sprintf("ExecutionsOfThing(%s)", thing), got, m.ofThing(thing), err); err != nil {
			return err
		}
	}
	if err := m.checkLatest(r); err != nil {
		return err
	}
	counts, err := r.Counts(jobs...)
	for i, job := range jobs {
		if err := differ(fmt.Sprintf("Counts(%s) among all", job), counts[i], m.counts(job), err); err != nil {
			return err
		}
		if err := m.checkJob(r, job); err != nil {
			return err
		}
	}
	for _, until := range untils {
		got, err := collect(r.Timers(until))
		if err := differ(fmt.Sprintf("Timers(%d)", until), got, m.timers(until), err); err != nil {
			return err
		}
	}
	for _, bounds := range [][2]string{{"", ""}, {"b", ""}, {"", "c"}, {"b", "d"}} {
		got, err := collect(r.Scan(historyTable, bounds[0], bounds[1]))
		if err := differ(fmt.Sprintf("Scan(%q)", bounds), got, m.scan(bounds[0], bounds[1]), err); err != nil {
			return err
		}
	}
	return nil
}

// wanted is all that can be asked for by a key, some of it twice.
func (m *model) wanted() store.Wanted {
	w := store.Wanted{Counts: jobs, OfHeads: []store.Table{historyTable, "none"}}
	for _, thing := range things {
		for _, job := range jobs {
			queue := store.QueueKey{Thing: thing, Namespace: namespaceOf(job)}
			w.Queues, w.Heads = append(w.Queues, queue), append(w.Heads, queue)
			w.Latest = append(w.Latest, store.AttemptsKey{Thing: thing, Job: job})
			w.Executions = append(w.Executions, store.ExecutionKey{Thing: thing, Job: job, Number: 1})
		}
	}
	for _, key := range []string{"a", "b", "c", "d", "e", stepKey, stepKey} {
		w.Records = append(w.Records, store.RecordKey{Table: historyTable, Key: key})
	}
	for _, bounds := range [][2]string{{"b", "d"}, {"", "c"}, {"b", "d"}, {"x", "y"}, {"b", ""}, {"", ""}, {"b", ""}} {
		w.Ranges = append(w.Ranges, store.Range{Table: historyTable, From: bounds[0], To: bounds[1]})
	}
	w.OfThings = slices.Concat(things, things)
	for _, job := range jobs {
		for _, after := range m.cursors(job) {
			w.OfJobs = append(w.OfJobs, store.OfJob{Job: job, Status: muster.Queued, After: after}, store.OfJob{Job: job, After: after})
		}
	}
	w.Timers = untils
	return w
}

func (m *model) checkQueues(r store.Reader) error {
	var keys []store.QueueKey
	var want []muster.Queue
	for _, thing := range things {
		for _, job := range jobs {
			key := store.QueueKey{Thing: thing, Namespace: namespaceOf(job)}
			keys, want = append(keys, key), append(want, m.queue(key))
		}
	}
	got, err := r.Queues(keys...)
	if err := differ(fmt.Sprintf("Queues(%v)", keys), got, want, err); err != nil {
		return err
	}
	all, err := collect(r.AllQueues())
	if err == nil && !slices.IsSortedFunc(all, func(a, b muster.Queue) int { return cmp.Compare(a.Thing, b.Thing) }) {
		err = fmt.Errorf("AllQueues() = %v, not thing by thing", all)
	}
	return differ("AllQueues(), their number", len(all), len(m.queues), err)
}

func (m *model) queue(key store.QueueKey) muster.Queue {
	if q, ok := m.queues[key]; ok {
		return q
	}
	q := muster.Queue{Thing: key.Thing, Namespace: key.Namespace}
	if m.keeps {
		q.Rev = m.revs[key]
	}
	return q
}

// checkLatest asks for all latest executions at once.
func (m *model) checkLatest(r store.Reader) error {
	var keys []store.AttemptsKey
	var want []*muster.Execution
	for _, thing := range things {
		for _, job := range jobs {
			keys = append(keys, store.AttemptsKey{Thing: thing, Job: job})
			want = append(want, m.latest(thing, job))
		}
	}
	got, err := r.Latest(keys...)
	return differ("Latest() of all", values(got...), values(want...), err)
}

// untils are the arguments of Timers that are compared.
var untils = []muster.Instant{0, historyStart.Minutes(5), 1 << 60}

// cursors are places in the executions of a job.
func (m *model) cursors(job muster.JobID) []store.Cursor {
	cursors := []store.Cursor{{}}
	if all := m.ofJob(job, 0, store.Cursor{}); len(all) > 0 {
		cursors = append(cursors, store.CursorOf(all[0]), store.CursorOf(all[len(all)/2]))
	}
	return cursors
}

func (m *model) checkJob(r store.Reader, job muster.JobID) error {
	for _, status := range append(muster.Statuses(), 0) {
		for _, after := range m.cursors(job) {
			got, err := collect(r.ExecutionsOfJob(job, status, after))
			call := fmt.Sprintf("ExecutionsOfJob(%s, %s, %+v)", job, status, after)
			if err := differ(call, got, m.ofJob(job, status, after), err); err != nil {
				return err
			}
		}
	}
	return nil
}

func differ(call string, got, want any, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		return fmt.Errorf("%s\n got %s\nwant %s", call, g, w)
	}
	return nil
}

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}
