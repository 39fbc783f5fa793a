package events

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
)

// plain is the grant of a client without a thing.
type plain struct{}

func (plain) Principal() string          { return "someone" }
func (plain) Publish(string, bool) error { return nil }
func (plain) Subscribe(string) error     { return nil }
func (plain) Receive(string) bool        { return true }

// bound is the grant of a certificate that is attached to a thing.
type bound struct {
	plain
	exclusive bool
}

func (bound) Thing() muster.ThingName { return "kitchen-lamp" }
func (b bound) Exclusive() bool       { return b.exclusive }

const session = "a4666d2a-7d84-4ae4-ac5d-7b38c9cb7967"

func TestPresenceEvents(t *testing.T) {
	at := time.UnixMilli(1573002230757)
	client := gateway.Connect{ClientID: "lamp", Peer: gateway.Peer{Addr: "192.0.2.1:4711"}}
	for name, test := range map[string]struct {
		told gateway.Presence
		want []string
	}{
		"a client came": {
			gateway.Presence{Connected: true, Time: at, Client: client, Grant: plain{}, Session: session},
			[]string{`$aws/events/presence/connected/lamp 0 {"clientId":"lamp","timestamp":1573002230757,"eventType":"connected","sessionIdentifier":"` + session + `","principalIdentifier":"someone","ipAddress":"192.0.2.1","versionNumber":0}`},
		},
		"a client said good-bye": {
			gateway.Presence{Time: at, Client: client, Grant: plain{}, Session: session, Version: 7, Cause: gateway.ClientInitiated},
			[]string{`$aws/events/presence/disconnected/lamp 0 {"clientId":"lamp","timestamp":1573002230757,"eventType":"disconnected","sessionIdentifier":"` + session + `","principalIdentifier":"someone","ipAddress":"192.0.2.1","versionNumber":7,"clientInitiatedDisconnect":true,"disconnectReason":"CLIENT_INITIATED_DISCONNECT"}`},
		},
		"a client was lost, whose certificate is bound to a thing (MQ-90)": {
			gateway.Presence{Time: at, Client: client, Grant: bound{exclusive: true}, Session: session, Version: 7, Cause: gateway.ConnectionLost},
			[]string{`$aws/events/presence/disconnected/lamp 0 {"clientId":"lamp","thingName":"kitchen-lamp","timestamp":1573002230757,"eventType":"disconnected","sessionIdentifier":"` + session + `","principalIdentifier":"someone","ipAddress":"192.0.2.1","versionNumber":7,"clientInitiatedDisconnect":false,"disconnectReason":"CONNECTION_LOST"}`},
		},
		"a certificate that may have other things names none": {
			gateway.Presence{Connected: true, Time: at, Client: client, Grant: bound{}, Session: session},
			[]string{`$aws/events/presence/connected/lamp 0 {"clientId":"lamp","timestamp":1573002230757,"eventType":"connected","sessionIdentifier":"` + session + `","principalIdentifier":"someone","ipAddress":"192.0.2.1","versionNumber":0}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &board{}
			p := New(Options{Broker: b, Events: &notebook{}, Account: account})
			if got := b.run(t, p, func() { p.Presence(test.told) }); !slices.Equal(got, test.want) {
				t.Errorf("published\n  %s\nwant\n  %s", got, test.want)
			}
		})
	}
}

func TestSubscriptionEvents(t *testing.T) {
	b := &board{}
	p := New(Options{Broker: b, Events: &notebook{}, Account: account})
	told := gateway.Interest{Subscribed: true, Time: time.UnixMilli(1573002230757), ClientID: "lamp", Grant: plain{}, Session: session, Topics: []string{"a/+", "b"}}
	got := b.run(t, p, func() {
		p.Interest(told)
		told.Subscribed, told.Topics = false, []string{"b"}
		p.Interest(told)
	})
	want := []string{
		`$aws/events/subscriptions/subscribed/lamp 0 {"clientId":"lamp","timestamp":1573002230757,"eventType":"subscribed","sessionIdentifier":"` + session + `","principalIdentifier":"someone","topics":["a/+","b"]}`,
		`$aws/events/subscriptions/unsubscribed/lamp 0 {"clientId":"lamp","timestamp":1573002230757,"eventType":"unsubscribed","sessionIdentifier":"` + session + `","principalIdentifier":"someone","topics":["b"]}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("published\n  %s\nwant\n  %s", got, want)
	}
}

func TestRegisteredEvent(t *testing.T) {
	b := &board{}
	p := New(Options{Broker: b, Events: &notebook{}, Account: account})
	c := muster.Certificate{ID: "c0ffee", CA: "ca5e", Status: muster.CertificatePendingActivation, CreatedAt: 1573002230757}
	got := b.run(t, p, func() { p.Registered(c) })
	want := []string{`$aws/events/certificates/registered/ca5e 1 {"certificateId":"c0ffee","caCertificateId":"ca5e","timestamp":1573002230757,"certificateStatus":"PENDING_ACTIVATION","awsAccountId":"111122223333","certificateRegistrationTimestamp":"1573002230757"}`}
	if !slices.Equal(got, want) {
		t.Errorf("published\n  %s\nwant\n  %s", got, want)
	}
	b.unwanted = "$aws/events/certificates/registered/ca5e"
	if got := b.run(t, p, func() { p.Registered(c) }); got != nil {
		t.Errorf("published %s, which nobody wants", got)
	}
}
