package gateway

import (
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// TestConnectionsWithoutCONNECTMakeRoom: of those that wait for their CONNECT the oldest goes, and nobody who has connected.
func TestConnectionsWithoutCONNECTMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Limits: Limits{Unproven: 3}, Log: quiet})
		for range 5 { // more than there are places, and in
			b.connect(packet.V311, "lamp")
		}
		var stalled []*mqtttest.Client
		for _, wire := range []string{"", "\x10", "\x10\x0d\x00\x04MQ"} {
			c := b.openAs(packet.V5, Peer{Addr: "192.0.2.1:1"})
			if wire != "" {
				c.SendBytes([]byte(wire))
			}
			synctest.Wait()
			stalled = append(stalled, c)
		}
		if got := b.Stats(); got.Waiting != 3 || got.Shed != 0 {
			t.Fatalf("%d wait, %d shed; want 3 and 0", got.Waiting, got.Shed)
		}
		pump := b.connect(packet.V5, "pump")
		stalled[0].ExpectClosed()
		if got := b.Stats(); got.Waiting != 2 || got.Shed != 1 {
			t.Errorf("%d wait, %d shed; want 2 and 1", got.Waiting, got.Shed)
		}
		stalled[1].SendBytes([]byte("\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a")) // the rest of its CONNECT
		if ack, ok := stalled[1].Next().(*packet.Connack); !ok || ack.Reason != packet.Success {
			t.Errorf("a client that is slow is answered with %+v", ack)
		}
		pump.Publish("a", "x")
	})
}

// Refused, gone or broken connections leave no place taken.
func TestNoPlaceIsLeftTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Log: quiet})
		b.policy.deny("connect no")
		b.open(packet.V5).Connect(packet.Connect{ClientID: "no"})
		b.open(packet.V311).SendBytes([]byte("\x10\xff\xff\xff\xff\xff"))
		b.open(packet.V311).Close()
		b.open(packet.V311) // until its time is over
		b.connect(packet.V5, "lamp").Close()
		b.stop()
		if got := b.Stats(); got.Waiting != 0 || got.Connections != 0 {
			t.Errorf("%d places are taken, %d connections open", got.Waiting, got.Connections)
		}
	})
}
