package main

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/postgres"
)

// resume connects a client with a session of an hour and checks whether it was there.
func (s *running) resume(t *testing.T, client string, present bool) *mqtttest.Client {
	t.Helper()
	conn, err := net.Dial("tcp", s.ready.MQTTAddr)
	if err != nil {
		t.Fatal(err)
	}
	c := mqtttest.New(t, conn, packet.V5)
	ack := c.Connect(packet.Connect{ClientID: client, KeepAlive: 60, Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, 3600)})
	if ack.Reason != packet.Success || ack.SessionPresent != present {
		t.Fatalf("CONNECT of %s: %v, session present %v, want %v", client, ack.Reason, ack.SessionPresent, present)
	}
	return c
}

// On real servers: messages and sessions go from node to node, and survive the end of one.
func TestClientsOfThreeNodes(t *testing.T) {
	n := startNodes(t, 3, postgres.Shared(t).Database(t), nats.Start(t, nats.Options{}).URL())
	a, b, c := n[0], n[1], n[2]
	time.Sleep(3 * time.Second) // until all have heard of each other

	old := a.resume(t, "lamp", false)
	old.Subscribe(1, "news/+", "$aws/things/lamp/jobs/notify")
	sender := b.resume(t, "sender", false)
	began := time.Now()
	for i := range 100 {
		sender.Publish("news/a", fmt.Sprint(i))
		old.ExpectMessage("news/a", fmt.Sprint(i))
	}
	t.Logf("%s for a message of QoS 1 to another node and its acknowledgement", time.Since(began)/100)

	// The client moves, to and fro.
	began = time.Now()
	for i := range 50 {
		text := fmt.Sprint("moved ", i)
		sender.Publish("news/a", text)
		old.ExpectUnacknowledged("news/a", text)
		now := n[(i+1)%3].resume(t, "lamp", true)
		for got := ""; got != text; { // one that it has just acknowledged may come again
			p := now.Next().(*packet.Publish)
			got = string(p.Payload)
			now.Send(&packet.Puback{ID: p.ID})
		}
		old.ExpectDisconnect(packet.SessionTakenOver)
		old = now
	}
	t.Logf("%s for a client to move", time.Since(began)/50)

	// DeleteConnection and retained messages, from another node.
	if err := b.Call(t.Context(), "POST", "/topics/kept/x?retain=true&qos=1", object{"on": true}, nil); err != nil {
		t.Fatal(err)
	}
	retained := c.resume(t, "retained", false)
	retained.Subscribe(1, "kept/x")
	retained.ExpectMessage("kept/x", `{"on":true}`)
	if err := a.Call(t.Context(), "DELETE", "/connections/retained?cleanSession=true", nil, nil); err != nil {
		t.Fatal(err)
	}
	retained.ExpectDisconnect(packet.AdministrativeAction)
	a.resume(t, "retained", false)

	// A node dies with sessions: of a client that is away, and of one that is connected.
	away := c.resume(t, "away", false)
	away.Subscribe(1, "news/+")
	away.Close()
	there := c.resume(t, "there", false)
	there.Subscribe(1, "news/+")
	sender.Publish("news/b", "before")
	c.kill(t)
	for i := range 10 {
		sender.Send(&packet.Publish{Topic: "news/b", Payload: fmt.Append(nil, i), QoS: 1, ID: uint16(i + 1)})
	}
	began = time.Now()
	time.Sleep(5 * time.Second) // a packet is waited for no longer than ten
	for i := range 10 {
		sender.Expect(&packet.Puback{ID: uint16(i + 1)})
	}
	t.Logf("messages for a node that died were acknowledged after %s", time.Since(began))
	for _, client := range []string{"away", "there"} {
		back := a.resume(t, client, true)
		back.ExpectMessage("news/b", "before")
		for i := range 10 {
			back.ExpectMessage("news/b", fmt.Sprint(i))
		}
	}
}
