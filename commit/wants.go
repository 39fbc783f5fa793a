package commit

import (
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
}

// entryWant is an execution that an entry of a queue may name: that of a job, or the head
// if job is empty.
type entryWant struct {
	queue store.QueueKey
	job   muster.JobID
}

// Queue names a queue.
func (w *Wants) Queue(key store.QueueKey) { w.queues = append(w.queues, key) }

// Execution names an execution.
func (w *Wants) Execution(key store.ExecutionKey) { w.executions = append(w.executions, key) }

// Head names a queue and the execution at its head.
func (w *Wants) Head(key store.QueueKey) {
	w.Queue(key)
	w.entries = append(w.entries, entryWant{queue: key})
}

// Latest names a queue and the latest execution of a job on its thing. If that is pending
// it is read by the number that its entry has, which costs less than looking for it.
func (w *Wants) Latest(key store.QueueKey, job muster.JobID) {
	w.Queue(key)
	w.entries = append(w.entries, entryWant{key, job})
}

// prefetch reads what several commands name. A single command gains nothing.
func (t *Tx) prefetch(commands []command) {
	if len(commands) < 2 {
		return
	}
	t.Prefetch(func(w *Wants) {
		for _, c := range commands {
			if c.wants != nil {
				c.wants(w)
			}
		}
	})
}

// Prefetch reads at once what wants names, so that Queue, Executions and Latest find it in
// memory. A read that fails is not an error: it is done again, and fails, where its result
// is needed.
func (t *Tx) Prefetch(wants func(*Wants)) {
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
