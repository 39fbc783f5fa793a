// Package eventlog is the log of events (jobs-events.md). An event is written in the
// transaction of the change that it reports, once for each sink that wants events of its
// type, and is removed when the sink has taken it. So no event is lost, whenever the
// process stops. A sink that stops between delivering events and noting that may get them
// again, with the same ID.
//
// Each event has a place, a text. The log is in the order of places: by the instant of
// the transaction, then by the run of a process that recorded the event, then by a number
// that rises from event to event. The instant of a store that several processes share is that of
// its own clock, to the microsecond. So no transaction needs to know what other processes
// record. What a sink has taken is what is not there any more, and not what is before a
// place.
//
// Sinks are outside of this package (events, webhook); they read the log with Events and
// say with Taken what they are done with. Events that the webhook refuses for good become
// dead letters.
package eventlog

import (
	"encoding/json"

	"github.com/muster-iot/muster"
)

// Event is a change that fleet software asked to be told of (jobs-events.md). It holds
// copies, which belong to the receiver. The names of its fields are stored.
type Event struct {
	ID        string         // a UUID; the same each time it is delivered
	Place     string         `json:"-"` // in the log; "" before it is recorded
	At        muster.Instant // of the change
	Recorded  muster.Instant // when it was written into the log: later than At if it is replayed
	Type      muster.EventType
	Operation Operation // what happened, in the contract's word: "timed_out"

	Job       *muster.Job       `json:",omitempty"` // of EventJob
	Counts    muster.Counts     `json:",omitzero"`  // of Job, when it is completed
	Execution *muster.Execution `json:",omitempty"` // of EventJobExecution

	Thing     *muster.Thing     `json:",omitempty"` // of EventThing, its membership in Group, and with the type that it got or lost
	ThingType *muster.ThingType `json:",omitempty"` // of EventThingType
	Group     *muster.Group     `json:",omitempty"` // of EventThingGroup, its hierarchy and its members
	Above     []muster.Group    `json:",omitempty"` // of Group but for its members: the groups over it, from the root to the parent

	Subject string          `json:",omitempty"` // of EventAudit: the id of the request that it is about
	Audit   json.RawMessage `json:",omitempty"` // of EventAudit: the record, as receivers get it
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

// Recorded is the operation of EventAudit.
const Recorded Operation = "recorded"
