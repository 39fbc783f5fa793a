package sessions

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// silence is how long a server may keep a connection on which nothing is sent.
const silence = 100 * time.Second

func takeoverContinuesTheSession(r *room) {
	a := r.topic("a")
	r.holding(a)
	c := r.lamp(true, nil)
	c.ExpectMessage(a, "held")
	r.say(a, "live")
	c.ExpectMessage(a, "live")
	c.ExpectNothing()
}

func takeoverIsToldTheOldClient(r *room) {
	old := r.visitor("lamp")
	r.visitor("lamp").ExpectNothing()
	old.ExpectDisconnect(packet.SessionTakenOver)
}

// takeoverOfAFullSocket fails when CONNACK waits for a write to the old connection.
func takeoverOfAFullSocket(r *room) {
	a := r.topic("a")
	conn := r.open()
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(4 << 10); err != nil {
			r.Fatal(err)
		}
	}
	old := mqtttest.New(r, conn, r.version)
	old.Connect(packet.Connect{ClientID: r.name + "-lamp", Clean: true, KeepAlive: 40})
	old.Subscribe(1, a)
	defer old.StopReading()()
	payloads := make([]string, 100)
	for i := range payloads {
		payloads[i] = strings.Repeat("x", 100_000) // together more than any socket holds
	}
	r.say(a, payloads...)
	r.visitor("lamp").ExpectNothing()
}

func packetsBehindConnect(r *room) {
	a := r.topic("a")
	c := mqtttest.New(r, r.open(), r.version)
	c.Send(&packet.Connect{Version: r.version, ClientID: r.name, Clean: true},
		&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: a}}},
		&packet.Publish{Topic: a, Payload: []byte("x")}, packet.Pingreq{})
	if ack, ok := c.Next().(*packet.Connack); !ok || ack.Reason != packet.Success {
		r.Fatalf("CONNECT was answered with %+v", ack)
	}
	c.Expect(&packet.Suback{ID: 1, Reasons: []packet.Reason{packet.Success}})
	c.ExpectMessage(a, "x")
	c.Expect(packet.Pingresp{})
}

// longKeepAlive has a keep-alive of which one and a half times is more than 16 bits hold.
func longKeepAlive(r *room) {
	c, _ := r.connect(packet.Connect{ClientID: "lamp", Clean: true, KeepAlive: 43691})
	r.say(r.topic("a"), "a while later")
	c.ExpectNothing()
}

func aliasAlone(r *room) {
	a := r.topic("a")
	c := r.visitor("lamp")
	c.Subscribe(0, a)
	c.Send(&packet.Publish{Topic: a, Payload: []byte("named"), HasAlias: true, Alias: 1})
	c.ExpectMessage(a, "named")
	c.Send(&packet.Publish{Payload: []byte("alias alone"), HasAlias: true, Alias: 1, QoS: 1, ID: 1})
	var acknowledged, arrived bool
	for range 2 { // in the order the server likes
		switch p := c.Next().(type) {
		case *packet.Puback:
			acknowledged = p.Reason == packet.Success
		case *packet.Publish:
			arrived = p.Topic == a && string(p.Payload) == "alias alone"
		}
	}
	if !acknowledged || !arrived {
		r.Errorf("acknowledged %v, arrived %v; want both", acknowledged, arrived)
	}
}

func willOfALostClient(r *room) {
	a := r.topic("a")
	watcher := r.visitor("watcher")
	watcher.Subscribe(1, a)
	for _, polite := range []bool{true, false} {
		c, _ := r.connect(packet.Connect{ClientID: "lamp", Clean: true, Will: &packet.Will{Topic: a, Payload: []byte("lost"), QoS: 1}})
		if polite {
			r.leave(c)
			watcher.ExpectNothing()
			continue
		}
		c.Close()
		watcher.ExpectMessage(a, "lost")
	}
}

// retainedMessage keeps to exact filters.
func retainedMessage(r *room) {
	a := r.topic("a")
	r.retain(a, "old")
	r.retain(a, "new")
	c := r.visitor("lamp")
	c.Subscribe(1, a)
	if p := c.ExpectMessage(a, "new"); !p.Retain {
		r.Error("a retained message sent because of a SUBSCRIBE lacks the RETAIN flag")
	}
	r.retain(a, "")
	if p := c.ExpectMessage(a, ""); p.Retain {
		r.Error("a live message has the RETAIN flag")
	}
	c = r.visitor("other")
	c.Subscribe(1, a)
	c.ExpectNothing()
}

// retain publishes a retained message and returns when it is acknowledged.
func (r *room) retain(topic, payload string) {
	r.Helper()
	c := r.visitor("speaker")
	c.Send(&packet.Publish{Topic: topic, Payload: []byte(payload), Retain: true, QoS: 1, ID: 1})
	r.expectPuback(c, 1)
	r.leave(c)
}

func silentConnectionIsClosed(r *room) {
	c := r.open()
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		r.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		r.Errorf("a connection without CONNECT: %v, want the server to close it within %v", err, silence)
	}
}
