package store

import (
	"iter"
	"slices"

	"github.com/muster-iot/muster"
)

// things recounts the executions and compares those that are live with the queues. Both
// come in the order of things, so it goes through them side by side and looks nothing up.
func (v *verification) things() error {
	next, stop := iter.Pull2(v.r.AllQueues())
	defer stop()
	at := onThing{verification: v, next: next}
	at.step()
	for e, err := range v.r.AllExecutions() {
		if err := v.ctx.Err(); err != nil || len(v.problems) >= MaxProblems {
			return err
		}
		if err != nil {
			v.problem(Readable, "%v", err)
			return nil
		}
		if e.Thing != at.thing {
			at.leave()
			at.thing = e.Thing
		}
		at.execution(e)
	}
	at.leave()
	for at.more && len(v.problems) < MaxProblems {
		at.strays(at.queue, nil)
		at.step()
	}
	return v.ctx.Err()
}

// onThing is the walk of things: what it knows of the thing that it is on.
type onThing struct {
	*verification
	thing muster.ThingName
	last  muster.Execution   // of the thing, that came last; zero if none did
	live  []muster.Execution // of the thing, by job

	next   func() (muster.Queue, error, bool)
	queue  muster.Queue // the first that was not compared yet
	more   bool         // there is one
	broken bool         // the queues end here, as they cannot be read further
}

// step goes to the next queue.
func (t *onThing) step() {
	var err error
	if t.queue, err, t.more = t.next(); err != nil {
		t.problem(Readable, "%v", err)
		t.more, t.broken = false, true
	}
}

// execution recounts an execution of the thing.
func (t *onThing) execution(e muster.Execution) {
	t.jobs[e.Job] = t.jobs[e.Job].Add(e.Status, 1)
	if due := e.Deadline(); due != 0 {
		t.deadlines.add(Timer{due, Key(e)})
	}
	if t.last.Status != 0 && t.last.Job == e.Job && !t.last.Status.Terminal() {
		t.problem(OneLiveExecution, "%v is %s and a later one is %+v", Key(t.last), t.last.Status, e)
	}
	if !e.Status.Terminal() {
		t.live = append(t.live, e)
	}
	t.last = e
}

// leave compares the live executions of the thing with its queues, in both directions.
// Queues of things before it are of things without executions.
func (t *onThing) leave() {
	var queues []muster.Queue
	for ; t.more && t.queue.Thing <= t.thing; t.step() {
		if t.queue.Thing == t.thing {
			queues = append(queues, t.queue)
			t.strays(t.queue, t.live)
		} else {
			t.strays(t.queue, nil)
		}
	}
	for _, e := range t.live {
		i := slices.IndexFunc(queues, func(q muster.Queue) bool { return q.Namespace == e.Namespace })
		switch {
		case i >= 0:
			t.inQueue(e, queues[i])
		case !t.broken:
			t.inQueue(e, muster.Queue{})
		}
	}
	t.last, t.live = muster.Execution{}, t.live[:0]
}

// strays names the entries of a queue that are out of order or of no live execution. That
// they agree in all fields with their executions is checked by inQueue.
func (t *onThing) strays(q muster.Queue, live []muster.Execution) {
	for i, entry := range q.Entries {
		t.know(entry.Job)
		if i > 0 && q.Entries[i-1].Job >= entry.Job {
			t.problem(QueuesAreLive, "the queue of %v has job %q after %q", q.Thing, entry.Job, q.Entries[i-1].Job)
		}
		key := ExecutionKey{q.Thing, entry.Job, entry.Number}
		at, found := slices.BinarySearchFunc(live, key, func(e muster.Execution, key ExecutionKey) int { return Key(e).Compare(key) })
		if !found || live[at].Namespace != q.Namespace {
			t.problem(QueuesAreLive, "%v is in the queue of namespace %q and is no live execution of it", key, q.Namespace)
		}
	}
}

// inQueue compares the entry of a live execution with what it should be.
func (t *onThing) inQueue(e muster.Execution, q muster.Queue) {
	got, found := q.Find(e.Job)
	want, _ := muster.Queue{}.With(e).Find(e.Job)
	want.Hidden = got.Hidden && got.Status == muster.Queued // only the queue has it
	if !found || got != want {
		t.problem(QueuesAreLive, "%v should be queued as %+v and is as %+v", Key(e), want, got)
	}
}
