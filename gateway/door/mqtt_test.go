package door

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
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
