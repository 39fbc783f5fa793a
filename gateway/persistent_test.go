package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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

// gated is a store whose writes wait for the test.
type gated struct {
	*MemorySessions
	mu     sync.Mutex
	closed bool
	open   *sync.Cond
	fail   int
}

func newGated() *gated {
	g := &gated{MemorySessions: NewMemorySessions()}
	g.open = sync.NewCond(&g.mu)
	return g
}

func (g *gated) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	g.open.Broadcast()
}

func (g *gated) Write(ctx context.Context, changes []Change) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed {
		g.open.Wait()
	}
	if g.fail > 0 {
		g.fail--
		return errors.New("disk full")
	}
	return g.MemorySessions.Write(ctx, changes)
}

func TestMQ21PubackWaitsForTheStore(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			store := newGated()
			b := newBench(t, Options{Sessions: store})
			b.policyFreeSession(v)
			pub := b.connect(v, "pub")
			store.set(true)
			pub.Send(&packet.Publish{Topic: "kept", QoS: 1, ID: 1}, &packet.Publish{Topic: "other", QoS: 1, ID: 2})
			synctest.Wait()
			if pub.Heard() {
				t.Error("a publish was acknowledged before the message was durable")
			}
			store.set(false)
			pub.Expect(&packet.Puback{ID: 1}, &packet.Puback{ID: 2})
			store.set(true)
			pub.Publish("other", "nobody keeps it: no wait")
			store.set(false)
		})
	})
}

// policyFreeSession leaves a session that is away and subscribed to "kept".
func (b *bench) policyFreeSession(v byte) {
	c := b.resume(v, "lamp", false)
	c.Subscribe(1, "kept")
	b.leave(c)
}

func TestAStoreThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGated()
		b := newBench(t, Options{Sessions: store, Log: quiet})
		b.policyFreeSession(packet.V5)
		synctest.Wait()
		store.mu.Lock()
		store.fail = 3
		store.mu.Unlock()
		start := time.Now()
		b.connect(packet.V5, "pub").Publish("kept", "x")
		if took := time.Since(start); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("acknowledged after %v, want after three pauses of 1 s", took)
		}
		b.stop()
		b = newBench(t, Options{Sessions: store})
		b.resume(packet.V5, "lamp", true).ExpectMessage("kept", "x")
	})
}

func TestMQ29And48UnacknowledgedPublishes(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			store := newGated()
			b := newBench(t, Options{Sessions: store, Limits: Limits{InFlight: 3}})
			b.policyFreeSession(v)
			publish := func(id uint16) packet.Packet { return &packet.Publish{Topic: "kept", QoS: 1, ID: id} }
			if v == packet.V5 {
				c := b.connect(v, "pub")
				synctest.Wait()
				store.set(true)
				c.Send(publish(1), publish(1), &packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "a"}}},
					&packet.Unsubscribe{ID: 1, Filters: []string{"a"}})
				synctest.Wait()
				store.set(false)
				c.Expect(&packet.Suback{ID: 1, Reasons: []packet.Reason{packet.PacketIDInUse}},
					&packet.Unsuback{ID: 1, Reasons: []packet.Reason{packet.PacketIDInUse}},
					&packet.Puback{ID: 1}, &packet.Puback{ID: 1, Reason: packet.PacketIDInUse})
			}
			c := b.connect(v, "pub")
			synctest.Wait()
			store.set(true)
			c.Send(publish(1), publish(2), publish(3), publish(4))
			synctest.Wait()
			store.set(false)
			c.ExpectDisconnect(packet.ReceiveMaximumExceeded)
		})
	})
}

func TestPublishTellsWhenItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGated()
		b := newBench(t, Options{Sessions: store})
		b.policyFreeSession(packet.V311)
		synctest.Wait()
		store.set(true)
		var told []string
		note := func(what string) func(error) {
			return func(err error) { told = append(told, fmt.Sprint(what, " ", err)) }
		}
		b.Publish(Message{Topic: "kept", QoS: 1}, note("kept"))
		b.Publish(Message{Topic: "nobody", QoS: 1}, note("nobody"))
		synctest.Wait()
		if len(told) != 1 || told[0] != "nobody <nil>" {
			t.Errorf("before the write: %q, want only the message that nobody keeps", told)
		}
		store.set(false)
		synctest.Wait()
		if len(told) != 2 || told[1] != "kept <nil>" {
			t.Errorf("after the write: %q", told)
		}
	})
}

func TestMessagesThatAreAcknowledgedAtOnceNeverReachTheStore(t *testing.T) {
	changes := []Change{
		{Kind: PutSession, Client: "a"},
		{Kind: AddMessage, Client: "a", Number: 1},
		{Kind: AddMessage, Client: "b", Number: 1},
		{Kind: DropMessage, Client: "a", Number: 1},
		{Kind: DropMessage, Client: "a", Number: 7},
		{Kind: DropSession, Client: "a", Number: 1},
	}
	got := fmt.Sprint(annul(changes))
	want := fmt.Sprint([]Change{{Kind: PutSession, Client: "a"}, {Kind: AddMessage, Client: "b", Number: 1},
		{Kind: DropMessage, Client: "a", Number: 7}, {Kind: DropSession, Client: "a", Number: 1}})
	if got != want {
		t.Errorf("annul\n got %v\nwant %v", got, want)
	}
}

func TestWillDelay(t *testing.T) {
	const delay, expiry = 60, 600
	for name, test := range map[string]struct {
		after func(b *bench)
		sent  time.Duration // after the connection was lost; 0 for never
	}{
		"it comes after its delay": {func(*bench) {}, delay * time.Second},
		"the client is back in time": {func(b *bench) {
			time.Sleep(30 * time.Second)
			b.resume(packet.V5, "lamp", true)
		}, 0},
		"the client starts anew: the old session ends": {func(b *bench) {
			time.Sleep(30 * time.Second)
			b.connect(packet.V5, "lamp")
		}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Options{})
				watcher := b.connectWith(packet.V5, packet.Connect{ClientID: "watcher", Clean: true, KeepAlive: 1200})
				watcher.Subscribe(1, "gone")
				c := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", KeepAlive: 1200,
					Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, expiry),
					Will:       &packet.Will{Topic: "gone", QoS: 1, Properties: packet.Properties(nil).WithInt(packet.WillDelay, delay).WithUser("k", "v")}})
				b.leave(c)
				lost := time.Now()
				test.after(b)
				for time.Since(lost) < 10*time.Minute && !watcher.Heard() {
					time.Sleep(time.Second)
					synctest.Wait()
				}
				if test.sent == 0 {
					watcher.ExpectNothing()
					return
				}
				if took := time.Since(lost); took < test.sent || took > test.sent+3*time.Second {
					t.Errorf("the will came after %v, want %v", took, test.sent)
				}
				want := packet.Properties(nil).WithUser("k", "v")
				if got := watcher.ExpectMessage("gone", ""); string(got.Forward) != string(want) {
					t.Errorf("will properties %x, want %x", got.Forward, want)
				}
			})
		})
	}
}

func TestWillDelayEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		watcher := b.connect(packet.V5, "watcher")
		watcher.Subscribe(1, "gone")
		b.leave(b.connectWith(packet.V5, packet.Connect{ClientID: "lamp",
			Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 10),
			Will:       &packet.Will{Topic: "gone", QoS: 1, Properties: packet.Properties(nil).WithInt(packet.WillDelay, 1000)}}))
		lost := time.Now()
		time.Sleep(5 * time.Second)
		watcher.ExpectMessage("gone", "")
		if took := time.Since(lost); took < 9*time.Second || took > 12*time.Second {
			t.Errorf("the will came after %v, want 10 s", took)
		}
	})
}

func TestMQ46SharedSubscriptions(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		one, two, plain := b.resume(v, "one", false), b.resume(v, "two", false), b.connect(v, "plain")
		one.Subscribe(1, "$share/g/a/+")
		two.Subscribe(1, "$share/g/a/+", "$share/h/#")
		plain.Subscribe(1, "a/#")
		const n = 80 // all fit into the window
		for i := range n {
			b.say("a/b", fmt.Sprint(i))
			plain.ExpectMessage("a/b", fmt.Sprint(i))
		}
		// Group g gives each message to one or two; group h always to two, who gets it once even if it has it from both.
		ones := 0
		one.Send(packet.Pingreq{})
		for p, ok := one.Next().(*packet.Publish); ok; p, ok = one.Next().(*packet.Publish) {
			one.Send(&packet.Puback{ID: p.ID})
			ones++
		}
		if ones < n/4 || ones > 3*n/4 {
			t.Errorf("one member of two got %d of %d messages", ones, n)
		}
		for i := range n {
			two.ExpectMessage("a/b", fmt.Sprint(i))
		}
		two.ExpectNothing()

		b.leave(one)
		for i := range 20 {
			b.say("a/b", fmt.Sprint(i)) // two is there and gets them all
			two.ExpectMessage("a/b", fmt.Sprint(i))
		}
		two.Send(&packet.Unsubscribe{ID: 1, Filters: []string{"$share/h/#"}})
		two.Next()
		b.leave(two)
		for i := range 20 {
			b.say("a/b", fmt.Sprint(i)) // all are away: queued for one of them each
		}
		one, two = b.resume(v, "one", true), b.resume(v, "two", true)
		got := 0
		for _, c := range []*mqtttest.Client{one, two} {
			c.Send(packet.Pingreq{})
			for p, ok := c.Next().(*packet.Publish); ok; p, ok = c.Next().(*packet.Publish) {
				c.Send(&packet.Puback{ID: p.ID})
				got++
			}
		}
		if got != 20 {
			t.Errorf("%d of 20 messages queued for the group arrived", got)
		}
	})
}

func TestMQ88AConnectionHasALastHour(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{})
			start := time.Now()
			c := b.openAs(v, Peer{Until: start.Add(24 * time.Hour)})
			c.Connect(packet.Connect{ClientID: "browser", Clean: true})
			for range 23*60 + 50 {
				time.Sleep(time.Minute)
				c.ExpectNothing()
			}
			time.Sleep(9*time.Minute + 55*time.Second)
			c.ExpectNothing()
			c.ExpectDisconnect(packet.NotAuthorized)
			if took := time.Since(start); took < 24*time.Hour || took > 24*time.Hour+5*time.Second {
				t.Errorf("ended after %v, want 24 h", took)
			}
		})
	})
}

func TestMQ90And91PresenceEvents(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		events := make(chan Presence, 10)
		b := newBench(t, Options{Presence: func(p Presence) { events <- p }})
		next := func(connected bool, version uint64, cause Cause) Presence {
			t.Helper()
			e := <-events
			if e.Connected != connected || e.Version != version || e.Cause != cause || e.Client.ClientID != "lamp" || e.Authority.Principal() != "someone" {
				t.Errorf("event %+v, want connected %v, version %d, cause %q", e, connected, version, cause)
			}
			return e
		}
		c := b.resume(v, "lamp", false)
		came := next(true, 1, None)
		fresh := b.resume(v, "lamp", true)
		c.ExpectDisconnect(packet.SessionTakenOver)
		if went := next(false, 1, DuplicateClientID); went.Session != came.Session || went.Session == "" {
			t.Errorf("the connection is %q and then %q", came.Session, went.Session)
		}
		if again := next(true, 2, None); again.Session == came.Session {
			t.Error("two connections have one identifier")
		}
		fresh.Send(&packet.Disconnect{})
		next(false, 2, ClientInitiated)
	})
}

func TestInterestEvents(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		var told []string
		b := newBench(t, Options{Interest: func(i Interest) {
			told = append(told, fmt.Sprintf("%v %s %v %s", i.Subscribed, i.ClientID, i.Topics, i.Authority.Principal()))
		}})
		b.policy.deny("subscribe no")
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a", "no", "b")
		c.Subscribe(1, "no")
		c.Send(&packet.Unsubscribe{ID: 1, Filters: []string{"b"}})
		c.Next()
		c.ExpectNothing()
		if want := []string{"true lamp [a b] someone", "false lamp [b] someone"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

func TestDisconnectClient(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		watcher := b.connect(v, "watcher")
		watcher.Subscribe(1, "gone")
		p := lasting("lamp")
		p.Will = &packet.Will{Topic: "gone", QoS: 1}
		for _, withWill := range []bool{true, false} {
			c := b.connectWith(v, p)
			if !b.DisconnectClient("lamp", withWill, false) {
				t.Error("DisconnectClient found nobody")
			}
			c.ExpectDisconnect(packet.AdministrativeAction)
			if withWill {
				watcher.ExpectMessage("gone", "")
			}
		}
		watcher.ExpectNothing()
		c := b.resume(v, "lamp", true)
		b.DisconnectClient("lamp", false, true)
		c.ExpectDisconnect(packet.AdministrativeAction)
		b.leave(b.resume(v, "lamp", false))
		if !b.DisconnectClient("lamp", false, true) || b.DisconnectClient("lamp", false, true) {
			t.Error("DisconnectClient of a session without connection: want true once, then false")
		}
	})
}
