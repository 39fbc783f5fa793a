package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/logtest"
)

// Without iot:Receive a device hears nothing and learns nothing: the log must say so (mqtt-broker.md section 13).
func TestAMessageThatPolicyWithholdsLeavesALine(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		var said logtest.Log
		b := newBench(t, Options{Reserved: echo{}, Log: slog.New(slog.NewTextHandler(&said, nil))})
		b.policy.deny("receive $aws/things/t/jobs/get/accepted", "receive $aws/things/t/jobs/notify", "receive a/b", "receive kept")
		c := b.connect(v, "lamp")
		c.Subscribe(1, "$aws/things/t/jobs/#", "a/+")
		c.Subscribe(0, "b")
		for range 5 {
			c.Publish("$aws/things/t/jobs/get", "secret")
			b.Publish(Message{Topic: "$aws/things/t/jobs/notify", Payload: []byte("secret"), QoS: 1}, nil)
			b.Publish(Message{Topic: "a/b", Payload: []byte("secret"), QoS: 1}, nil)
		}
		b.Publish(Message{Topic: "b", Payload: []byte("heard")}, nil)
		c.ExpectMessage("b", "heard")

		away := packet.Connect{ClientID: "pump", Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 3600)}
		if v == packet.V311 {
			away.Properties = nil
		}
		c = b.connectWith(v, away)
		c.Subscribe(1, "kept")
		c.Send(&packet.Disconnect{})
		c.ExpectClosed()
		b.Publish(Message{Topic: "kept", Payload: []byte("secret"), QoS: 1}, nil)
		b.connectWith(v, away).ExpectNothing()

		lines := said.With("iot:Receive")
		if len(lines) != 3 {
			t.Fatalf("the log has %d lines:\n%s\nwant one for the jobs of lamp, one for a and one for kept", len(lines), strings.Join(lines, "\n"))
		}
		for i, want := range []string{"topic=$aws/things/t/jobs/get/accepted client=lamp", "topic=a/b client=lamp", "topic=kept client=pump"} {
			if !strings.Contains(lines[i], "level=WARN") || !strings.Contains(lines[i], want+" principal=") || strings.Contains(lines[i], "secret") {
				t.Errorf("line %d is %s, want a warning with %s and no payload", i, lines[i], want)
			}
		}
		if got := b.Stats(); got.ReceivesDenied != 16 || got.DroppedQueue != 0 {
			t.Errorf("%d deliveries counted as denied and %d as dropped from a queue, want 16 and none", got.ReceivesDenied, got.DroppedQueue)
		}
	})
}

func TestAMessageTooLargeForItsClientLeavesALine(t *testing.T) {
	for qos := range byte(2) {
		var said logtest.Log
		b := newBench(t, Options{Reserved: echo{}, Log: slog.New(slog.NewTextHandler(&said, nil))})
		c := b.connectWith(packet.V5, packet.Connect{ClientID: "lamp", Clean: true, Properties: packet.Properties(nil).WithInt(packet.MaximumPacketSize, 60)})
		c.Subscribe(qos, "a")
		for range 3 {
			b.Publish(Message{Topic: "a", Payload: bytes.Repeat([]byte("s"), 60), QoS: qos}, nil)
			c.Send(&packet.Publish{Topic: "$aws/things/t/jobs/get", Payload: bytes.Repeat([]byte("s"), 60)})
		}
		b.Publish(Message{Topic: "a", Payload: []byte("small"), QoS: qos}, nil)
		c.ExpectMessage("a", "small")
		c.Publish("b", "") // after all requests
		lines := said.With("Maximum Packet Size")
		if len(lines) != 2 {
			t.Fatalf("QoS %d: the log has %d lines:\n%s\nwant one for each family of topics", qos, len(lines), strings.Join(lines, "\n"))
		}
		for _, want := range []string{"topic=a client=lamp", "topic=$aws/things/t/jobs/get/accepted client=lamp"} {
			if all := strings.Join(lines, "\n"); !strings.Contains(all, want) || !strings.Contains(all, "limit=60") || !strings.Contains(all, "bytes=") || strings.Contains(all, "ssss") {
				t.Errorf("QoS %d: the lines\n%s\nlack %q, or show a payload", qos, all, want)
			}
		}
		if got := b.Stats().DroppedLarge; got != 6 {
			t.Errorf("QoS %d: %d messages counted, want 6", qos, got)
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
