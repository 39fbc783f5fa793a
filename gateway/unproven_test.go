package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/logtest"
)

// TestConnectionsWithoutCONNECTMakeRoom: of those that wait for their CONNECT the oldest is closed, and none that has connected.
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

// TestAFloodOfRefusedConnectionsDoesNotFillTheLog: however a connection fails before it is in, its address has a few lines a
// minute, and the next line tells how many were left out.
func TestAFloodOfRefusedConnectionsDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &logtest.Log{}
		b := newBench(t, Options{Log: slog.New(slog.NewTextHandler(said, nil))})
		b.policy.deny("connect no")
		fail := func(addr string) {
			for _, wire := range []string{"GET / HTTP/1.1\r\n\r\n", "\x10\xff\xff\xff\xff\xff"} {
				c := b.openAs(packet.V311, Peer{Addr: addr})
				c.SendBytes([]byte(wire))
				c.ExpectClosed()
			}
			c := b.openAs(packet.V311, Peer{Addr: addr})
			c.Connect(packet.Connect{ClientID: "no", Clean: true})
			c.ExpectClosed()
		}
		for range 100 {
			fail("192.0.2.1:1234")
		}
		synctest.Wait()
		if got := len(said.With("192.0.2.1")); got != refusedLines {
			t.Errorf("300 failures left %d lines, want %d", got, refusedLines)
		}
		fail("198.51.100.1:1")
		synctest.Wait()
		if got := len(said.With("198.51.100.1")); got != 3 {
			t.Errorf("another address has %d lines, want 3", got)
		}
		time.Sleep(2 * time.Minute)
		fail("192.0.2.1:1234")
		synctest.Wait()
		if got := len(said.With(fmt.Sprint("left_out=", 300-refusedLines))); got != 1 {
			t.Errorf("%d lines tell of those left out, want one", got)
		}
		for i := range 500 {
			fail(fmt.Sprintf("203.0.%d.%d:1", i/250, i%250))
		}
		synctest.Wait()
		if got := len(said.With("203.0.")); got > refusedLinesAll {
			t.Errorf("1,500 failures from many addresses left %d lines", got)
		}
		lamp := b.connect(packet.V311, "lamp") // one that was in has its line all the same
		lamp.Close()
		synctest.Wait()
		if got := len(said.With("client=lamp")); got != 1 {
			t.Errorf("the end of a connection left %d lines, want 1", got)
		}
	})
}

// TestAPlaceIsTakenBackAtOnce opens connections while each needs the place of another, which may not be served yet.
func TestAPlaceIsTakenBackAtOnce(t *testing.T) {
	b := newBench(t, Options{Limits: Limits{Unproven: 2}, Log: quiet})
	var opening, serving sync.WaitGroup
	for range 16 {
		opening.Go(func() {
			for range 100 {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				serving.Go(func() { b.ServeConn(ours, Peer{Addr: "192.0.2.1:1"}) })
				serving.Go(func() { theirs.Write([]byte("\x10\x0d")) })
				runtime.Gosched()
			}
		})
	}
	opening.Wait()
	serving.Wait()
	if got := b.Stats().Waiting; got != 0 {
		t.Errorf("%d places are taken after all connections have ended", got)
	}
	b.connect(packet.V5, "lamp")
}
