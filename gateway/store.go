package gateway

import (
	"context"
	"time"
)

// SessionStore keeps persistent sessions (MQ-57) and retained messages (MQ-61) across restarts. The contract is executed by
// package sessiontest.
//
// The gateway holds all of them in memory and mirrors their changes to the store: it loads once, then only writes. A store
// belongs to one Server at a time, unless it is a SharedSessions.
type SessionStore interface {
	// Load calls each for every stored session, in any order, with its messages in rising order of Number, and stops at the
	// first error. What each is given belongs to it.
	Load(ctx context.Context, each func(StoredSession) error) error
	// LoadRetained calls each for every retained message, in any order, one for each topic, and stops at the first error.
	// What each is given belongs to it.
	LoadRetained(ctx context.Context, each func(MessageRecord) error) error
	// Write applies changes in their order, all or none, and returns nil only when they will survive a crash. The gateway calls
	// it again with the same changes after an error, so applying a change twice must be the same as once. Dropping what
	// is not there is no error; adding a message to an unknown session is none either and has no effect.
	Write(ctx context.Context, changes []Change) error
}

// ChangeKind says what a Change does.
type ChangeKind byte

// The kinds of change.
const (
	PutSession   ChangeKind = iota + 1 // Session replaces all of the client's session but its messages
	DropSession                        // the client's session and messages are gone
	AddMessage                         // Message is added under Number, replacing what had that number
	DropMessage                        // the message Number is gone
	PutRetained                        // Message replaces the retained message of its topic
	DropRetained                       // the retained message of Message.Topic is gone
	Release                            // DropSession, and the client's hold is gone too
)

// Change is one change of one client's stored session, or of one topic's retained message.
type Change struct {
	Kind    ChangeKind
	Client  string        // but for PutRetained, DropRetained
	Session SessionRecord // PutSession
	Number  uint64        // AddMessage, DropMessage
	Message MessageRecord // AddMessage, PutRetained; DropRetained: its topic alone, and its revision if only that one is to go
	Epoch   uint64        // of the hold by which the client's session is changed; 0 for a server that is alone

	turn   uint64 // of a retained message among those of its topic here
	origin origin // of an added message
}

// StoredSession is a session with its messages as Load finds them.
type StoredSession struct {
	Client   string
	Session  SessionRecord
	Messages []NumberedMessage
}

// NumberedMessage is a stored message and its number.
type NumberedMessage struct {
	Number  uint64
	Message MessageRecord
}

// SessionRecord is what is stored of a session, messages apart. Records are wire formats: a field once stored keeps its
// name and meaning.
type SessionRecord struct {
	Version       byte                 `json:"version"` // MQTT protocol level
	Principal     string               `json:"principal"`
	Expiry        time.Duration        `json:"expiry"`
	Away          time.Time            `json:"away,omitzero"` // since when its client is away; zero while connected
	Subscriptions []SubscriptionRecord `json:"subscriptions"`
}

// SubscriptionRecord is one stored subscription.
type SubscriptionRecord struct {
	Filter            string `json:"filter"`
	QoS               byte   `json:"qos"`
	NoLocal           bool   `json:"noLocal,omitempty"`
	RetainAsPublished bool   `json:"retainAsPublished,omitempty"`
}

// MessageRecord is one stored message.
type MessageRecord struct {
	Topic      string    `json:"topic"`
	Payload    []byte    `json:"payload"`
	QoS        byte      `json:"qos,omitempty"` // of a retained message; those of sessions are at QoS 1 and leave it 0
	Retain     bool      `json:"retain,omitempty"`
	Latest     bool      `json:"latest,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`
	Properties []byte    `json:"properties,omitempty"`
	Modified   time.Time `json:"modified,omitzero"` // of a retained message: when it was published
	Revision   uint64    `json:"rev,omitempty"`     // of a retained message that several servers may write: rises with each write of its topic
}
