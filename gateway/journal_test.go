package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

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

// A server stops though its store takes nothing, and though connections wait for it.
func TestAServerStopsThoughTheStoreTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGated()
		b := newBench(t, Options{Sessions: store, Log: quiet})
		b.policyFreeSession(packet.V311)
		synctest.Wait()
		store.mu.Lock()
		store.fail = 1 << 30
		store.mu.Unlock()
		c := b.connect(packet.V311, "pub")
		c.Send(&packet.Publish{Topic: "kept", QoS: 1, ID: 1})
		time.Sleep(time.Hour)
		start := time.Now()
		b.stop()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if c.Heard() {
			t.Error("a publish was acknowledged that is nowhere")
		}
	})
}
