package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// bench is a server under test with clients on in-memory connections.
type bench struct {
	*Server
	t      testing.TB
	policy *policy
	stop   func() // ends the server and waits for it
}

// newBench runs a server until the test ends. Without an Authorizer in o, the bench's policy decides.
func newBench(t testing.TB, o Options) *bench {
	t.Helper()
	p := &policy{}
	if o.Authorizer == nil {
		o.Authorizer = p
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	b := &bench{Server: s, t: t, policy: p, stop: func() { cancel(); running.Wait() }}
	t.Cleanup(b.stop)
	return b
}

// open returns a client whose connection is open and silent.
func (b *bench) open(version byte) *mqtttest.Client {
	b.t.Helper()
	return b.openAs(version, Peer{Addr: "pipe"})
}

func (b *bench) openAs(version byte, p Peer) *mqtttest.Client {
	b.t.Helper()
	ours, theirs := net.Pipe()
	go b.ServeConn(ours, p)
	return mqtttest.New(b.t, theirs, version)
}

// connect returns a connected client with a clean session.
func (b *bench) connect(version byte, client string) *mqtttest.Client {
	b.t.Helper()
	return b.connectWith(version, packet.Connect{ClientID: client, Clean: true})
}

func (b *bench) connectWith(version byte, p packet.Connect) *mqtttest.Client {
	b.t.Helper()
	c := b.open(version)
	if ack := c.Connect(p); ack.Reason != packet.Success {
		b.t.Fatalf("CONNECT of %q was refused: %v", p.ClientID, ack.Reason)
	}
	return c
}

// both runs a test for each version of the protocol.
func both(t *testing.T, test func(t *testing.T, version byte)) {
	t.Run("3.1.1", func(t *testing.T) { test(t, packet.V311) })
	t.Run("5", func(t *testing.T) { test(t, packet.V5) })
}

// policy is an Authorizer that permits everything but what a test denies: lines such as "connect lamp" or "publish a/b".
type policy struct {
	mu     sync.Mutex
	denied map[string]bool
	asked  []string
}

func (p *policy) deny(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied = map[string]bool{}
	for _, line := range lines {
		p.denied[line] = true
	}
}

func (p *policy) ask(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, line)
	if p.denied[line] {
		return fmt.Errorf("%w: %s", ErrRefused, line)
	}
	return nil
}

func (p *policy) Connect(_ context.Context, c Connect) (Grant, error) {
	if err := p.ask("connect " + c.ClientID); err != nil {
		return nil, err
	}
	principal := c.Peer.Principal
	if principal == "" {
		principal = "someone"
	}
	return permit{p, principal}, nil
}

type permit struct {
	*policy
	principal string
}

func (p permit) Principal() string { return p.principal }
func (p permit) Publish(topic string, retain bool) error {
	if retain {
		if err := p.ask("retain " + topic); err != nil {
			return err
		}
	}
	return p.ask("publish " + topic)
}
func (p permit) Subscribe(filter string) error { return p.ask("subscribe " + filter) }
func (p permit) Receive(topic string) bool     { return p.ask("receive "+topic) == nil }

// echo serves "$aws/things/<thing>/jobs/<op>": it answers on <topic>/accepted with the payload. Topics that end in accepted or
// rejected are reply topics.
type echo struct{}

func (echo) Use(topic string) Use {
	switch {
	case !strings.HasPrefix(topic, "$aws/things/") || strings.HasSuffix(topic, "/notify"):
		return Forbidden
	case strings.HasSuffix(topic, "/accepted"), strings.HasSuffix(topic, "/rejected"):
		return Ignored
	}
	return Served
}

func (echo) Request(r Request, reply func(string, []byte)) {
	reply(r.Topic+"/accepted", r.Payload)
}

// quiet is the log for tests that provoke errors.
var quiet = slog.New(slog.DiscardHandler)

// open is an Authorizer and a Grant that permits everything.
type open struct{}

func (open) Connect(context.Context, Connect) (Grant, error) { return open{}, nil }
func (open) Principal() string                               { return "anybody" }
func (open) Publish(string, bool) error                      { return nil }
func (open) Subscribe(string) error                          { return nil }
func (open) Receive(string) bool                             { return true }
