package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func TestMQ1OnlyLevels4And5(t *testing.T) {
	b := newBench(t, Options{})
	for name, wire := range map[string]string{
		"level 3": "\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a",
		"level 6": "\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a",
	} {
		t.Run(name, func(t *testing.T) {
			c := b.open(packet.V311)
			c.SendBytes([]byte(wire))
			c.Expect(&packet.Connack{Reason: packet.Reason(packet.UnacceptableLevel311)})
			c.ExpectClosed()
		})
	}
	for name, wire := range map[string]string{
		"another protocol":         "GET / HTTP/1.1\r\n\r\n",
		"a packet before CONNECT":  "\xc0\x00",
		"a wrong protocol name":    "\x10\x0d\x00\x04MQTX\x04\x02\x00\x3c\x00\x01a",
		"a CONNECT of a megabyte":  "\x10\xff\xff\x3f",
		"a reserved connect flag":  "\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a",
		"packet type 0":            "\x00\x00",
		"a length of five bytes":   "\x10\xff\xff\xff\xff\xff",
		"a client id with NUL":     "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\x00",
		"a client id not in UTF-8": "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\xff",
	} {
		t.Run(name, func(t *testing.T) {
			c := b.open(packet.V311)
			c.SendBytes([]byte(wire))
			c.ExpectClosed()
		})
	}
}

func TestMQ2TheFirstPacketMustComeInTime(t *testing.T) {
	for name, wire := range map[string]string{
		"nothing at all":      "",
		"half of a CONNECT":   "\x10\x0d\x00\x04MQ",
		"one byte, then none": "\x10",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Options{})
				c := b.open(packet.V311)
				start := time.Now()
				if wire != "" {
					c.SendBytes([]byte(wire))
				}
				c.ExpectClosed()
				if took := time.Since(start); took < 5*time.Second || took > 7*time.Second {
					t.Errorf("closed after %v, want about 5 s", took)
				}
			})
		})
	}
}

func TestMQ3UserNameAndPasswordAreIgnored(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		b.connectWith(v, packet.Connect{ClientID: "a", Clean: true, HasUsername: true, Username: "?SDK=PythonV2&Version=1"}).ExpectNothing()
		b.connectWith(v, packet.Connect{ClientID: "b", Clean: true, HasUsername: true, Username: "x", HasPassword: true, Password: []byte("y")}).ExpectNothing()
	})
}

func TestMQ4ClientIDs(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		for name, c := range map[string]struct {
			id string
			ok bool
		}{
			"128 bytes":        {strings.Repeat("x", 128), true},
			"129 bytes":        {strings.Repeat("x", 129), false},
			"a dollar first":   {"$lamp", false},
			"a dollar later":   {"la$mp", true},
			"a plus":           {"+", false},
			"a plus inside":    {"a+b", false},
			"a hash":           {"#", false},
			"a hash inside":    {"a/#", false},
			"policy wildcards": {"a*b?c{", true},
			"slashes":          {"a/b/", true},
			"a space":          {"a b", true},
		} {
			want := packet.Success
			if !c.ok {
				if want = packet.ClientIDNotValid; v == packet.V311 {
					want = packet.Reason(packet.IdentifierRejected)
				}
			}
			client := b.open(v)
			if got := client.Connect(packet.Connect{ClientID: c.id, Clean: true}).Reason; got != want {
				t.Errorf("%s: CONNACK reason %v, want %v", name, got, want)
			}
			if !c.ok {
				client.ExpectClosed()
			}
		}
	})
}

func TestMQ5EmptyClientID(t *testing.T) {
	b := newBench(t, Options{})
	ack := b.open(packet.V5).Connect(packet.Connect{Clean: true})
	assigned, _ := ack.Properties.Find(packet.AssignedClientID)
	if !strings.HasPrefix(string(assigned.Text), "$GEN/") || ack.Reason != packet.Success {
		t.Errorf("MQTT 5: reason %v, assigned client id %q, want one that begins with $GEN/", ack.Reason, assigned.Text)
	}
	if got := b.open(packet.V311).Connect(packet.Connect{Clean: true}).Reason; got != packet.Success {
		t.Errorf("3.1.1, clean: return code %d, want 0", got)
	}
	if got := b.open(packet.V311).Connect(packet.Connect{Clean: false}).Reason; got != 2 {
		t.Errorf("3.1.1, not clean: return code %d, want 2", got)
	}
	for _, line := range b.policy.asked {
		if !strings.HasPrefix(line, "connect $GEN/") {
			t.Errorf("policy was asked %q, want the generated id", line)
		}
	}
}

func TestMQ6ARefusedConnectDisturbsNobody(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		first := b.connect(v, "lamp")
		first.Subscribe(1, "a")
		b.policy.deny("connect lamp")
		b.open(v).Connect(packet.Connect{ClientID: "lamp", Clean: true})
		b.Publish(Message{Topic: "a", Payload: []byte("still here"), QoS: 1}, nil)
		first.ExpectMessage("a", "still here")
	})
}

func TestMQ7RefusedByPolicy(t *testing.T) {
	b := newBench(t, Options{})
	b.policy.deny("connect lamp")
	c := b.open(packet.V311)
	c.Send(&packet.Connect{Version: packet.V311, ClientID: "lamp", Clean: true})
	c.Expect(&packet.Connack{Reason: packet.Reason(packet.NotAuthorized311)})
	c.ExpectClosed()
	c = b.open(packet.V5)
	c.Send(&packet.Connect{Version: packet.V5, ClientID: "lamp", Clean: true})
	c.Expect(&packet.Connack{Reason: packet.NotAuthorized})
	c.ExpectClosed()

	b = newBench(t, Options{Limits: Limits{SilentRefusal: true}})
	b.policy.deny("connect lamp")
	c = b.open(packet.V311)
	c.Send(&packet.Connect{Version: packet.V311, ClientID: "lamp", Clean: true})
	c.ExpectClosed()
}

// down is an Authorizer that cannot answer.
type down struct{}

func (down) Connect(context.Context, Connect) (Grant, error) {
	return nil, errors.New("the policy store is down")
}

func TestAnAuthorizerThatCannotAnswerLetsNobodyIn(t *testing.T) {
	b := newBench(t, Options{Authorizer: down{}})
	if got := b.open(packet.V5).Connect(packet.Connect{ClientID: "a", Clean: true}).Reason; got != packet.UnspecifiedError {
		t.Errorf("MQTT 5: reason %v, want %v", got, packet.UnspecifiedError)
	}
	if got := b.open(packet.V311).Connect(packet.Connect{ClientID: "a", Clean: true}).Reason; got != 3 {
		t.Errorf("3.1.1: return code %d, want 3 (server unavailable)", got)
	}
}

func TestMQ8TheNewConnectionWins(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		watcher := b.connect(v, "watcher")
		watcher.Subscribe(1, "gone")
		old := b.connectWith(v, packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "gone", Payload: []byte("lamp"), QoS: 1}})
		fresh := b.connect(v, "lamp")
		old.ExpectDisconnect(packet.SessionTakenOver)
		watcher.ExpectMessage("gone", "lamp")
		fresh.ExpectNothing()
		if got := b.Stats().Connections; got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
	})
}

func TestMQ8TakeoverNeverWaitsForAFullSocket(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{})
			old := b.connect(v, "lamp")
			old.Subscribe(1, "a")
			defer old.StopReading()()
			for range 20 {
				b.Publish(Message{Topic: "a", Payload: make([]byte, 100_000), QoS: 1}, nil)
			}
			synctest.Wait() // the server is stuck writing
			start := time.Now()
			b.connect(v, "lamp").ExpectNothing()
			if took := time.Since(start); took > 0 {
				t.Errorf("the new connection had to wait %v", took)
			}
		})
	})
}

func TestMQ10PacketsBeforeConnackAreHandledInOrder(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.open(v)
		c.Send(&packet.Connect{Version: v, ClientID: "lamp", Clean: true},
			&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "a", QoS: 1}}},
			&packet.Publish{Topic: "a", Payload: []byte("x"), QoS: 1, ID: 2})
		if _, ok := c.Next().(*packet.Connack); !ok {
			t.Fatal("the first packet is not CONNACK")
		}
		c.Expect(&packet.Suback{ID: 1, Reasons: []packet.Reason{1}},
			&packet.Publish{Topic: "a", Payload: []byte("x"), QoS: 1, ID: 1},
			&packet.Puback{ID: 2})
	})
}

func TestMQ11SessionPresentIsZeroForACleanSession(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		for range 2 {
			if ack := b.open(v).Connect(packet.Connect{ClientID: "lamp", Clean: true}); ack.SessionPresent {
				t.Error("session present for a clean session")
			}
		}
	})
}

func TestConnackTellsTheProfile(t *testing.T) {
	b := newBench(t, Options{})
	ack := b.open(packet.V5).Connect(packet.Connect{ClientID: "lamp", Clean: true, KeepAlive: 10,
		Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 7200)})
	for id, want := range map[packet.Property]uint32{
		packet.ReceiveMaximum:    100,
		packet.MaximumQoS:        1,
		packet.RetainAvailable:   1,
		packet.MaximumPacketSize: 149504,
		packet.TopicAliasMaximum: 8,
		packet.WildcardAvailable: 1,
		packet.SubIDsAvailable:   0,
		packet.SharedAvailable:   1,
		packet.ServerKeepAlive:   30,
		packet.SessionExpiry:     3600,
	} {
		if got := ack.Properties.Int(id, 99); got != want {
			t.Errorf("property 0x%02X is %d, want %d", byte(id), got, want)
		}
	}
}

func TestASecondConnectIsAProtocolError(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		c := newBench(t, Options{}).connect(v, "lamp")
		c.Send(&packet.Connect{Version: v, ClientID: "lamp", Clean: true})
		c.ExpectDisconnect(packet.ProtocolError)
	})
}

func TestMQ15KeepAliveRange(t *testing.T) {
	for asked, want := range map[uint16]uint16{0: 1200, 1: 30, 29: 30, 30: 30, 600: 600, 1200: 1200, 1201: 1200, 43691: 1200, 65535: 1200} {
		if got := keepAlive(asked); got != want {
			t.Errorf("keepAlive(%d) = %d, want %d", asked, got, want)
		}
	}
}

func TestMQ16SilentClientsAreDisconnected(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Options{})
			c := b.connectWith(v, packet.Connect{ClientID: "lamp", Clean: true, KeepAlive: 40})
			c.Subscribe(0, "a")
			for range 10 {
				time.Sleep(50 * time.Second)
				c.Send(&packet.Publish{Topic: "b"}) // any packet counts
			}
			c.ExpectNothing()
			start := time.Now()
			for range 6 { // deliveries do not count, nor does part of a packet
				time.Sleep(9 * time.Second)
				b.Publish(Message{Topic: "a", Payload: []byte("x")}, nil)
				c.ExpectMessage("a", "x")
			}
			c.SendBytes([]byte{0xC0})
			c.ExpectDisconnect(packet.KeepAliveTimeout)
			if took := time.Since(start); took < 60*time.Second || took > 62*time.Second {
				t.Errorf("disconnected after %v, want 60 s", took)
			}
		})
	})
}

func TestMQ17PingIsAnsweredWhileDeliveriesAreBlocked(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		c.Subscribe(1, "a")
		for range 150 {
			b.Publish(Message{Topic: "a", Payload: []byte("x"), QoS: 1}, nil)
		}
		for range 100 {
			c.ExpectUnacknowledged("a", "x")
		}
		c.ExpectNothing()
	})
}

func TestMQ18AStuckClientIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		c := b.connect(packet.V311, "lamp")
		c.Subscribe(1, "a")
		defer c.StopReading()()
		synctest.Wait() // until it waits for the read under way
		start := time.Now()
		for range 3 { // the pipe holds nothing: the second message is stuck
			b.Publish(Message{Topic: "a", Payload: make([]byte, 100_000), QoS: 1}, nil)
		}
		for b.Stats().Connections > 0 {
			if time.Sleep(time.Second); time.Since(start) > time.Minute {
				t.Fatal("a client that reads nothing is still connected after a minute")
			}
		}
	})
}

func TestMQ62WillsAreCheckedLikeAPublish(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{Reserved: echo{}})
		b.policy.deny("publish forbidden", "retain quiet")
		for name, c := range map[string]struct {
			will   packet.Will
			reason packet.Reason
		}{
			"a topic the client may not write":   {packet.Will{Topic: "forbidden"}, packet.NotAuthorized},
			"retained where it may not retain":   {packet.Will{Topic: "quiet", Retain: true}, packet.NotAuthorized},
			"not retained where it may not":      {packet.Will{Topic: "quiet"}, packet.Success},
			"a reserved topic":                   {packet.Will{Topic: "$aws/things/t/jobs/get"}, packet.NotAuthorized},
			"a wildcard":                         {packet.Will{Topic: "a/+"}, packet.TopicNameInvalid},
			"QoS 2":                              {packet.Will{Topic: "a", QoS: 2}, packet.QoSNotSupported},
			"no topic":                           {packet.Will{}, packet.TopicNameInvalid},
			"more slashes than are allowed":      {packet.Will{Topic: "1/2/3/4/5/6/7/8/9"}, packet.TopicNameInvalid},
			"an ordinary will with all it takes": {packet.Will{Topic: "fine", QoS: 1, Retain: true}, packet.Success},
		} {
			want := c.reason
			if v == packet.V311 && want != packet.Success {
				want = packet.Reason(packet.NotAuthorized311)
			}
			if got := b.open(v).Connect(packet.Connect{ClientID: "lamp", Clean: true, Will: &c.will}).Reason; got != want {
				t.Errorf("%s: CONNACK reason %v, want %v", name, got, want)
			}
		}
	})
}

func TestMQ63TheWillIsSentForEveryEndButAGoodbye(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		for name, c := range map[string]struct {
			end func(b *bench, c interface {
				Send(...packet.Packet)
				Close()
			})
			sent bool
		}{
			"goodbye": {func(_ *bench, c interface {
				Send(...packet.Packet)
				Close()
			}) {
				c.Send(&packet.Disconnect{})
			}, false},
			"connection lost": {func(_ *bench, c interface {
				Send(...packet.Packet)
				Close()
			}) {
				c.Close()
			}, true},
			"protocol error": {func(_ *bench, c interface {
				Send(...packet.Packet)
				Close()
			}) {
				c.Send(packet.Pingresp{})
			}, true},
			"its principal is kicked": {func(b *bench, _ interface {
				Send(...packet.Packet)
				Close()
			}) {
				b.DisconnectPrincipal("doomed", AuthError)
			}, true},
		} {
			t.Run(name, func(t *testing.T) {
				b := newBench(t, Options{})
				watcher := b.connect(v, "watcher")
				watcher.Subscribe(1, "gone", "end")
				lamp := b.openAs(v, Peer{Principal: "doomed"})
				lamp.Connect(packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "gone", Payload: []byte("w"), QoS: 1}})
				c.end(b, lamp)
				if c.sent {
					watcher.ExpectMessage("gone", "w")
				}
				for b.Stats().Connections > 1 {
					watcher.ExpectNothing()
				}
				b.Publish(Message{Topic: "end", QoS: 1}, nil)
				watcher.ExpectMessage("end", "")
			})
		}
	})
}

func TestMQ63AnMQTT5ClientMayAskForItsWill(t *testing.T) {
	b := newBench(t, Options{})
	watcher := b.connect(packet.V311, "watcher")
	watcher.Subscribe(1, "gone")
	lamp := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: "gone", Payload: []byte("w")}})
	lamp.Send(&packet.Disconnect{Reason: packet.DisconnectWithWill})
	watcher.ExpectMessage("gone", "w")
}

func TestMQ65ShutdownSaysGoodbye(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		b := newBench(t, Options{})
		c := b.connect(v, "lamp")
		go b.stop()
		c.ExpectDisconnect(packet.ServerShuttingDown)
	})
}

func TestAClientThatVanishesDuringConnectLeavesNothing(t *testing.T) {
	b := newBench(t, Options{})
	for range 20 {
		c := b.open(packet.V5)
		c.Send(&packet.Connect{Version: packet.V5, ClientID: "lamp", Clean: true})
		c.Close()
	}
	b.connect(packet.V5, "other").Send(&packet.Disconnect{})
	b.stop()
	if s := b.Stats(); s.Connections != 0 || s.Sessions != 0 {
		t.Errorf("after all have gone: %d connections, %d sessions", s.Connections, s.Sessions)
	}
}
