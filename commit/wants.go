package commit

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Wants collects what the commands of a batch will read, so that it is read with one
// request for all of them; this matters for a store that is reached over a network. It is
// a hint: what is not named is read when a command asks for it.
type Wants struct {
	queues     []store.QueueKey
	executions []store.ExecutionKey
}

// Queue names a queue.
func (w *Wants) Queue(key store.QueueKey) { w.queues = append(w.queues, key) }

// Execution names an execution.
func (w *Wants) Execution(key store.ExecutionKey) { w.executions = append(w.executions, key) }

// prefetch reads what several commands name into t.queues and t.found. A single command
// gains nothing. Errors are ignored: the command that needs the record reads it again and
// fails alone.
func (t *Tx) prefetch(commands []command) {
	if len(commands) < 2 {
		return
	}
	var w Wants
	for _, c := range commands {
		if c.wants != nil {
			c.wants(&w)
		}
	}
	if len(w.queues) > 0 {
		_ = t.Load(w.queues)
	}
	if len(w.executions) == 0 {
		return
	}
	found, err := t.Tx.Executions(w.executions...)
	if err != nil {
		return
	}
	t.found = make(map[store.ExecutionKey]*muster.Execution, len(found))
	for i, x := range found {
		t.found[w.executions[i]] = x
	}
}
