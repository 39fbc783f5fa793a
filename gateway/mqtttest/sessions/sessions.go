// Package sessions tests an MQTT server, over the network and with raw packets, for what brokers are known to get wrong about
// sessions: messages that are lost, doubled, reordered or sent too early when clients are slow, away or back. It needs only the
// address of the server, so the same tests can run against another broker as a control. It is not for use outside of tests.
package sessions

import (
	"crypto/rand"
	"net"
	"testing"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// Root is the topic below which all topics of the tests are. The server must let any client publish and subscribe there, and
// should let none do so elsewhere.
const Root = "sessions"

// window is how many publishes the tests leave unacknowledged: every server takes that many.
const window = 20

var (
	both = []byte{packet.V311, packet.V5}
	five = []byte{packet.V5}
)

// tests are in the order in which people want to read about them.
var tests = []struct {
	name     string
	versions []byte
	run      func(*room)
}{
	{"UnacknowledgedIsSentAgainOnReconnect", both, unacknowledgedIsSentAgain},
	{"AcknowledgedIsNotSentAgain", both, acknowledgedIsNotSentAgain},
	{"PublishWithTheIDOfAnUnacknowledgedMessage", both, publishWithTheSameID},
	{"SubscribeWithTheIDOfAnUnacknowledgedMessage", both, subscribeWithTheSameID},
	{"NinetyQueuedMessagesComeInOrder", both, queuedMessagesComeInOrder},
	{"NothingIsQueuedForACleanSession", both, nothingIsQueuedForACleanSession},
	{"ReceiveMaximumOnline", five, receiveMaximumOnline},
	{"ReceiveMaximumOnResume", five, receiveMaximumOnResume},
	{"BurstOf900ToAReadingClient", both, burstToAReadingClient},
	{"TakeoverContinuesTheSession", both, takeoverContinuesTheSession},
	{"TakeoverIsToldTheOldClient", both, takeoverIsToldTheOldClient},
	{"TakeoverOfAClientWhoseSocketIsFull", both, takeoverOfAFullSocket},
	{"PacketsBehindConnect", both, packetsBehindConnect},
	{"KeepAliveOf43691Seconds", both, longKeepAlive},
	{"AliasAloneStandsForItsTopic", five, aliasAlone},
	{"WillOfALostClient", both, willOfALostClient},
	{"RetainedMessage", both, retainedMessage},
	{"SilentConnectionIsClosed", both[:1], silentConnectionIsClosed},
	{"ProfileRetainedOnlyForExactFilters", both, retainedOnlyForExactFilters},
	{"ProfileHashDoesNotMatchTheParent", both, hashDoesNotMatchTheParent},
	{"ProfileQoS2IsRefused", both, qos2IsRefused},
	{"ProfileEightFiltersAtMost", both, eightFiltersAtMost},
}

// Run runs all tests, as parallel subtests, on the server that dial reaches.
func Run(t *testing.T, dial func() (net.Conn, error)) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range test.versions {
				t.Run(map[byte]string{packet.V311: "3.1.1", packet.V5: "5"}[v], func(t *testing.T) {
					t.Parallel()
					test.run(&room{T: t, dial: dial, version: v, name: rand.Text()})
				})
			}
		})
	}
}

// room is the part of the server for one test: client ids and topics that no other test uses.
type room struct {
	*testing.T
	dial    func() (net.Conn, error)
	version byte
	name    string
}

func (r *room) topic(name string) string { return Root + "/" + r.name + "/" + name }

// open opens a connection that is closed when the test ends.
func (r *room) open() net.Conn {
	r.Helper()
	c, err := r.dial()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	return c
}

// connect connects a client as p says, under an id that only this room uses.
func (r *room) connect(p packet.Connect) (*mqtttest.Client, *packet.Connack) {
	r.Helper()
	c := mqtttest.New(r, r.open(), r.version)
	p.ClientID = r.name + "-" + p.ClientID
	ack := c.Connect(p)
	if ack.Reason != packet.Success {
		r.Fatalf("CONNECT of %q was refused: %v", p.ClientID, ack.Reason)
	}
	return c, ack
}

// visitor connects a client with a clean session.
func (r *room) visitor(client string) *mqtttest.Client {
	r.Helper()
	c, _ := r.connect(packet.Connect{ClientID: client, Clean: true})
	return c
}

// lamp connects the client with a session that lasts, which is or is not there. properties are added for MQTT 5.
func (r *room) lamp(present bool, properties packet.Properties) *mqtttest.Client {
	r.Helper()
	c, ack := r.connect(packet.Connect{ClientID: "lamp", Properties: properties.WithInt(packet.SessionExpiry, 600)})
	if ack.SessionPresent != present {
		r.Fatalf("session present %v, want %v", ack.SessionPresent, present)
	}
	return c
}

// leave sends a DISCONNECT and returns when the server has closed the connection.
func (r *room) leave(c *mqtttest.Client) {
	r.Helper()
	c.Send(&packet.Disconnect{})
	c.ExpectClosed()
}

// say publishes at QoS 1 as a new client and returns when all is acknowledged.
func (r *room) say(topic string, payloads ...string) {
	r.Helper()
	c := r.visitor("speaker")
	for i, payload := range payloads {
		c.Send(&packet.Publish{Topic: topic, Payload: []byte(payload), QoS: 1, ID: uint16(i + 1)})
		if i >= window {
			r.expectPuback(c, uint16(i+1-window))
		}
	}
	for i := max(0, len(payloads)-window); i < len(payloads); i++ {
		r.expectPuback(c, uint16(i+1))
	}
	r.leave(c)
}

// expectPuback expects a PUBACK without an error. It may say that there are no subscribers.
func (r *room) expectPuback(c *mqtttest.Client, id uint16) {
	r.Helper()
	p := c.Next()
	if ack, ok := p.(*packet.Puback); !ok || ack.ID != id || ack.Reason >= 0x80 {
		r.Fatalf("got %T %+v, want the PUBACK of %d", p, p, id)
	}
}
