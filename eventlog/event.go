// Package eventlog is the log of events: each is written in the transaction of
// what it tells, only if somebody wants it, and removed when all who want it have
// taken it. So none is lost, whenever the process stops; a sink that reads the log
// from where it had come to may get some again, with the same ID.
package eventlog

import (
	"github.com/muster-iot/muster"
)

// Event is something that fleet software asked to be told of
// (jobs-events.md). It holds copies that belong to whoever is told. The names of
// its fields are stored.
type Event struct {
	ID        string // a UUID; the same whenever it is handed out
	Place     uint64 `json:"-"` // in the log: it rises from one event to the next
	At        muster.Instant
	Recorded  muster.Instant // when it was put into the log: later than At when it is replayed
	Type      muster.EventType
	Operation Operation // what happened, in the contract's word: "timed_out"

	Job       *muster.Job       `json:",omitempty"` // of EventJob
	Counts    muster.Counts     `json:",omitzero"`  // of Job, when it is completed
	Execution *muster.Execution `json:",omitempty"` // of EventJobExecution

	Thing     *muster.Thing     `json:",omitempty"` // of EventThing, its membership in Group, and with the type that it got or lost
	ThingType *muster.ThingType `json:",omitempty"` // of EventThingType
	Group     *muster.Group     `json:",omitempty"` // of EventThingGroup, its hierarchy and its members
	Above     []muster.Group    `json:",omitempty"` // of Group but for its members: the groups over it, from the root to the parent
}

// Operation is what happened, in the contract's word.
type Operation string

// The operations of EventJob (jobs-events.md).
const (
	Completed              Operation = "completed"
	CancellationInProgress Operation = "cancellation_in_progress"
	Canceled               Operation = "canceled"
	DeletionInProgress     Operation = "deletion_in_progress"
	Deleted                Operation = "deleted" // also of EventJobExecution and of the registry's events
)

// More operations of the registry's events (registry.md section 6.7).
const (
	Created Operation = "created"
	Updated Operation = "updated"
	Added   Operation = "added"
	Removed Operation = "removed"
)
