package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestMQ35EightFiltersAtMost(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		filters := strings.Split("1 2 3 4 5 6 7 8 9", " ")
		c := b.connect(v, "lamp")
		if got := c.Subscribe(1, filters[:8]...); !slices.Equal(got, []packet.Reason{1, 1, 1, 1, 1, 1, 1, 1}) {
			t.Errorf("8 filters: %v", got)
		}
		p := &packet.Subscribe{ID: 1}
		for _, f := range filters {
			p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: f})
		}
		c.Send(p)
		c.ExpectDisconnect(packet.QuotaExceeded)
		c = b.connect(v, "lamp")
		c.Send(&packet.Unsubscribe{ID: 1, Filters: filters})
		c.ExpectDisconnect(packet.QuotaExceeded)
	})
}

func TestMQ36FiftySubscriptionsAtMost(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		for i := range 50 {
			if got := c.Subscribe(1, fmt.Sprint("f", i)); got[0] != 1 {
				t.Fatalf("subscription %d: %v", i, got)
			}
		}
		refused := packet.QuotaExceeded
		if v == packet.V311 {
			refused = packet.UnspecifiedError
		}
		if got := c.Subscribe(0, "one more", "f7"); !slices.Equal(got, []packet.Reason{refused, 0}) {
			t.Errorf("the 51st and a known one: %v, want %v", got, []packet.Reason{refused, 0})
		}
		c.Send(&packet.Unsubscribe{ID: 1, Filters: []string{"f7"}})
		c.Next()
		if got := c.Subscribe(1, "one more"); got[0] != 1 {
			t.Errorf("after an UNSUBSCRIBE: %v, want it granted", got)
		}
	})
}

func TestMQ37InvalidFilters(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		c := newBench(t, Options{}).connect(v, "lamp")
		want := packet.TopicFilterInvalid
		if v == packet.V311 {
			want = packet.UnspecifiedError
		}
		for _, filter := range []string{"", "a/#/b", "a+", strings.Repeat("x", 257), "1/2/3/4/5/6/7/8/9", "$share/g", "$share/g/", "$share/+/a"} {
			if got := c.Subscribe(1, filter, "good"); !slices.Equal(got, []packet.Reason{want, 1}) {
				t.Errorf("SUBSCRIBE to %q and a good one: %v, want %v and 1", filter, got, want)
			}
		}
	})
}

func TestMQ38QoS2IsGrantedAs1(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		if got := c.Subscribe(2, "a"); got[0] != 1 {
			t.Errorf("granted %v, want 1", got)
		}
		b.Publish(Message{Topic: "a", QoS: 1}, nil)
		c.ExpectMessage("a", "")
	})
}

func TestMQ39ParentOfAHash(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		for _, parent := range []bool{false, true} {
			b := newBench(t, Options{Limits: Limits{ParentWildcard: parent}})
			c := b.connect(v, "lamp")
			c.Subscribe(1, "a/#")
			b.Publish(Message{Topic: "a", Payload: []byte("parent"), QoS: 1}, nil)
			if parent {
				c.ExpectMessage("a", "parent")
			}
			b.Publish(Message{Topic: "a/b", QoS: 1}, nil)
			c.ExpectMessage("a/b", "")
		}
	})
}

func TestMQ40WildcardsDoNotReachReservedTopics(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "#", "+/things/t/jobs/notify", "+/#")
		b.Publish(Message{Topic: "$aws/things/t/jobs/notify", QoS: 1}, nil)
		c.ExpectNothing()
		denied := packet.NotAuthorized
		if v == packet.V311 {
			denied = packet.UnspecifiedError
		}
		for _, filter := range []string{"$SYS/#", "$aws/#", "$aws/+/t/jobs/notify", "$+", "$aws", "$share/g/$aws/#"} {
			if got := c.Subscribe(1, filter)[0]; got < 0x80 {
				t.Errorf("SUBSCRIBE to %q: %v, want a failure such as %v", filter, got, denied)
			}
		}
		if got := c.Subscribe(1, "$aws/things/#", "$aws/things/+/jobs/notify", "$share/g/$aws/things/+/jobs/notify"); !slices.Equal(got, []packet.Reason{1, 1, 1}) {
			t.Errorf("filters within a family: %v", got)
		}
	})
}

func TestMQ41SubscribeNotPermitted(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		b.policy.deny("subscribe no")
		denied := packet.NotAuthorized
		if v == packet.V311 {
			denied = packet.UnspecifiedError
		}
		c := b.connect(v, "lamp")
		if got := c.Subscribe(1, "yes", "no", "too"); !slices.Equal(got, []packet.Reason{1, denied, 1}) {
			t.Errorf("SUBSCRIBE to yes, no, too: %v", got)
		}
		b.Publish(Message{Topic: "no", QoS: 1}, nil)
		b.Publish(Message{Topic: "too", QoS: 1}, nil)
		c.ExpectMessage("too", "")

		b = newBench(t, Options{Limits: Limits{CloseOnDeniedSubscribe: true}})
		b.policy.deny("subscribe no")
		c = b.connect(v, "lamp")
		c.Send(&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "no"}}})
		c.ExpectDisconnect(packet.NotAuthorized)
	})
}

func TestMQ42AFilterReplacesAnIdenticalOne(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		for qos := range byte(2) {
			c.Subscribe(qos, "a")
			b.Publish(Message{Topic: "a", Payload: []byte("x"), QoS: 1}, nil)
			if got := c.ExpectMessage("a", "x").QoS; got != qos {
				t.Errorf("delivered at QoS %d, want %d", got, qos)
			}
			c.ExpectNothing()
		}
	})
}

func TestMQ43OverlappingFiltersDeliverOnce(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c, other := b.connect(v, "lamp"), b.connect(v, "other")
		c.Subscribe(0, "a/b", "a/#", "#", "+/+")
		c.Subscribe(1, "a/+")
		other.Subscribe(0, "a/b", "a/+")
		b.Publish(Message{Topic: "x/y/z", QoS: 1}, nil) // to "#" alone, at QoS 0
		b.Publish(Message{Topic: "a/b", Payload: []byte("x"), QoS: 1}, nil)
		if got := c.ExpectMessage("x/y/z", "").QoS; got != 0 {
			t.Errorf("QoS %d, want 0", got)
		}
		if got := c.ExpectMessage("a/b", "x").QoS; got != 1 {
			t.Errorf("QoS %d, want the best granted, 1", got)
		}
		c.ExpectNothing()
		other.ExpectMessage("a/b", "x")
		other.ExpectNothing()
	})
}

func TestMQ45SubscriptionOptions(t *testing.T) {
	b := newBench(t, Options{})
	c, other := b.connect(packet.V5, "lamp"), b.connect(packet.V5, "other")
	subscribe := func(s packet.Subscription) {
		t.Helper()
		c.Send(&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{s}})
		c.Expect(&packet.Suback{ID: 1, Reasons: []packet.Reason{packet.Reason(s.QoS)}})
	}
	retained := &packet.Publish{Topic: "kept", Payload: []byte("k"), Retain: true, QoS: 1, ID: 1}
	other.Send(retained)
	other.Expect(&packet.Puback{ID: 1})

	subscribe(packet.Subscription{Filter: "local", QoS: 1, NoLocal: true})
	c.Publish("local", "own")
	other.Publish("local", "other's")
	c.ExpectMessage("local", "other's")

	subscribe(packet.Subscription{Filter: "kept", QoS: 1, RetainHandling: 2})
	c.ExpectNothing()
	subscribe(packet.Subscription{Filter: "kept", QoS: 1, RetainHandling: 1})
	c.ExpectNothing()
	subscribe(packet.Subscription{Filter: "kept", QoS: 0, RetainHandling: 0})
	if p := c.ExpectMessage("kept", "k"); !p.Retain {
		t.Error("a retained message sent because of a SUBSCRIBE lacks the RETAIN flag")
	}
	other.Send(retained)
	if p := c.ExpectMessage("kept", "k"); p.Retain {
		t.Error("a live message has the RETAIN flag without retain as published")
	}
	subscribe(packet.Subscription{Filter: "kept", RetainAsPublished: true, RetainHandling: 2})
	other.Send(retained)
	if p := c.ExpectMessage("kept", "k"); !p.Retain {
		t.Error("a live message lacks the RETAIN flag with retain as published")
	}

	c.Send(&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "a"}}, Properties: packet.Properties(nil).WithInt(packet.SubscriptionID, 5)})
	c.ExpectDisconnect(packet.SubscriptionIDsRejected)
}

func TestMQ47Unsubscribe(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a", "b")
		c.Send(&packet.Unsubscribe{ID: 5, Filters: []string{"a", "never", "a/#/b"}})
		c.Expect(&packet.Unsuback{ID: 5, Reasons: []packet.Reason{packet.Success, packet.NoSubscriptionExisted, packet.TopicFilterInvalid}})
		b.Publish(Message{Topic: "a", QoS: 1}, nil)
		b.Publish(Message{Topic: "b", QoS: 1}, nil)
		c.ExpectMessage("b", "")
		c.ExpectNothing()
		if got := b.Stats().Subscriptions; got != 1 {
			t.Errorf("%d subscriptions, want 1", got)
		}
	})
}

func TestMQ50NothingIsKeptOfACleanSession(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a")
		c.Send(&packet.Disconnect{})
		c.ExpectClosed()
		if s := b.Stats(); s.Sessions != 0 || s.Subscriptions != 0 {
			t.Errorf("%d sessions and %d subscriptions are left", s.Sessions, s.Subscriptions)
		}
		b.Publish(Message{Topic: "a", QoS: 1}, nil)
		c = b.connectWith(v, packet.Connect{ClientID: "lamp"})
		c.ExpectNothing()
	})
}

func TestMQ61Retained(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		pub, live := b.connect(v, "pub"), b.connect(v, "live")
		live.Subscribe(1, "a/b")
		retain := func(payload string) {
			t.Helper()
			pub.Send(&packet.Publish{Topic: "a/b", Payload: []byte(payload), QoS: 1, ID: 1, Retain: true})
			pub.Expect(&packet.Puback{ID: 1})
			if p := live.ExpectMessage("a/b", payload); p.Retain {
				t.Error("RETAIN is set on a live message")
			}
		}
		retain("old")
		retain("new")
		c := b.connect(v, "lamp")
		for range 2 { // sent again on each SUBSCRIBE (MQ-42)
			c.Subscribe(0, "a/b")
			if p := c.ExpectMessage("a/b", "new"); !p.Retain || p.QoS != 0 {
				t.Errorf("retain %v, QoS %d; want true, 0", p.Retain, p.QoS)
			}
		}
		c.Subscribe(1, "a/+", "a/#", "$share/g/a/b")
		c.ExpectNothing()
		retain("") // deletes, and is delivered
		c.ExpectMessage("a/b", "")
		c = b.connect(v, "lamp")
		c.Subscribe(1, "a/b")
		c.ExpectNothing()
	})
}
