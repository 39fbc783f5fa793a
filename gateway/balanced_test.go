package gateway

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/proxyproto"
)

// asked is an Authorizer that remembers who connected.
type asked struct {
	Authorizer
	peers chan Peer
}

func (a asked) Connect(ctx context.Context, c Connect) (Grant, error) {
	a.peers <- c.Peer
	return a.Authorizer.Connect(ctx, c)
}

// The client of a balancer is served as if it had come directly: with its own address, and without a goroutine where
// others need none.
func TestTheClientOfABalancerIsThePeer(t *testing.T) {
	modes(t, func(t *testing.T, v byte, goroutines bool) {
		a := asked{&policy{}, make(chan Peer, 1)}
		b := newBench(t, Options{Authorizer: a, Goroutines: goroutines})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		front := proxyproto.New(proxyproto.Options{Balancers: proxyproto.Networks{netip.MustParsePrefix("127.0.0.0/8")}})
		ctx, cancel := context.WithCancel(context.Background())
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := b.Serve(ctx, front.Listen(l)); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		t.Cleanup(func() { cancel(); serving.Wait() })
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "PROXY TCP4 203.0.113.9 198.51.100.1 56324 1883\r\n"); err != nil {
			t.Fatal(err)
		}
		c := mqtttest.New(t, conn, v)
		c.Connect(packet.Connect{ClientID: "lamp", Clean: true})
		if got := (<-a.peers).Addr; got != "203.0.113.9:56324" {
			t.Errorf("the peer is %s, want the client of the balancer", got)
		}
		c.Subscribe(1, "a")
		c.Send(&packet.Publish{Topic: "a", Payload: []byte("hello")})
		c.ExpectMessage("a", "hello")
		b.Server.mu.Lock()
		defer b.Server.mu.Unlock()
		for open := range b.Server.open {
			if got := open.socket != nil; got == goroutines {
				t.Errorf("the connection is polled: %v", got)
			}
		}
	})
}
