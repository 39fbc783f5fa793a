package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// lasting is a CONNECT for a session of an hour, in either version.
func lasting(client string) packet.Connect {
	return packet.Connect{ClientID: client, Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 3600)}
}

// resume connects with a lasting session and checks whether it was there.
func (b *bench) resume(version byte, client string, present bool) *mqtttest.Client {
	b.t.Helper()
	c := b.open(version)
	if ack := c.Connect(lasting(client)); ack.SessionPresent != present || ack.Reason != packet.Success {
		b.t.Fatalf("CONNECT of %q: %v, session present %v, want %v", client, ack.Reason, ack.SessionPresent, present)
	}
	return c
}

// leave closes the connection and waits until the server has noticed.
func (b *bench) leave(c *mqtttest.Client) {
	b.t.Helper()
	before := b.Stats().Connections
	c.Close()
	for b.Stats().Connections == before {
		time.Sleep(time.Millisecond)
	}
}

func (b *bench) say(topic, payload string) {
	b.Publish(Message{Topic: topic, Payload: []byte(payload), QoS: 1}, nil)
}

func TestMQ11And51APersistentSessionIsResumed(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a")
		b.say("a", "unacknowledged")
		first := c.ExpectUnacknowledged("a", "unacknowledged")
		b.leave(c)
		b.say("a", "one")
		b.Publish(Message{Topic: "a", Payload: []byte("QoS 0")}, nil) // not for who is away
		b.say("a", "two")
		c = b.resume(v, "lamp", true)
		again := c.ExpectMessage("a", "unacknowledged")
		if !again.Dup || again.ID != first.ID {
			t.Errorf("sent again with id %d, dup %v; want id %d, dup true", again.ID, again.Dup, first.ID)
		}
		c.ExpectMessage("a", "one")
		c.ExpectMessage("a", "two")
		c.ExpectNothing()
		b.say("a", "live")
		c.ExpectMessage("a", "live")
		b.leave(c)
		b.resume(v, "lamp", true).ExpectNothing()
	})
}

func TestMQ8ATakeoverContinuesThePersistentSession(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		old := b.resume(v, "lamp", false)
		old.Subscribe(1, "a")
		b.say("a", "x")
		old.ExpectUnacknowledged("a", "x")
		fresh := b.resume(v, "lamp", true)
		old.ExpectDisconnect(packet.SessionTakenOver)
		fresh.ExpectMessage("a", "x")
		b.say("a", "y")
		fresh.ExpectMessage("a", "y")
	})
}

func TestMQ12AnotherVersionDoesNotResume(t *testing.T) {
	b := newBench(t, Options{})
	c := b.resume(packet.V311, "lamp", false)
	c.Subscribe(1, "a")
	b.leave(c)
	c = b.resume(packet.V5, "lamp", false)
	b.say("a", "x")
	c.ExpectNothing()
	if got := b.Stats().Subscriptions; got != 0 {
		t.Errorf("%d subscriptions left of the old session", got)
	}
}

func TestASessionBelongsToItsPrincipal(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a")
		b.leave(c)
		b.say("a", "secret")
		thief := b.openAs(v, Peer{Principal: "thief"})
		if thief.Connect(lasting("lamp")).SessionPresent {
			t.Error("another principal got the session")
		}
		thief.ExpectNothing()
	})
}

func TestFiltersAreAuthorisedAnewOnResume(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a", "b")
		b.leave(c)
		b.say("a", "queued before")
		b.say("b", "queued too")
		b.policy.deny("subscribe a", "receive a")
		c = b.resume(v, "lamp", true)
		c.ExpectMessage("b", "queued too")
		b.say("a", "x")
		b.say("b", "y")
		c.ExpectMessage("b", "y")
		c.ExpectNothing()
	})
}

func TestMQ50CleanDiscardsThePersistentSession(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a")
		b.leave(c)
		b.say("a", "x")
		c = b.connect(v, "lamp")
		c.ExpectNothing()
		b.leave(c)
		b.resume(v, "lamp", false).ExpectNothing()
	})
}

func TestMQ52And53SessionsExpire(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{})
			c := b.resume(v, "lamp", false)
			c.Subscribe(1, "a")
			time.Sleep(20 * time.Minute) // counted from the end of the connection
			c.ExpectNothing()
			b.leave(c)
			time.Sleep(time.Hour - time.Minute)
			c = b.resume(v, "lamp", true)
			b.leave(c)
			time.Sleep(time.Hour + time.Minute)
			if got := b.Stats(); got.Sessions != 0 || got.Subscriptions != 0 {
				t.Errorf("after it expired: %d sessions, %d subscriptions", got.Sessions, got.Subscriptions)
			}
			b.resume(v, "lamp", false)
		})
	})
}

func TestMQ52SessionExpiryIsCapped(t *testing.T) {
	for asked, want := range map[uint32]uint32{10: 10, 3600: 3600, 3601: 3600, 1<<32 - 1: 3600} {
		b := newBench(t, Options{})
		ack := b.open(packet.V5).Connect(packet.Connect{ClientID: "lamp", Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, asked)})
		if got := ack.Properties.Int(packet.SessionExpiry, asked); got != want {
			t.Errorf("asked for %d s: CONNACK says %d, want %d", asked, got, want)
		}
	}
	if got := (Limits{SessionExpiry: 365 * 24 * time.Hour}).withDefaults().SessionExpiry; got != 7*24*time.Hour {
		t.Errorf("a year configured becomes %v, want the hard cap of 7 days", got)
	}
}

func TestMQ52DisconnectMayChangeTheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		bye := func(seconds uint32) *packet.Disconnect {
			return &packet.Disconnect{Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, seconds)}
		}
		c := b.resume(packet.V5, "lamp", false)
		c.Send(bye(60))
		c.ExpectClosed()
		time.Sleep(50 * time.Second)
		c = b.resume(packet.V5, "lamp", true)
		c.Send(bye(60))
		c.ExpectClosed()
		time.Sleep(70 * time.Second)
		c = b.resume(packet.V5, "lamp", false)
		c.Send(bye(0))
		c.ExpectClosed()
		c = b.resume(packet.V5, "lamp", false)
		c.Send(&packet.Disconnect{})
		c.ExpectClosed()

		c = b.connect(packet.V5, "other")
		c.Send(bye(60))
		c.ExpectDisconnect(packet.ProtocolError)
	})
}

func TestMQ54ReplayRespectsTheWindowAndTheOrder(t *testing.T) {
	b := newBench(t, Options{})
	c := b.resume(packet.V5, "lamp", false)
	c.Subscribe(1, "a")
	for i := range 3 {
		b.say("a", fmt.Sprint(i))
		c.ExpectUnacknowledged("a", fmt.Sprint(i))
	}
	b.leave(c)
	for i := 3; i < 90; i++ {
		b.say("a", fmt.Sprint(i))
	}
	c = b.open(packet.V5)
	p := lasting("lamp")
	p.Properties = p.Properties.WithInt(packet.ReceiveMaximum, 1)
	c.Connect(p)
	for i := range 90 {
		m := c.ExpectUnacknowledged("a", fmt.Sprint(i))
		if i%30 == 0 {
			c.ExpectNothing() // one at a time
		}
		if m.Dup != (i < 3) {
			t.Errorf("message %d: dup %v", i, m.Dup)
		}
		c.Send(&packet.Puback{ID: m.ID})
	}
	c.ExpectNothing()
}

func TestMQ55TheQueueOfWhoIsAwayIsBounded(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Limits: Limits{QueueMessages: 10, QueueBytes: 5000}})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a")
		b.leave(c)
		for i := range 25 {
			b.say("a", fmt.Sprint(i))
		}
		c = b.resume(v, "lamp", true)
		for i := 15; i < 25; i++ {
			c.ExpectMessage("a", fmt.Sprint(i))
		}
		c.ExpectNothing()
		b.leave(c)
		for i := range 5 {
			b.say("a", string(make([]byte, 2000+i)))
		}
		c = b.resume(v, "lamp", true)
		c.ExpectMessage("a", string(make([]byte, 2003)))
		c.ExpectMessage("a", string(make([]byte, 2004)))
		c.ExpectNothing()
		if got := b.Stats().DroppedQueue; got != 15+3 {
			t.Errorf("%d drops counted, want 18", got)
		}
	})
}

func TestMQ55OnlyTheNewestNotifyWaits(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		notify := func(topic, payload string) {
			b.Publish(Message{Topic: topic, Payload: []byte(payload), QoS: 1, Latest: true}, nil)
		}
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "notify", "notify-next", "log")
		notify("notify", "live 1")
		notify("notify", "live 2") // a client that is there gets each
		c.ExpectMessage("notify", "live 1")
		c.ExpectMessage("notify", "live 2")
		b.leave(c)
		for i := range 4 {
			notify("notify", fmt.Sprint("n", i))
			notify("notify-next", fmt.Sprint("x", i))
			b.say("log", fmt.Sprint("l", i))
		}
		c = b.resume(v, "lamp", true)
		for _, want := range []string{"l0", "l1", "l2"} {
			c.ExpectMessage("log", want)
		}
		c.ExpectMessage("notify", "n3")
		c.ExpectMessage("notify-next", "x3")
		c.ExpectMessage("log", "l3")
		c.ExpectNothing()
	})
}

func TestMQ56NothingIsSentAgainOnALiveConnection(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{})
			c := b.resume(v, "lamp", false)
			c.Subscribe(1, "a")
			b.say("a", "x")
			c.ExpectUnacknowledged("a", "x")
			for range 20 {
				time.Sleep(20 * time.Minute)
				c.ExpectNothing()
			}
		})
	})
}

func TestMQ58ExpiredMessagesAreNotReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		c := b.resume(packet.V5, "lamp", false)
		c.Subscribe(1, "a")
		b.leave(c)
		b.Publish(Message{Topic: "a", Payload: []byte("short"), QoS: 1, Expiry: time.Minute}, nil)
		b.Publish(Message{Topic: "a", Payload: []byte("long"), QoS: 1, Expiry: 20 * time.Minute}, nil)
		time.Sleep(10 * time.Minute)
		c = b.resume(packet.V5, "lamp", true)
		if got := c.ExpectMessage("a", "long").Expiry; got != 600 {
			t.Errorf("expiry %d, want the 600 s that are left", got)
		}
		c.ExpectNothing()
	})
}

func TestMQ57SessionsSurviveARestart(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		store := NewMemorySessions()
		b := newBench(t, Options{Sessions: store})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a", "gone")
		c.Subscribe(1, "b/+")
		c.Send(&packet.Unsubscribe{ID: 1, Filters: []string{"gone"}})
		c.Next()
		clean := b.connect(v, "clean")
		clean.Subscribe(1, "a")
		b.say("a", "acknowledged")
		c.ExpectMessage("a", "acknowledged")
		b.say("a", "unacknowledged")
		c.ExpectUnacknowledged("a", "unacknowledged")
		b.leave(c)
		b.say("b/c", "queued")
		b.stop()

		b = newBench(t, Options{Sessions: store})
		if got := b.Stats(); got.Sessions != 1 || got.Subscriptions != 2 {
			t.Errorf("after the restart: %d sessions, %d subscriptions; want 1, 2", got.Sessions, got.Subscriptions)
		}
		b.say("a", "meanwhile")
		c = b.resume(v, "lamp", true)
		c.ExpectMessage("a", "unacknowledged")
		c.ExpectMessage("b/c", "queued")
		c.ExpectMessage("a", "meanwhile")
		c.ExpectNothing()
		b.stop()

		b = newBench(t, Options{Sessions: store})
		b.resume(v, "lamp", true).ExpectNothing()
		b.connect(v, "lamp").ExpectNothing() // clean: the stored session goes
		b.stop()
		b = newBench(t, Options{Sessions: store})
		if got := b.Stats().Sessions; got != 0 {
			t.Errorf("%d sessions are stored, want none", got)
		}
	})
}

func TestMQ57ExpiryGoesOnAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemorySessions()
		b := newBench(t, Options{Sessions: store})
		b.leave(b.resume(packet.V311, "lamp", false))
		time.Sleep(40 * time.Minute)
		b.stop()
		b = newBench(t, Options{Sessions: store})
		time.Sleep(30 * time.Minute)
		b.resume(packet.V311, "lamp", false)
	})
}
