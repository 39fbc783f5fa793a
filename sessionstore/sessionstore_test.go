package sessionstore_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/sessiontest"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

func TestInMemory(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) func() gateway.SessionStore {
		s := storetest.Twice(teststore.New(t, func() store.Store { return memstore.New() }))
		t.Cleanup(func() { s.Close() })
		return func() gateway.SessionStore { return sessionstore.On(s, reserve.Endless) }
	})
}

func TestInPebble(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) func() gateway.SessionStore {
		dir := t.TempDir()
		var s *pebblestore.Store
		t.Cleanup(func() { s.Close() })
		return func() gateway.SessionStore {
			if s != nil {
				s.Close()
			}
			var err error
			if s, err = pebblestore.Open(dir, pebblestore.Options{}); err != nil {
				t.Fatal(err)
			}
			return sessionstore.On(s, reserve.Endless)
		}
	})
}

// anybody permits everything.
type anybody struct{}

func (anybody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return anybody{}, nil
}
func (anybody) Principal() string          { return "anybody" }
func (anybody) Publish(string, bool) error { return nil }
func (anybody) Subscribe(string) error     { return nil }
func (anybody) Receive(string) bool        { return true }

// life runs a gateway on the store in disk until the returned function ends it. The client is connected to it with a persistent
// session.
func life(t *testing.T, disk vfs.FS) (c *mqtttest.Client, end func()) {
	t.Helper()
	s, err := pebblestore.Open("data", pebblestore.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(t.Context(), gateway.Options{Authorizer: anybody{}, Sessions: sessionstore.On(s, reserve.Endless)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	ours, theirs := net.Pipe()
	go g.ServeConn(ours, gateway.Peer{Addr: "pipe"})
	c = mqtttest.New(t, theirs, packet.V311)
	c.Connect(packet.Connect{ClientID: "lamp"})
	return c, func() { cancel(); running.Wait(); s.Close() }
}

func TestMQ57And61WhatWasAcknowledgedSurvivesThePowerCut(t *testing.T) {
	disk := vfs.NewCrashableMem()
	c, end := life(t, disk)
	c.Subscribe(1, "inbox")
	for i, p := range []packet.Publish{
		{Topic: "kept", Payload: []byte("old"), Retain: true},
		{Topic: "kept", Payload: []byte("new"), Retain: true},
		{Topic: "gone", Payload: []byte("x"), Retain: true},
		{Topic: "gone", Retain: true},
	} {
		p.QoS, p.ID = 1, uint16(i+1)
		c.Send(&p)
		c.Expect(&packet.Puback{ID: p.ID})
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{}) // only what was synced
	end()

	c, end = life(t, crashed)
	defer end()
	c.Subscribe(1, "gone")
	c.Subscribe(1, "kept")
	if m := c.ExpectMessage("kept", "new"); !m.Retain {
		t.Error("the retained message lacks the RETAIN flag")
	}
	c.Send(&packet.Publish{Topic: "inbox", Payload: []byte("the subscription is still there")})
	c.ExpectMessage("inbox", "the subscription is still there")
	c.ExpectNothing()
}
