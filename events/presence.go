package events

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/hostport"
)

// presencePayload is the event of a client that connected or disconnected
// (mqtt-broker.md section 10).
type presencePayload struct {
	ClientID   string `json:"clientId"`
	ThingName  string `json:"thingName,omitempty"`
	Timestamp  int64  `json:"timestamp"`
	EventType  string `json:"eventType"`
	Session    string `json:"sessionIdentifier"`
	Principal  string `json:"principalIdentifier"`
	IPAddress  string `json:"ipAddress,omitempty"`
	Version    uint64 `json:"versionNumber"`
	ByClient   *bool  `json:"clientInitiatedDisconnect,omitempty"`
	WhyItEnded string `json:"disconnectReason,omitempty"`
}

// Presence publishes that a client connected or disconnected (mqtt-broker.md
// section 10). It fits gateway.Options.Presence and never waits.
func (p *Publisher) Presence(x gateway.Presence) {
	what := "disconnected"
	if x.Connected {
		what = "connected"
	}
	topic, wanted := p.lifeCycle("presence", what, x.Client.ClientID)
	if !wanted {
		return
	}
	event := presencePayload{
		ClientID: x.Client.ClientID, ThingName: exclusiveThing(x.Grant), Timestamp: x.Time.UnixMilli(), EventType: what,
		Session: x.Session, Principal: x.Grant.Principal(), IPAddress: hostport.Host(x.Client.Peer.Addr), Version: x.Version,
	}
	if !x.Connected {
		event.ByClient, event.WhyItEnded = new(x.Cause == gateway.ClientInitiated), string(x.Cause)
	}
	p.offer(topic, event)
}

// subscriptionsPayload is the event of a client that subscribed or unsubscribed.
type subscriptionsPayload struct {
	ClientID  string   `json:"clientId"`
	ThingName string   `json:"thingName,omitempty"`
	Timestamp int64    `json:"timestamp"`
	EventType string   `json:"eventType"`
	Session   string   `json:"sessionIdentifier"`
	Principal string   `json:"principalIdentifier"`
	Topics    []string `json:"topics"`
}

// Interest publishes that a client subscribed or unsubscribed (mqtt-broker.md
// section 10). It fits gateway.Options.Interest and never waits.
func (p *Publisher) Interest(x gateway.Interest) {
	what := "unsubscribed"
	if x.Subscribed {
		what = "subscribed"
	}
	topic, wanted := p.lifeCycle("subscriptions", what, x.ClientID)
	if !wanted {
		return
	}
	p.offer(topic, subscriptionsPayload{
		ClientID: x.ClientID, ThingName: exclusiveThing(x.Grant), Timestamp: x.Time.UnixMilli(), EventType: what,
		Session: x.Session, Principal: x.Grant.Principal(), Topics: x.Topics,
	})
}

// lifeCycle returns the topic of a life-cycle event and whether it has a subscriber.
func (p *Publisher) lifeCycle(family, what, client string) (topic string, wanted bool) {
	topic = "$aws/events/" + family + "/" + what + "/" + client
	return topic, p.o.Broker.Wanted(topic)
}

// exclusiveThing returns the only thing that the connection's certificate may be
// attached to, or "" when there is none (MQ-90).
func exclusiveThing(g gateway.Grant) string {
	device, ok := g.(interface {
		Thing() muster.ThingName
		Exclusive() bool
	})
	if !ok || !device.Exclusive() {
		return ""
	}
	return string(device.Thing())
}
