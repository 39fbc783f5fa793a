package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// retain publishes a retained message at QoS 1 and waits for its acknowledgement.
func retain(c *mqtttest.Client, topic, payload string, expiry uint32) {
	c.Send(&packet.Publish{Topic: topic, Payload: []byte(payload), Retain: true, QoS: 1, ID: 1, Expiry: expiry, HasExpiry: expiry > 0})
	c.Expect(&packet.Puback{ID: 1})
}

// expectRetained fails the test unless a subscription to topic brings exactly the retained payload, or nothing if it is "".
func (b *bench) expectRetained(topic, payload string) (p *packet.Publish) {
	b.t.Helper()
	c := b.connect(packet.V5, "reader")
	c.Subscribe(1, topic)
	if payload != "" {
		if p = c.ExpectMessage(topic, payload); !p.Retain {
			b.t.Errorf("the retained message of %q lacks the RETAIN flag", topic)
		}
	}
	c.ExpectNothing()
	return p
}

func TestMQ61RetainedMessagesSurviveARestart(t *testing.T) {
	store := NewMemorySessions()
	b := newBench(t, Options{Sessions: store})
	pub := b.connect(packet.V5, "pub")
	properties := packet.Properties(nil).WithUser("k", "v")
	pub.Send(&packet.Publish{Topic: "zero", Payload: []byte("z"), Retain: true, Forward: properties})
	retain(pub, "one", "old", 0)
	retain(pub, "one", "new", 0)
	retain(pub, "gone", "x", 0)
	retain(pub, "gone", "", 0)
	b.stop()

	b = newBench(t, Options{Sessions: store})
	if p := b.expectRetained("zero", "z"); p.QoS != 0 || string(p.Forward) != string(properties) {
		t.Errorf("QoS %d, properties %q; want 0, %q", p.QoS, p.Forward, properties)
	}
	if p := b.expectRetained("one", "new"); p.QoS != 1 {
		t.Errorf("QoS %d, want 1", p.QoS)
	}
	b.expectRetained("gone", "")
	retain(b.connect(packet.V5, "pub"), "one", "", 0)
	b.stop()

	b = newBench(t, Options{Sessions: store})
	b.expectRetained("one", "")
}

func TestMQ61AWillIsRetainedAcrossARestart(t *testing.T) {
	store := NewMemorySessions()
	b := newBench(t, Options{Sessions: store})
	b.leave(b.connectWith(packet.V311, packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "state", Payload: []byte("lost"), Retain: true}}))
	b.stop()
	newBench(t, Options{Sessions: store}).expectRetained("state", "lost")
}

func TestMQ61PubackOfARetainedMessageWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGated()
		b := newBench(t, Options{Sessions: store})
		pub := b.connect(packet.V5, "pub")
		for _, payload := range []string{"x", ""} {
			store.set(true)
			pub.Send(&packet.Publish{Topic: "a", Payload: []byte(payload), Retain: true, QoS: 1, ID: 1})
			synctest.Wait()
			if pub.Heard() {
				t.Errorf("payload %q was acknowledged before it was durable", payload)
			}
			store.set(false)
			pub.Expect(&packet.Puback{ID: 1})
		}
		store.set(true)
		retain(pub, "a", "", 0) // nothing to forget: no wait
		store.set(false)
	})
}

func TestMQ58RetainedMessagesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemorySessions()
		stored := func() (n int) {
			store.LoadRetained(t.Context(), func(MessageRecord) error { n++; return nil })
			return n
		}
		b := newBench(t, Options{Sessions: store})
		pub := b.connect(packet.V5, "pub")
		retain(pub, "short", "x", 60)
		retain(pub, "long", "x", 600)
		retain(pub, "replaced", "x", 60)
		retain(pub, "replaced", "y", 0)
		retain(pub, "deleted", "x", 60)
		retain(pub, "deleted", "", 0)
		time.Sleep(59 * time.Second)
		b.expectRetained("short", "x")
		time.Sleep(2 * time.Second)
		b.expectRetained("short", "")
		b.expectRetained("replaced", "y")
		if got := b.expectRetained("long", "x").Expiry; got != 539 {
			t.Errorf("61 of 600 s later expiry is %d, want 539", got)
		}
		synctest.Wait()
		if got := stored(); got != 2 {
			t.Errorf("%d messages are stored, want the 2 that have not expired", got)
		}
		b.stop()
		time.Sleep(10 * time.Minute)
		b = newBench(t, Options{Sessions: store})
		b.expectRetained("long", "") // it expired while the server was away
		b.expectRetained("replaced", "y")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := stored(); got != 1 {
			t.Errorf("%d messages are stored, want 1", got)
		}
	})
}

func TestMQ61TheNumberOfRetainedMessagesIsBounded(t *testing.T) {
	store := NewMemorySessions()
	b := newBench(t, Options{Sessions: store, Limits: Limits{Retained: 3}})
	pub := b.connect(packet.V5, "pub")
	for i := range 5 {
		retain(pub, fmt.Sprint("t", i), "x", 0)
	}
	retain(pub, "t1", "y", 0) // a known topic is no new one
	check := func(want ...string) {
		t.Helper()
		for i, payload := range want {
			b.expectRetained(fmt.Sprint("t", i), payload)
		}
	}
	check("x", "y", "x", "", "")
	b.stop()

	b = newBench(t, Options{Sessions: store, Limits: Limits{Retained: 1}}) // a lower limit loses nothing
	check("x", "y", "x", "", "")
	pub = b.connect(packet.V5, "pub")
	retain(pub, "t3", "x", 0)
	for i := range 3 {
		retain(pub, fmt.Sprint("t", i), "", 0)
	}
	retain(pub, "t4", "x", 0)
	check("", "", "", "", "x")
}
