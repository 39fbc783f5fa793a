package muster

// EventType is a family of events that fleet software can subscribe to
// (jobs-events.md section 1). The values are stored, so they must never change.
type EventType uint8

// The eleven types.
const (
	EventCACertificate EventType = iota
	EventCertificate
	EventJob
	EventJobExecution
	EventPolicy
	EventThing
	EventThingGroup
	EventThingGroupHierarchy
	EventThingGroupMembership
	EventThingType
	EventThingTypeAssociation
)

// EventAudit is a type of Muster's own: a change or an attempt by a person or a key was recorded. Only the webhook can ask
// for it.
const EventAudit = EventThingTypeAssociation + 1

var eventTypeNames = [...]string{
	"CA_CERTIFICATE", "CERTIFICATE", "JOB", "JOB_EXECUTION", "POLICY", "THING", "THING_GROUP",
	"THING_GROUP_HIERARCHY", "THING_GROUP_MEMBERSHIP", "THING_TYPE", "THING_TYPE_ASSOCIATION",
	"MUSTER_AUDIT",
}

// EventTypes lists the eleven types of the contract in order.
func EventTypes() []EventType {
	all := make([]EventType, EventAudit)
	for i := range all {
		all[i] = EventType(i)
	}
	return all
}

// String returns the word for t, which is the contract's for its own types.
func (t EventType) String() string { return eventTypeNames[t] }

// ParseEventType returns the EventType that word names.
func ParseEventType(word string) (EventType, bool) { return byName[EventType](eventTypeNames[:], word) }

// EventConfig says which events are published. The zero EventConfig publishes none:
// it is the configuration until an operator sets one.
type EventConfig struct {
	On        uint16 // bit t is set for EventType t; use Enabled
	CreatedAt Instant
	UpdatedAt Instant
}

// Enabled reports whether events of type t are published.
func (c EventConfig) Enabled(t EventType) bool { return c.On&(1<<t) != 0 }

// With returns c with the types in change switched on or off at the instant now.
// The other types keep their setting.
func (c EventConfig) With(change map[EventType]bool, now Instant) EventConfig {
	for t, on := range change {
		c.On &^= 1 << t
		if on {
			c.On |= 1 << t
		}
	}
	if c.CreatedAt == 0 {
		c.CreatedAt = now
	}
	c.UpdatedAt = now
	return c
}
