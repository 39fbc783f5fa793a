package main

import (
	"testing"
	"time"

	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/nats"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/operator"
)

// Every node knows who listens for a device, on whichever node the device and the listener are.
func TestEveryNodeKnowsWhoListens(t *testing.T) {
	n := startNodes(t, 3, postgres.Shared(t).Database(t), nats.Start(t, nats.Options{}).URL())
	ctx := t.Context()
	if err := n[0].CreateThing(ctx, "lamp"); err != nil {
		t.Fatal(err)
	}
	if err := n[0].CreateJob(ctx, "fw", "arn:aws:iot:us-east-1:000000000000:thing/lamp", "{}"); err != nil {
		t.Fatal(err)
	}
	code := func(at *running) explain.Code {
		t.Helper()
		e, err := operator.Client{API: at.Client}.Explain(ctx, "lamp", "fw")
		if err != nil {
			t.Fatal(err)
		}
		return e.Code
	}
	all := func(of []*running, is func(explain.Code) bool) func() bool {
		return func() bool {
			for _, node := range of {
				if !is(code(node)) {
					return false
				}
			}
			return true
		}
	}
	deaf := func(c explain.Code) bool { return c == explain.NotListening }
	heard := func(c explain.Code) bool { return c == explain.Told }

	lamp := n[1].resume(t, "lamp", false)
	within(t, 20*time.Second, "a device that is not subscribed listens", all(n, deaf))
	listener := n[2].subscriber(t, "lamp")
	within(t, 10*time.Second, "nobody knows of the listener", all(n, heard))
	listener.Send(&packet.Disconnect{})
	within(t, 10*time.Second, "the listener has gone", all(n, deaf))
	lamp.Subscribe(1, "$aws/things/+/jobs/notify-next")
	within(t, 10*time.Second, "nobody knows of the wildcard", all(n, heard))

	// A node that does not answer may have whoever listens.
	n[2].subscriber(t, "lamp")
	lamp.Send(&packet.Unsubscribe{ID: 9, Filters: []string{"$aws/things/+/jobs/notify-next"}})
	for acknowledged := false; !acknowledged; {
		_, acknowledged = lamp.Next().(*packet.Unsuback)
	}
	n[2].kill(t)
	for range 3 {
		if got := code(n[0]); deaf(got) {
			t.Errorf("right after the node of the listener was killed: %s", got)
		}
	}
	within(t, 30*time.Second, "the dead node is waited for", all(n[:2], deaf))
}
