package gateway

import (
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/uuid"
)

// Presence tells that a client came or went (MQ-90 to MQ-93).
type Presence struct {
	Connected bool
	Time      time.Time
	Client    Connect // without the certificate, of which the grant keeps what it needs
	Grant     Grant
	Session   string        // UUID of this connection
	Version   uint64        // rises with each connection of the client; equal in the two events of one connection
	Epoch     uint64        // Version, if it orders the connections of the client with all servers there are; 0 on a server that is alone
	Cause     Cause         // why it went; None on connect
	Keeps     time.Duration // how long the session keeps messages from now on; 0 on connect, and if it keeps none
}

// Receipt tells that a message of which only the newest on its topic is wanted (Message.Latest) was sent to a connected client, or
// that the client has acknowledged it.
type Receipt struct {
	Topic        string
	Payload      []byte // must not be changed
	Acknowledged bool
}

// tellReceipt reports what has become of a message.
func (s *Server) tellReceipt(m *message, acknowledged bool) {
	if m.latest && s.o.Receipt != nil {
		s.o.Receipt(Receipt{m.topic, m.payload, acknowledged})
	}
}

// Interest tells that a client subscribed or unsubscribed (mqtt-broker.md section 10).
type Interest struct {
	Subscribed bool
	Time       time.Time
	ClientID   string
	Grant      Grant
	Session    string   // UUID of the connection
	Topics     []string // the filters that were granted or removed; at least one
}

// tellPresence reports that a client came or went.
func (s *Server) tellPresence(c *conn, connected bool, cause Cause, keeps time.Duration) {
	if s.o.Presence == nil {
		return
	}
	s.o.Presence(Presence{
		Connected: connected,
		Time:      time.Now(),
		Client:    *c.hello,
		Grant:     c.grant.unguarded,
		Session:   uuid.Format(c.life, 4),
		Version:   c.visit,
		Epoch:     c.epoch,
		Cause:     cause,
		Keeps:     keeps,
	})
}

// tellInterest reports which of the filters of a packet were granted or removed.
func (s *Server) tellInterest(c *conn, subscribed bool, reasons []packet.Reason, filter func(i int) string) {
	if s.o.Interest == nil {
		return
	}
	topics := make([]string, 0, len(reasons))
	for i, reason := range reasons {
		if reason <= packet.GrantedQoS1 {
			topics = append(topics, filter(i))
		}
	}
	if len(topics) == 0 {
		return
	}
	s.o.Interest(Interest{
		Subscribed: subscribed,
		Time:       time.Now(),
		ClientID:   c.session.client,
		Grant:      c.grant.unguarded,
		Session:    uuid.Format(c.life, 4),
		Topics:     topics,
	})
}
