package gateway

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestMessagesCrossBetweenVersions(t *testing.T) {
	b := newBench(t, Options{})
	three, five := b.connect(packet.V311, "three"), b.connect(packet.V5, "five")
	three.Subscribe(1, "to/three")
	five.Subscribe(1, "to/five")
	three.Publish("to/five", "hello")
	five.ExpectMessage("to/five", "hello")
	five.Send(&packet.Publish{Topic: "to/three", Payload: []byte("hi"), QoS: 1, ID: 9, Forward: packet.Properties(nil).WithUser("k", "v")})
	five.Expect(&packet.Puback{ID: 9})
	three.ExpectMessage("to/three", "hi")
}

func TestMQTT5PropertiesAreForwardedUnchangedAndInOrder(t *testing.T) {
	b := newBench(t, Options{})
	a, z := b.connect(packet.V5, "a"), b.connect(packet.V5, "z")
	z.Subscribe(1, "t")
	props := packet.Properties(nil).WithUser("b", "1").WithInt(packet.PayloadFormat, 1).WithText(packet.ContentType, "text/plain").
		WithUser("a", "2").WithText(packet.ResponseTopic, "re").WithText(packet.CorrelationData, "\x00\x01")
	a.Send(&packet.Publish{Topic: "t", Payload: []byte("\xff"), QoS: 1, ID: 1, Forward: props})
	a.Expect(&packet.Puback{ID: 1})
	z.Expect(&packet.Publish{Topic: "t", Payload: []byte("\xff"), QoS: 1, ID: 1, Forward: props})
}

func TestMQ20QoS2IsRefused(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Send(&packet.Publish{Topic: "a", QoS: 2, ID: 1})
		c.ExpectDisconnect(packet.QoSNotSupported)
		c = b.connect(v, "lamp")
		c.SendBytes([]byte{0x62, 2, 0, 1})
		c.ExpectDisconnect(packet.ProtocolError)
	})
}

func TestMQ21PubackDoesNotWaitForSubscribers(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		slow := b.connect(v, "slow")
		slow.Subscribe(1, "a")
		defer slow.StopReading()()
		c := b.connect(v, "lamp")
		for range 200 {
			c.Publish("a", "x")
		}
	})
}

func TestMQ22ARepeatedPublishIsANewMessage(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(0, "a")
		for _, dup := range []bool{false, true} {
			c.Send(&packet.Publish{Topic: "a", Payload: []byte("x"), QoS: 1, ID: 7, Dup: dup})
			c.Expect(&packet.Publish{Topic: "a", Payload: []byte("x")}, &packet.Puback{ID: 7})
		}
	})
}

func TestMQ23OrderIsKept(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		sub, pub := b.connect(v, "sub"), b.connect(v, "pub")
		sub.Subscribe(1, "a/+")
		for i := range 500 {
			pub.Publish("a/b", strings.Repeat("x", i))
		}
		for i := range 500 {
			sub.ExpectMessage("a/b", strings.Repeat("x", i))
		}
	})
}

func TestMQ24TopicNames(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		for name, topic := range map[string]string{
			"eight slashes":       "1/2/3/4/5/6/7/8/9",
			"257 bytes":           strings.Repeat("x", 257),
			"a wildcard":          "a/+",
			"the other wildcard":  "a/#",
			"wildcard in a level": "a+",
		} {
			t.Run(name, func(t *testing.T) {
				c := b.connect(v, "lamp")
				c.Send(&packet.Publish{Topic: topic, QoS: 0})
				c.ExpectDisconnect(packet.TopicNameInvalid)
				c = b.connect(v, "lamp")
				c.Send(&packet.Publish{Topic: topic, QoS: 1, ID: 1})
				if v == packet.V311 || strings.ContainsAny(topic, "+#") { // which is no topic name at all
					c.ExpectDisconnect(packet.TopicNameInvalid)
					return
				}
				c.Expect(&packet.Puback{ID: 1, Reason: packet.TopicNameInvalid})
				c.ExpectNothing()
			})
		}
		c := b.connect(v, "lamp")
		c.Publish("1/2/3/4/5/6/7/8", "")
		c.Publish(strings.Repeat("x", 256), "")
	})
}

func TestMQ26Payloads(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a")
		for _, payload := range []string{"", strings.Repeat("x", 131072)} {
			c.Send(&packet.Publish{Topic: "a", Payload: []byte(payload)})
			c.ExpectMessage("a", payload)
		}
		c.Send(&packet.Publish{Topic: "a", Payload: make([]byte, 131073)})
		c.ExpectDisconnect(packet.PacketTooLarge)
		c = b.connect(v, "lamp")
		c.SendBytes([]byte("\x30\xfd\x8f\x09")) // 149,501 bytes are to follow, one too many: refused before they come
		c.ExpectDisconnect(packet.PacketTooLarge)
	})
}

// CONNACK says how large a packet may be, and one of just that size is taken.
func TestMQ60APacketOfTheMaximumSize(t *testing.T) {
	b := newBench(t, Options{})
	c := b.connect(packet.V5, "lamp")
	c.Subscribe(0, "a")
	filled := func(size int) *packet.Publish {
		p := &packet.Publish{Topic: "a", Payload: make([]byte, 131072), Forward: packet.Properties(nil).WithUser("k", "")}
		p.Forward = packet.Properties(nil).WithUser("k", strings.Repeat("v", size-p.Size(packet.V5)-2)) // the properties' length takes two bytes more
		if got := p.Size(packet.V5); got != size {
			t.Fatalf("the packet has %d bytes, want %d", got, size)
		}
		return p
	}
	c.Send(filled(149504))
	c.ExpectMessage("a", string(make([]byte, 131072)))
	c.Send(filled(149505))
	c.ExpectDisconnect(packet.PacketTooLarge)
}

func TestMQ27PublishNotPermitted(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: echo{}})
		b.policy.deny("publish no", "retain keep", "publish $aws/things/other/jobs/get")
		spy := b.connect(v, "spy")
		spy.Subscribe(1, "#")
		for name, p := range map[string]packet.Publish{
			"a topic denied":               {Topic: "no"},
			"retain denied":                {Topic: "keep", Retain: true},
			"a request denied":             {Topic: "$aws/things/other/jobs/get"},
			"MQ-28 a reserved topic":       {Topic: "$aws/things/t/jobs/notify"},
			"MQ-28 an unknown reserved":    {Topic: "$bogus/x"},
			"MQ-61 a retained request":     {Topic: "$aws/things/t/jobs/get", Retain: true},
			"MQ-70 an event of the server": {Topic: "$aws/events/presence/connected/x"},
		} {
			t.Run(name, func(t *testing.T) {
				c := b.connect(v, "lamp")
				zero, one := p, p
				one.QoS, one.ID = 1, 3
				if v == packet.V5 {
					c.Send(&one)
					c.Expect(&packet.Puback{ID: 3, Reason: packet.NotAuthorized})
					c.ExpectNothing()
				} else {
					c.Send(&one)
					c.ExpectClosed()
					c = b.connect(v, "lamp")
				}
				c.Send(&zero)
				c.ExpectDisconnect(packet.NotAuthorized)
			})
		}
		spy.ExpectNothing()
	})
}

func TestMQ29TheClientsWindowIsKept(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		p := packet.Connect{ClientID: "lamp", Clean: true}
		window := 100
		if v == packet.V5 {
			p.Properties, window = packet.Properties(nil).WithInt(packet.ReceiveMaximum, 5), 5
		}
		c := b.connectWith(v, p)
		c.Subscribe(1, "a")
		for range window + 50 {
			b.Publish(Message{Topic: "a", Payload: []byte("x"), QoS: 1}, nil)
		}
		var ids []uint16
		for range window {
			ids = append(ids, c.ExpectUnacknowledged("a", "x").ID)
		}
		c.ExpectNothing()
		for i := range 50 {
			c.Send(&packet.Puback{ID: ids[i]})
			ids = append(ids, c.ExpectUnacknowledged("a", "x").ID)
		}
		c.ExpectNothing()
		inFlight := map[uint16]bool{}
		for _, id := range ids[50:] {
			if inFlight[id] {
				t.Errorf("packet id %d is in flight twice", id)
			}
			inFlight[id] = true
		}
	})
}

func TestPacketIDsOfBothDirectionsAreIndependent(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a")
		b.Publish(Message{Topic: "a", Payload: []byte("one"), QoS: 1}, nil)
		id := c.ExpectUnacknowledged("a", "one").ID

		c.Send(&packet.Publish{Topic: "b", QoS: 1, ID: id})
		c.Expect(&packet.Puback{ID: id})
		c.Send(&packet.Subscribe{ID: id, Subscriptions: []packet.Subscription{{Filter: "c", QoS: 1}}})
		c.Expect(&packet.Suback{ID: id, Reasons: []packet.Reason{1}})
		c.Send(&packet.Unsubscribe{ID: id, Filters: []string{"c"}})
		c.Expect(&packet.Unsuback{ID: id, Reasons: []packet.Reason{0}})

		b.Publish(Message{Topic: "a", Payload: []byte("two"), QoS: 1}, nil)
		if got := c.ExpectUnacknowledged("a", "two").ID; got == id {
			t.Errorf("the id %d of an unacknowledged message is used again", id)
		}
	})
}

func TestPacketIDsWrapAround(t *testing.T) {
	b := newBench(t, Options{})
	c := b.connect(packet.V311, "lamp")
	c.Subscribe(1, "a")
	b.Publish(Message{Topic: "a", Payload: []byte("first"), QoS: 1}, nil)
	first := c.ExpectUnacknowledged("a", "first").ID
	s := b.registry.find("lamp")
	s.mu.Lock()
	s.lastID = 65534
	s.mu.Unlock()
	for _, want := range []uint16{65535, first + 1} {
		b.Publish(Message{Topic: "a", Payload: []byte("x"), QoS: 1}, nil)
		if got := c.ExpectMessage("a", "x").ID; got != want {
			t.Errorf("packet id %d, want %d", got, want)
		}
	}
}

func TestMQ30PublishesBeyondTheRateWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Limits: Limits{PublishRate: 10}})
		c := b.connect(packet.V5, "lamp")
		start := time.Now()
		for range 100 {
			c.Publish("a", "x")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a burst of 100 took %v, want no wait", took)
		}
		for range 50 {
			c.Publish("a", "x")
		}
		if took := time.Since(start); took < 4900*time.Millisecond || took > 5100*time.Millisecond {
			t.Errorf("50 more at 10 a second took %v, want 5 s", took)
		}
	})
}

func TestTopicAliases(t *testing.T) {
	b := newBench(t, Options{Reserved: echo{}})
	b.policy.deny("publish no", "publish ")
	c := b.connect(packet.V5, "lamp")
	c.Subscribe(1, "a", "b")
	alias := func(topic string, n uint16) *packet.Publish {
		return &packet.Publish{Topic: topic, Payload: []byte("x"), HasAlias: true, Alias: n}
	}
	c.Send(alias("a", 8))
	c.ExpectMessage("a", "x")
	c.Send(alias("", 8)) // policy is asked about the topic, not about the empty name
	c.ExpectMessage("a", "x")
	c.Send(alias("b", 8))
	c.ExpectMessage("b", "x")
	c.Send(alias("", 8))
	c.ExpectMessage("b", "x")
	c.Send(alias("$aws/things/t/jobs/get", 1))
	c.ExpectMessage("$aws/things/t/jobs/get/accepted", "x")
	c.Send(alias("", 1))
	c.ExpectMessage("$aws/things/t/jobs/get/accepted", "x")
	for name, test := range map[string]struct {
		p      *packet.Publish
		reason packet.Reason
	}{
		"alias 0":          {alias("a", 0), packet.TopicAliasInvalid},
		"alias 9":          {alias("a", 9), packet.TopicAliasInvalid},
		"an unknown alias": {alias("", 3), packet.ProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			c := b.connect(packet.V5, "lamp")
			c.Send(test.p)
			c.ExpectDisconnect(test.reason)
		})
	}
	c = b.connect(packet.V5, "denied")
	c.Send(alias("no", 1))
	c.ExpectDisconnect(packet.NotAuthorized)
}

func TestMQ58MessageExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		c := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", Clean: true, Properties: packet.Properties(nil).WithInt(packet.ReceiveMaximum, 1)})
		c.Subscribe(1, "a")
		pub := b.connect(packet.V5, "pub")
		for i, seconds := range []uint32{100, 5, 20, 0, 1 << 31} {
			pub.Send(&packet.Publish{Topic: "a", Payload: []byte{byte('0' + i)}, QoS: 1, ID: 1, HasExpiry: true, Expiry: seconds})
			pub.Expect(&packet.Puback{ID: 1})
		}
		first := c.ExpectUnacknowledged("a", "0")
		if first.Expiry != 100 {
			t.Errorf("expiry %d, want 100", first.Expiry)
		}
		time.Sleep(8 * time.Second)
		c.Send(&packet.Puback{ID: first.ID})
		if got := c.ExpectMessage("a", "2").Expiry; got != 12 {
			t.Errorf("expiry of a message that waited 8 of 20 s is %d, want 12", got)
		}
		if got := c.ExpectMessage("a", "4").Expiry; got != 604800-8 {
			t.Errorf("expiry is %d, want the maximum less 8 s", got)
		}
		c.ExpectNothing()
	})
}

func TestMQ60TheClientsMaximumPacketSizeIsRespected(t *testing.T) {
	for qos := range byte(2) {
		b := newBench(t, Options{})
		c := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", Clean: true, Properties: packet.Properties(nil).WithInt(packet.MaximumPacketSize, 50)})
		c.Subscribe(qos, "a")
		b.Publish(Message{Topic: "a", Payload: make([]byte, 50), QoS: qos}, nil)
		b.Publish(Message{Topic: "a", Payload: []byte("small"), QoS: qos}, nil)
		c.ExpectMessage("a", "small")
		c.ExpectNothing()
	}
}

func TestMQ71And73To76DirectReplies(t *testing.T) {
	const request, accepted = "$aws/things/t/jobs/get", "$aws/things/t/jobs/get/accepted"
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: echo{}})
		b.policy.deny("receive $aws/things/deaf/jobs/get/accepted")
		other := b.connect(v, "other")
		other.Subscribe(1, "$aws/things/+/jobs/#", request, accepted)
		ask := func(qos byte) *packet.Publish {
			p := &packet.Publish{Topic: request, Payload: []byte("q"), QoS: qos}
			if qos > 0 {
				p.ID = 77
			}
			return p
		}
		t.Run("MQ-73 an unsubscribed requester is answered at QoS 0", func(t *testing.T) {
			c := b.connect(v, "lamp")
			c.Send(ask(0))
			c.Expect(&packet.Publish{Topic: accepted, Payload: []byte("q")})
			c.Send(ask(1))
			c.Expect(&packet.Publish{Topic: accepted, Payload: []byte("q")}, &packet.Puback{ID: 77})
			c.ExpectNothing()
		})
		t.Run("MQ-74 a subscribed one gets one copy at the best QoS", func(t *testing.T) {
			c := b.connect(v, "lamp")
			c.Subscribe(0, "$aws/things/t/jobs/get/+", "$aws/things/+/jobs/#")
			c.Send(ask(0))
			c.Expect(&packet.Publish{Topic: accepted, Payload: []byte("q")})
			c.Subscribe(1, accepted)
			c.Send(ask(0))
			if got := c.ExpectMessage(accepted, "q"); got.QoS != 1 || got.Retain {
				t.Errorf("QoS %d, retain %v; want 1, false", got.QoS, got.Retain)
			}
			c.ExpectNothing()
		})
		t.Run("MQ-71 reply topics are acknowledged and dropped", func(t *testing.T) {
			c := b.connect(v, "lamp")
			c.Subscribe(1, "$aws/things/t/jobs/#")
			c.Publish(accepted, "forged")
			c.Send(&packet.Publish{Topic: accepted, Payload: []byte("forged")})
			c.ExpectNothing()
		})
		t.Run("MQ-78 the receive check applies", func(t *testing.T) {
			c := b.connect(v, "lamp")
			c.Publish("$aws/things/deaf/jobs/get", "q")
			c.ExpectNothing()
		})
		other.ExpectNothing()
	})
}

// later keeps the reply of a request for the test to use.
type later struct {
	echo
	replies chan func(string, []byte)
}

func (l later) Request(_ Request, reply func(string, []byte)) { l.replies <- reply }

func TestMQ75AReplyForARequesterThatVanishedIsDropped(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		l := later{replies: make(chan func(string, []byte), 1)}
		b := newBench(t, Options{Reserved: l})
		persistent := packet.Connect{ClientID: "lamp", Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 3600)}
		c := b.connectWith(v, persistent)
		c.Subscribe(1, "$aws/things/t/jobs/#")
		c.Publish("$aws/things/t/jobs/get", "q")
		reply := <-l.replies
		reply("$aws/things/t/jobs/get/accepted", []byte("in time"))
		c.ExpectUnacknowledged("$aws/things/t/jobs/get/accepted", "in time")

		again := b.connectWith(v, persistent)
		reply("$aws/things/t/jobs/get/accepted", []byte("too late"))
		again.ExpectNothing()
	})
}

func TestMQ77NotificationsGoToEverySubscriber(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: echo{}})
		b.policy.deny("receive $aws/things/secret/jobs/notify")
		device, board := b.connect(v, "device"), b.connect(v, "board")
		device.Subscribe(1, "$aws/things/t/jobs/notify", "$aws/things/t/jobs/#")
		board.Subscribe(0, "$aws/things/+/jobs/notify")
		b.Publish(Message{Topic: "$aws/things/secret/jobs/notify", Payload: []byte("hidden"), QoS: 1}, nil)
		b.Publish(Message{Topic: "$aws/things/t/jobs/notify", Payload: []byte("n"), QoS: 1}, nil)
		if got := device.ExpectMessage("$aws/things/t/jobs/notify", "n").QoS; got != 1 {
			t.Errorf("QoS %d, want 1", got)
		}
		if got := board.ExpectMessage("$aws/things/t/jobs/notify", "n").QoS; got != 0 {
			t.Errorf("QoS %d, want 0", got)
		}
		device.ExpectNothing()
		board.ExpectNothing()
	})
}

// fault is a Reserved and an Authorizer that panic on demand.
type fault struct{ echo }

func (fault) Request(Request, func(string, []byte)) { panic("request") }

func TestAPanicEndsOnlyItsOwnConnection(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: fault{}, Log: quiet})
		other := b.connect(v, "other")
		c := b.connect(v, "lamp")
		c.Send(&packet.Publish{Topic: "$aws/things/t/jobs/get"})
		c.ExpectDisconnect(packet.UnspecifiedError)
		other.ExpectNothing()
		if got := b.Stats().Panics; got != 1 {
			t.Errorf("%d panics counted, want 1", got)
		}
	})
}

func TestASlowReaderLosesQoS0AndCostsBoundedMemory(t *testing.T) {
	b := newBench(t, Options{})
	slow, fast := b.connect(packet.V311, "slow"), b.connect(packet.V311, "fast")
	slow.Subscribe(0, "a")
	fast.Subscribe(0, "a")
	resume := slow.StopReading()
	defer resume()
	for range 100 {
		b.Publish(Message{Topic: "a", Payload: make([]byte, 10_000)}, nil)
		fast.ExpectMessage("a", string(make([]byte, 10_000)))
	}
	if got := b.Stats().DroppedSlow; got < 50 || got > 80 {
		t.Errorf("%d of 100 messages dropped for the slow client, want what is beyond about 256 KiB", got)
	}
}

func TestABurstToAReadingClientArrivesWholeAndInOrder(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a")
		for i := range 10_000 {
			b.Publish(Message{Topic: "a", Payload: []byte{byte(i >> 8), byte(i)}, QoS: 1}, nil)
		}
		for i := range 10_000 {
			c.ExpectMessage("a", string([]byte{byte(i >> 8), byte(i)}))
		}
	})
}
