package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/logtest"
)

// Without iot:Receive a device hears nothing and learns nothing: the log must say so (mqtt-broker.md section 13). Each family of topics has
// a server of its own here: on one, two of them can share a cell of the limiter.
func TestAMessageThatPolicyWithholdsLeavesALine(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		for _, family := range []struct {
			topics   []string // all of one family
			filter   string
			withheld uint64
		}{
			{[]string{"$aws/things/t/jobs/get/accepted", "$aws/things/t/jobs/notify"}, "$aws/things/t/jobs/#", 10},
			{[]string{"a/b"}, "a/+", 5},
		} {
			var said logtest.Log
			b := newBench(t, Options{Reserved: echo{}, Log: slog.New(slog.NewTextHandler(&said, nil))})
			var denied []string
			for _, name := range family.topics {
				denied = append(denied, "receive "+name)
			}
			b.policy.deny(denied...)
			c := b.connect(v, "lamp")
			c.Subscribe(1, family.filter)
			c.Subscribe(0, "b")
			for range 5 {
				for _, name := range family.topics {
					if request, ok := strings.CutSuffix(name, "/accepted"); ok {
						c.Publish(request, "secret")
					} else {
						b.Publish(Message{Topic: name, Payload: []byte("secret"), QoS: 1}, nil)
					}
				}
			}
			b.Publish(Message{Topic: "b", Payload: []byte("heard")}, nil)
			c.ExpectMessage("b", "heard")
			expectWithheld(t, b, &said, "topic="+family.topics[0]+" client=lamp", family.withheld)
		}

		var said logtest.Log
		b := newBench(t, Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
		b.policy.deny("receive kept")
		away := packet.Connect{ClientID: "pump", Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 3600)}
		if v == packet.V311 {
			away.Properties = nil
		}
		c := b.connectWith(v, away)
		c.Subscribe(1, "kept")
		c.Send(&packet.Disconnect{})
		c.ExpectClosed()
		b.Publish(Message{Topic: "kept", Payload: []byte("secret"), QoS: 1}, nil)
		b.connectWith(v, away).ExpectNothing()
		expectWithheld(t, b, &said, "topic=kept client=pump", 1)
	})
}

// expectWithheld holds that the log has one line about iot:Receive, which says what is wanted and shows no payload, and that so many
// deliveries were counted.
func expectWithheld(t *testing.T, b *bench, said *logtest.Log, want string, deliveries uint64) {
	t.Helper()
	lines := said.With("iot:Receive")
	if len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], want+" principal=") || strings.Contains(lines[0], "secret") {
		t.Errorf("the log has %d lines:\n%s\nwant one warning with %s and no payload", len(lines), strings.Join(lines, "\n"), want)
	}
	if got := b.Stats(); got.ReceivesDenied != deliveries || got.DroppedQueue != 0 {
		t.Errorf("%s: %d deliveries counted as denied and %d as dropped from a queue, want %d and none", want, got.ReceivesDenied, got.DroppedQueue, deliveries)
	}
}

func TestAMessageTooLargeForItsClientLeavesALine(t *testing.T) {
	large := bytes.Repeat([]byte("s"), 60)
	for qos := range byte(2) {
		for name, send := range map[string]func(b *bench, c *mqtttest.Client){
			"a": func(b *bench, _ *mqtttest.Client) { b.Publish(Message{Topic: "a", Payload: large, QoS: qos}, nil) },
			"$aws/things/t/jobs/get/accepted": func(_ *bench, c *mqtttest.Client) {
				c.Send(&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: large})
			},
		} {
			var said logtest.Log
			b := newBench(t, Options{Reserved: echo{}, Log: slog.New(slog.NewTextHandler(&said, nil))})
			c := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", Clean: true, Properties: packet.Properties(nil).WithInt(packet.MaximumPacketSize, 60)})
			c.Subscribe(qos, "a")
			for range 3 {
				send(b, c)
			}
			b.Publish(Message{Topic: "a", Payload: []byte("small"), QoS: qos}, nil)
			c.ExpectMessage("a", "small")
			c.Publish("b", "") // after all requests
			lines := said.With("Maximum Packet Size")
			if len(lines) != 1 || !strings.Contains(lines[0], "topic="+name+" client=lamp") || !strings.Contains(lines[0], "limit=60") ||
				!strings.Contains(lines[0], "bytes=") || strings.Contains(lines[0], "ssss") {
				t.Errorf("QoS %d: the log has %d lines:\n%s\nwant one about %s, with limit and size and no payload", qos, len(lines), strings.Join(lines, "\n"), name)
			}
			if got := b.Stats().DroppedLarge; got != 3 {
				t.Errorf("QoS %d: %d messages to %s counted, want 3", qos, got, name)
			}
		}
	}
}

// However many clients and topics there are, the lines of an hour are bounded, and one client's topics do not use up those of the
// others.
func TestLinesAboutWithheldMessagesAreBounded(t *testing.T) {
	var said logtest.Log
	b := newBench(t, Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
	var denied, topics []string
	for i := range 2000 {
		topics = append(topics, fmt.Sprintf("%d/x", i))
		denied = append(denied, "receive "+topics[i])
	}
	b.policy.deny(denied...)
	b.connect(packet.V5, "lamp").Subscribe(1, "+/x")
	for _, topic := range topics {
		b.Publish(Message{Topic: topic, QoS: 1}, nil)
	}
	if n := len(said.With("client=lamp")); n < 2 || n > withheldFamilies {
		t.Errorf("%d lines about one client, want some and at most %d", n, withheldFamilies)
	}
	const pumps = 120
	for i := range pumps {
		b.connect(packet.V5, fmt.Sprintf("pump-%d-", i)).Subscribe(1, "+/x")
	}
	for _, topic := range topics[:200] {
		b.Publish(Message{Topic: topic, QoS: 1}, nil)
	}
	told := 0
	for i := range pumps {
		if len(said.With(fmt.Sprintf("client=pump-%d-", i))) > 0 {
			told++
		}
	}
	if told < pumps/2 { // a few share a cell of the limiter with another one
		t.Errorf("%d of %d other clients are told of", told, pumps)
	}
	if n := len(said.With("iot:Receive")); n < pumps/2 || n > withheldLinesAll {
		t.Errorf("%d lines, want some and at most %d", n, withheldLinesAll)
	}
}

func TestFamilies(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "a/b/c": "a", "": "", "/a": "", "$aws/things/lamp/jobs/notify": "$aws/things/lamp/jobs", "$aws/things/lamp": "$aws/things/lamp",
		"$aws/things/lamp/jobs": "$aws/things/lamp/jobs", "$aws/events/job/fw/completed": "$aws/events/job/fw",
	} {
		if got := familyOf(name); got != want {
			t.Errorf("familyOf(%q) = %q, want %q", name, got, want)
		}
	}
}
