package engine

import (
	"strings"

	"github.com/muster-iot/muster"
)

// Happening is something that fleet software asked to be told of
// (jobs-events.md). It holds copies that belong to whoever is told. The names of
// its fields are stored.
type Happening struct {
	ID        string // a UUID; the same whenever it is handed out
	Place     uint64 `json:"-"` // in the log: it rises from one event to the next
	At        muster.Instant
	Recorded  muster.Instant // when it was put into the log: later than At when it is replayed
	Type      muster.EventType
	Operation string // what happened, in the contract's word: "timed_out"

	Job       *muster.Job       `json:",omitempty"` // of EventJob
	Counts    muster.Counts     `json:",omitzero"`  // of Job, when it is completed
	Execution *muster.Execution `json:",omitempty"` // of EventJobExecution

	Thing     *muster.Thing     `json:",omitempty"` // of EventThing, its membership in Group, and with the type that it got or lost
	ThingType *muster.ThingType `json:",omitempty"` // of EventThingType
	Group     *muster.Group     `json:",omitempty"` // of EventThingGroup, its hierarchy and its members
	Above     []muster.Group    `json:",omitempty"` // of Group but for its members: the groups over it, from the root to the parent
}

// The operations of EventJob.
const (
	Completed              = "completed"
	CancellationInProgress = "cancellation_in_progress"
	Canceled               = "canceled"
	DeletionInProgress     = "deletion_in_progress"
	Deleted                = "deleted" // also of EventJobExecution
)

// enabled reports whether anybody wants events of a type, at this point of the
// batch.
func (b *batch) enabled(t muster.EventType) (bool, error) {
	wanted, err := b.wanted(t)
	return wanted != 0, err
}

// wanted returns who wants events of a type: a bit for each Sink.
func (b *batch) wanted(t muster.EventType) (sinks uint8, err error) {
	if b.e.o.Sinks.Webhook[t] {
		sinks |= 1 << Webhook
	}
	if !b.e.o.Sinks.Subscribers {
		return sinks, nil
	}
	if b.events == nil {
		c, err := eventConfig(b)
		if err != nil {
			return 0, err
		}
		b.events = &c
	}
	if b.events.Enabled(t) {
		sinks |= 1 << Subscribers
	}
	return sinks, nil
}

// tell records what the command has to tell, if anybody wants events of the type
// of h.
func (b *batch) tell(h Happening) error {
	wanted, err := b.wanted(h.Type)
	if err != nil || wanted == 0 {
		return err
	}
	h.ID, h.At = b.e.o.NewID(), b.Now
	return b.record(h, wanted)
}

// tellExecution tells that an execution ended or is deleted.
func (b *batch) tellExecution(before, after *muster.Execution) error {
	x, operation := before, Deleted
	if after != nil {
		if !after.Status.Terminal() {
			return nil
		}
		x, operation = after, strings.ToLower(after.Status.String())
	}
	if on, err := b.enabled(muster.EventJobExecution); err != nil || !on {
		return err
	}
	return b.tell(Happening{Type: muster.EventJobExecution, Operation: operation, Execution: new(*x)})
}

// tellJob tells what a change of a job means to those outside. A cancellation
// and a deletion are each told twice, even when they are done at once.
func (b *batch) tellJob(before, after muster.Job) error {
	settled := before.Status == muster.JobCanceled && before.Settling && (after.Status != muster.JobCanceled || !after.Settling)
	canceled := after.Status == muster.JobCanceled && after.Settling &&
		(before.Status != muster.JobCanceled || !before.Settling || after.ForceCanceled != before.ForceCanceled)
	turned := before.Status != after.Status
	if settled {
		if err := b.tellOfJob(Canceled, after); err != nil {
			return err
		}
	}
	switch {
	case canceled:
		return b.tellOfJob(CancellationInProgress, after)
	case turned && after.Status == muster.JobDeleting:
		return b.tellOfJob(DeletionInProgress, after)
	case turned && after.Status == muster.JobCompleted:
		return b.tellOfJob(Completed, after)
	}
	return nil
}

func (b *batch) tellOfJob(operation string, j muster.Job) error {
	if on, err := b.enabled(muster.EventJob); err != nil || !on {
		return err
	}
	h := Happening{Type: muster.EventJob, Operation: operation, Job: &j}
	if operation == Completed {
		var err error
		if h.Counts, err = b.Counts(j.ID); err != nil {
			return err
		}
	}
	return b.tell(h)
}
