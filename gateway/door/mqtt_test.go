package door

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/proxyproto"
	"github.com/muster-iot/muster/internal/logtest"
)

// anybody permits every client everything; the principal is as long as the certificate.
type anybody struct{ principal string }

func (anybody) Connect(_ context.Context, c gateway.Connect) (gateway.Grant, error) {
	return anybody{fmt.Sprint(len(c.Peer.Certificate))}, nil
}
func (a anybody) Principal() string        { return a.principal }
func (anybody) Publish(string, bool) error { return nil }
func (anybody) Subscribe(string) error     { return nil }
func (anybody) Receive(string) bool        { return true }

// slowly is a connection that writes a few bytes at a time.
type slowly struct{ net.Conn }

func (s slowly) Write(p []byte) (n int, err error) {
	for size := 1; n < len(p) && err == nil; size = size%40 + 7 {
		end := min(n+size, len(p))
		_, err = s.Conn.Write(p[n:end])
		n = end
	}
	return n, err
}

// peers are who connected.
type peers struct {
	anybody
	came chan gateway.Peer
}

func (p peers) Connect(ctx context.Context, c gateway.Connect) (gateway.Grant, error) {
	p.came <- c.Peer
	return p.anybody.Connect(ctx, c)
}

// A header comes before TLS, and the client that it names is the peer from then on.
func TestTheClientOfABalancerIsThePeer(t *testing.T) {
	p := peers{came: make(chan gateway.Peer, 1)}
	s, err := gateway.New(t.Context(), gateway.Options{Authorizer: p, SlimTLS: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	log := &logtest.Log{}
	d, err := New(Options{
		Certificates: func() []tls.Certificate { return []tls.Certificate{newCertificate(t, ecdsaKey())} },
		MQTT:         s.ServeTLS, Wrap: s.Wrap, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := proxyproto.New(proxyproto.Options{Balancers: proxyproto.Networks{netip.MustParsePrefix("127.0.0.0/8")}})
	running.Go(func() {
		if err := d.Serve(ctx, front.Listen(l), MQTTS); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	dial := func() net.Conn {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(raw, "PROXY TCP6 2001:db8::9 2001:db8::1 56324 8883\r\n"); err != nil {
			t.Fatal(err)
		}
		return raw
	}
	c := mqtttest.New(t, tls.Client(dial(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}}), packet.V5)
	c.Connect(packet.Connect{ClientID: "lamp", Clean: true})
	if got := (<-p.came).Addr; got != "[2001:db8::9]:56324" {
		t.Errorf("the peer is %s, want the client of the balancer", got)
	}
	c.Subscribe(1, "a")
	c.Send(&packet.Publish{Topic: "a", Payload: []byte("hello")})
	c.ExpectMessage("a", "hello")

	bad := dial()
	defer bad.Close()
	_, _ = io.WriteString(bad, "GET / HTTP/1.1\r\n\r\n") // if it fails, no line is written
	waitFor(t, "a refused handshake has a line with the client's address", func() bool { return len(log.With("peer=[2001:db8::9]:56324")) == 1 })
}

func TestMQTTOverTLSWithDribbledRecords(t *testing.T) {
	device := newCertificate(t, ecdsaKey())
	for mode, o := range map[string]gateway.Options{
		"goroutines":          {Goroutines: true},
		"poller":              {},
		"slim":                {SlimTLS: true},
		"slim and goroutines": {SlimTLS: true, Goroutines: true},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprint(mode, ", ", tls.VersionName(version)), func(t *testing.T) {
				o.Authorizer = anybody{}
				s, err := gateway.New(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				var running sync.WaitGroup
				running.Go(func() { s.Run(ctx) })
				t.Cleanup(func() { cancel(); running.Wait() })
				_, addr, _ := open(t, MQTTS, func(o *Options) { o.MQTT, o.Wrap = s.ServeTLS, s.Wrap })
				for i := range 5 {
					raw, err := net.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					tc := tls.Client(slowly{raw}, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{device}})
					c := mqtttest.New(t, tc, packet.V5)
					c.Connect(packet.Connect{ClientID: fmt.Sprint("device", i), Clean: true})
					c.Subscribe(1, "a")
					for n := 1; n < 100_000; n = n*3 + 1 {
						payload := string(make([]byte, n))
						c.Send(&packet.Publish{Topic: "a", Payload: []byte(payload)})
						c.ExpectMessage("a", payload)
					}
					c.ExpectNothing()
				}
				if n := s.DisconnectPrincipal(fmt.Sprint(len(device.Certificate[0])), gateway.AuthError); n != 5 {
					t.Errorf("DisconnectPrincipal ended %d connections, want 5", n)
				}
				for start := time.Now(); s.Stats().Connections > 0; time.Sleep(time.Millisecond) {
					if time.Since(start) > 5*time.Second {
						t.Fatal("connections of the principal are still there after 5 s")
					}
				}
			})
		}
	}
}
