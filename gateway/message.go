package gateway

import (
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// message is one published message on its way; it is shared by all its receivers and never changed.
type message struct {
	topic   string
	payload []byte
	forward packet.Properties
	expires time.Time // zero: never
	latest  bool      // for a client that is away, only the newest of its topic is kept (MQ-55)
	origin  origin    // zero at QoS 0, and on a server that is alone
}

// size is what the message counts for in a queue.
func (m *message) size() int { return len(m.topic) + len(m.payload) + len(m.forward) + 64 }

func (m *message) expired(now time.Time) bool { return !m.expires.IsZero() && !now.Before(m.expires) }

// packet returns the PUBLISH that carries the message at the instant now.
func (m *message) packet(now time.Time) packet.Publish {
	p := packet.Publish{Topic: m.topic, Payload: m.payload, Forward: m.forward}
	if !m.expires.IsZero() {
		left := (m.expires.Sub(now) + time.Second - 1) / time.Second // whole seconds, never 0 before it has expired
		p.Expiry, p.HasExpiry = uint32(max(left, 1)), true
	}
	return p
}

// expiryTime returns when a message that lives for the given seconds expires (MQ-58).
func expiryTime(now time.Time, seconds uint32) time.Time {
	return now.Add(time.Duration(min(max(seconds, 1), messageExpiryTo)) * time.Second)
}

// delivery is a message on its way to one session at QoS 1.
type delivery struct {
	*message
	id     uint16 // its packet id once it was sent
	retain bool
	direct bool   // a direct reply: dies with the connection (MQ-75)
	stored uint64 // its number in the SessionStore; 0 when it is not there
}
