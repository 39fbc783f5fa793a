package commit

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Wants collects what commands will read, so that it is read with a few requests for all
// of them; this matters for a store that is reached over a network. It is a hint: what is
// not named is read when a command asks for it.
type Wants struct {
	queues     []store.QueueKey
	executions []store.ExecutionKey
	entries    []entryWant
	latest     []store.AttemptsKey
	records    []store.RecordKey
	counts     []muster.JobID
	ofHeads    []store.Table
	ranges     []store.Range
	things     []muster.ThingName
	ofJobs     []store.OfJob
	timers     []muster.Instant
	next       []entryWant
	ofNext     []store.Table
	ofEntries  []store.Table
	ofIdle     []store.Table
	then       []func(store.Reader, *Wants) error
	asked      map[muster.JobID]struct{}
	far        bool
}

// entryWant is an execution that an entry of a queue may name: that of a job, or the head
// if job is empty.
type entryWant struct {
	queue store.QueueKey
	job   muster.JobID
}

// Far reports whether the store is reached over a network. If it is not, records, counts and
// sequences are not read beforehand, and need not be named.
func (w *Wants) Far() bool { return w.far }

// First reports whether it is asked for the first time of a job, so that what all commands read
// of it is named once. It is never so if the store is not reached over a network.
func (w *Wants) First(job muster.JobID) bool {
	if !w.far {
		return false
	}
	if _, named := w.asked[job]; named {
		return false
	}
	if w.asked == nil {
		w.asked = map[muster.JobID]struct{}{}
	}
	w.asked[job] = struct{}{}
	return true
}

// Queue names a queue.
func (w *Wants) Queue(key store.QueueKey) { w.queues = append(w.queues, key) }

// Execution names an execution.
func (w *Wants) Execution(key store.ExecutionKey) { w.executions = append(w.executions, key) }

// Head names a queue and the execution at its head, and in some tables the records that have
// the execution's job as their key.
func (w *Wants) Head(key store.QueueKey, ofJob ...store.Table) {
	w.Queue(key)
	w.entries = append(w.entries, entryWant{queue: key})
	addTables(&w.ofHeads, ofJob)
}

func addTables(to *[]store.Table, tables []store.Table) {
	for _, table := range tables {
		if !slices.Contains(*to, table) {
			*to = append(*to, table)
		}
	}
}

// Latest names a queue and the latest execution of a job on its thing. If that is pending
// it is read by the number that its entry has, which costs less than looking for it.
func (w *Wants) Latest(key store.QueueKey, job muster.JobID) {
	w.Queue(key)
	w.entries = append(w.entries, entryWant{key, job})
}

// LatestOf names the latest execution of a job on a thing, whose queue is not needed.
func (w *Wants) LatestOf(thing muster.ThingName, job muster.JobID) {
	if w.far {
		w.latest = append(w.latest, store.AttemptsKey{Thing: thing, Job: job})
	}
}

// Next names the execution that is at the head of a queue once that of job has left it, and in
// some tables the records that have the execution's job as their key.
func (w *Wants) Next(key store.QueueKey, job muster.JobID, ofJob ...store.Table) {
	w.Queue(key)
	w.next = append(w.next, entryWant{key, job})
	addTables(&w.ofNext, ofJob)
}

// OfEntries names, in some tables, the records that have the job of an entry as their key, of
// all queues that are named.
func (w *Wants) OfEntries(tables ...store.Table) { addTables(&w.ofEntries, tables) }

// OfIdle names, in some tables, the records that have the thing as their key, of all queues that
// are named and turn out to be empty.
func (w *Wants) OfIdle(tables ...store.Table) { addTables(&w.ofIdle, tables) }

// Record names a record.
func (w *Wants) Record(table store.Table, key string) {
	if w.far {
		w.records = append(w.records, store.RecordKey{Table: table, Key: key})
	}
}

// Range names the first records with from <= key < to. An empty to means no upper bound.
func (w *Wants) Range(table store.Table, from, to string) {
	if w.far {
		w.ranges = append(w.ranges, store.Range{Table: table, From: from, To: to})
	}
}

// Under names the first records whose keys begin with these parts and have one more.
func (w *Wants) Under(table store.Table, parts ...string) {
	if w.far {
		from, to := store.Under(parts...)
		w.Range(table, from, to)
	}
}

// Timers names the first timers that are due at or before until.
func (w *Wants) Timers(until muster.Instant) { w.timers = append(w.timers, until) }

// OfThing names the first executions of a thing.
func (w *Wants) OfThing(thing muster.ThingName) { w.things = append(w.things, thing) }

// OfJob names the first executions of a job, or of those with a status.
func (w *Wants) OfJob(of store.OfJob) { w.ofJobs = append(w.ofJobs, of) }

// Counts names the counts of a job.
func (w *Wants) Counts(job muster.JobID) { w.counts = append(w.counts, job) }

// Then has next name what depends on what is named here: it is called when that is read, for
// all commands, so that what follows is read at once too. What else next reads costs a request.
// If it fails, nothing more is read ahead. It is not called unless the store is reached over a
// network.
func (w *Wants) Then(next func(r store.Reader, w *Wants) error) {
	if w.far {
		w.then = append(w.then, next)
	}
}

// prefetch reads what commands name. A single command gains nothing, unless the store is
// reached over a network.
func (t *Tx) prefetch(commands []command) {
	if len(commands) < 2 && !t.Far() {
		return
	}
	t.Prefetch(func(w *Wants) {
		if t.c.Clustered() {
			for _, wants := range t.c.always {
				wants(w)
			}
		}
		for _, c := range commands {
			if c.wants != nil {
				c.wants(w)
			}
		}
	})
}

// Far reports whether the store is reached over a network, so that it pays to name what is read
// one by one.
func (t *Tx) Far() bool {
	_, far := t.Tx.(store.Prefetcher)
	return far
}

// Prefetch reads at once what wants names, so that reads of it find it in memory. On a store
// that is not reached over a network it reads only queues and executions that are named by a
// key. A read that fails is not an error: it is done again, and fails, where its result is
// needed.
func (t *Tx) Prefetch(wants func(*Wants)) {
	if prefetchFar(t.Tx, wants) {
		return
	}
	var w Wants
	wants(&w)
	if t.Load(w.queues) != nil {
		return
	}
	var attempts []store.AttemptsKey
	for _, e := range w.entries {
		q := t.queues[e.queue]
		entry, pending := q.Find(e.job)
		if e.job == "" {
			entry, pending = q.Head()
		}
		switch {
		case pending:
			w.Execution(store.ExecutionKey{Thing: e.queue.Thing, Job: entry.Job, Number: entry.Number})
		case e.job != "":
			attempts = append(attempts, store.AttemptsKey{Thing: e.queue.Thing, Job: e.job})
		}
	}
	t.found = keep(w.executions, t.Tx.Executions, t.found)
	t.latest = keep(attempts, t.Tx.Latest, t.latest)
}

// PrefetchFar is Prefetch for records, ranges and counts: it does nothing unless the store is
// reached over a network.
func (t *Tx) PrefetchFar(wants func(*Wants)) { prefetchFar(t.Tx, wants) }

// PrefetchView is Tx.Prefetch for a view. It does nothing unless the store is reached over a
// network.
func PrefetchView(r store.Reader, wants func(*Wants)) { prefetchFar(r, wants) }

// prefetchFar reads what wants names and reports true, if r is of a store that is reached
// over a network.
func prefetchFar(r store.Reader, wants func(*Wants)) bool {
	far, ok := r.(store.Prefetcher)
	if ok {
		w := Wants{far: true}
		wants(&w)
		w.read(far, r, w.wanted())
	}
	return ok
}

// read reads all, which is what w names, then what follows from that, and so on.
func (w *Wants) read(far store.Prefetcher, r store.Reader, all store.Wanted) {
	for far.Prefetch(all) == nil {
		all = w.following(r)
		if len(w.then) == 0 {
			_ = far.Prefetch(all)
			return
		}
		then := &Wants{far: true, executions: all.Executions, records: all.Records}
		for _, next := range w.then {
			if next(r, then) != nil {
				return // it fails where it is needed
			}
		}
		w, all = then, then.wanted()
	}
}

// following returns what Next, OfEntries and OfIdle name, of queues that are known to r.
func (w *Wants) following(r store.Reader) (more store.Wanted) {
	for _, want := range w.next {
		found, err := r.Queues(want.queue)
		if err != nil {
			return more // it is read again where it is needed
		}
		q := found[0]
		if entry, pending := q.Find(want.job); pending {
			q = q.Without(want.job, entry.Number)
		}
		if head, ok := q.Head(); ok {
			more.Executions = append(more.Executions, store.ExecutionKey{Thing: want.queue.Thing, Job: head.Job, Number: head.Number})
			more.Records = appendOf(more.Records, w.ofNext, string(head.Job))
		}
	}
	if len(w.ofEntries)+len(w.ofIdle) == 0 {
		return more
	}
	queues, err := r.Queues(w.queues...)
	if err != nil {
		return more
	}
	for _, q := range queues {
		if len(q.Entries) == 0 {
			more.Records = appendOf(more.Records, w.ofIdle, string(q.Thing))
		}
		for _, entry := range q.Entries {
			more.Records = appendOf(more.Records, w.ofEntries, string(entry.Job))
		}
	}
	return more
}

func appendOf(records []store.RecordKey, tables []store.Table, key string) []store.RecordKey {
	for _, table := range tables {
		records = append(records, store.RecordKey{Table: table, Key: key})
	}
	return records
}

// wanted returns what a store that is reached over a network reads at once. The latest
// execution of a job is also that of its entry, so it need not be looked for by number.
func (w *Wants) wanted() store.Wanted {
	all := store.Wanted{
		Queues: w.queues, Executions: w.executions, Latest: w.latest, Counts: w.counts, Records: w.records, OfHeads: w.ofHeads,
		Ranges: w.ranges, OfThings: w.things, OfJobs: w.ofJobs, Timers: w.timers,
	}
	for _, e := range w.entries {
		if e.job == "" {
			all.Heads = append(all.Heads, e.queue)
		} else {
			all.Latest = append(all.Latest, store.AttemptsKey{Thing: e.queue.Thing, Job: e.job})
		}
	}
	return all
}

// keep reads what keys name and returns known with it.
func keep[K comparable](keys []K, read func(...K) ([]*muster.Execution, error), known map[K]*muster.Execution) map[K]*muster.Execution {
	if len(keys) == 0 {
		return known
	}
	found, err := read(keys...)
	if err != nil {
		return known
	}
	if known == nil {
		known = make(map[K]*muster.Execution, len(keys))
	}
	for i, x := range found {
		known[keys[i]] = x
	}
	return known
}
