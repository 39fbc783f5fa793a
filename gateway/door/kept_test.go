package door

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
)

// keptMax is what a connection may make the server keep before its client has proven who it is, beyond what an idle connection of
// the same kind keeps that still has all of its handshake. An idle connection as servers have it by default keeps less, and a
// bound beyond that would fall with it.
const keptMax = 16 << 10

// way brings the client's end of a connection to the point at which it stops, and returns what must be kept alive with it.
type way func(net.Conn) any

// stops are an idle connection to a listener, and the points where a client can stop before the end of its CONNECT.
type stops struct {
	idle     way
	stranger map[string]way
}

// TestBytesKeptOfStrangers stops clients at every point, on every listener of the gateway, and counts the bytes of heap and stacks
// that each connection keeps after a garbage collection. Both ends are in this process and in memory; the client's end of a
// stalled connection keeps no more than that of an idle one.
func TestBytesKeptOfStrangers(t *testing.T) {
	const n = 100
	longest := append([]byte{0x10, 0xfd, 0x3f}, make([]byte, 8188)...) // all but a byte of the 8 KiB that a CONNECT may have
	short := (&packet.Connect{Version: packet.V311, Clean: true}).Append(nil, packet.V311)
	for name, listener := range map[string]stops{
		"mqtts":      overTLS(t, longest, short),
		"mqtt-plain": overTCP(longest, short),
		"websocket":  overWebSocket(t, longest, short),
	} {
		idle := keptBy(t, n, name, listener.idle, false)
		t.Logf("%-11s %-31s %6d bytes", name, "idle", idle)
		for stop, stall := range listener.stranger {
			kept := keptBy(t, n, name, stall, true)
			if kept-idle > keptMax { // try with more connections, among which the runtime's own memory counts less
				idle, kept = keptBy(t, 4*n, name, listener.idle, false), keptBy(t, 4*n, name, stall, true)
			}
			t.Logf("%-11s %-31s %6d bytes, %+d", name, stop, kept, kept-idle)
			if kept-idle > keptMax {
				t.Errorf("%s, %s: %d bytes are kept of each connection, %d of an idle one; at most %d more are allowed",
					name, stop, kept, idle, keptMax)
			}
		}
	}
}

func overTLS(t *testing.T, longest, short []byte) stops {
	flight := firstFlight(t)
	secure := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}}
	shake := func(c net.Conn) *tls.Conn {
		front := tls.Client(c, secure)
		if err := front.Handshake(); err != nil {
			t.Error(err)
		}
		return front
	}
	inside := func(parts ...[]byte) way {
		return func(c net.Conn) any {
			front := shake(c)
			for _, part := range parts {
				front.Write(part)
			}
			return front
		}
	}
	below := func(b []byte) way { // the record layer
		return func(c net.Conn) any { front := shake(c); c.Write(b); return front }
	}
	second := func(b []byte) way { // where the client's certificate belongs, when the server has done its computing
		return func(c net.Conn) any {
			c.Write(flight)
			io.ReadAtLeast(c, make([]byte, 4096), 512)
			c.Write(b)
			return c
		}
	}
	unread := func(c net.Conn) any { // but for a byte, which says that the server has done its computing
		c.Write(flight)
		io.ReadFull(c, make([]byte, 1))
		return c
	}
	return stops{answered(inside(short)), map[string]way{
		"nothing":                                sending(),
		"a record announced":                     sending([]byte{22, 3, 1, 9, 0}),
		"half a ClientHello":                     sending(flight[:len(flight)/2]),
		"nearly all of the longest ClientHello":  sending(record(helloOwn - recordHeader)[:helloOwn-1]),
		"a ClientHello of key shares, not whole": sending(withShares(500)[:2000]),
		"a ClientHello":                          unread,
		"a certificate announced":                second([]byte{23, 3, 3, 0x18, 0}),
		"nearly all of the largest certificate":  second(record(handshakeOwn - len(flight) - recordHeader)[:handshakeOwn-len(flight)-1]),
		"a handshake":                            inside(nil),
		"a record announced after it":            below([]byte{23, 3, 3, 0x40, 0}),
		"half a record after it":                 below(append([]byte{23}, record(16384)[1:8192]...)),
		"one byte of CONNECT":                    inside(longest[:1]),
		"half of the longest CONNECT":            inside(longest[:len(longest)/2]),
		"nearly all of the longest":              inside(longest),
		"the longest in two":                     inside(longest[:10], longest[10:]),
		"the longest in many":                    inside(slices.Collect(slices.Chunk(longest, 500))...),
	}}
}

func overTCP(longest, short []byte) stops {
	return stops{answered(sending(short)), map[string]way{
		"nothing":                   sending(),
		"one byte of CONNECT":       sending(longest[:1]),
		"a CONNECT announced":       sending(longest[:5]),
		"nearly all of the longest": sending(longest),
		"the longest in two":        sending(longest[:10], longest[10:]),
	}}
}

func overWebSocket(t *testing.T, longest, short []byte) stops {
	const request = "GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	upgrade := func(b []byte) way {
		return func(c net.Conn) any {
			io.WriteString(c, request)
			if _, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil); err != nil {
				t.Error(err)
			}
			c.Write(b)
			return c
		}
	}
	return stops{answered(upgrade(frame(short))), map[string]way{
		"nothing":                    upgrade(nil),
		"half the header of a frame": upgrade([]byte{0x82, 0xff}),
		"a huge frame announced":     upgrade([]byte{0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4}),
		"a fragment":                 upgrade(append([]byte{0x02}, frame(longest[:100])[1:]...)),
		"half of a ping":             upgrade([]byte{0x89, 0x80 | 125, 1, 2, 3, 4, 5}),
		"nearly all of the longest":  upgrade(frame(longest)),
	}}
}

// sending is a way that sends something.
func sending(parts ...[]byte) way {
	return func(c net.Conn) any {
		for _, part := range parts {
			c.Write(part)
		}
		return c
	}
}

// answered goes on to CONNACK.
func answered(act way) way {
	return func(c net.Conn) any {
		front := act(c)
		io.ReadAtLeast(front.(io.Reader), make([]byte, 16), 4)
		return front
	}
}

// frame returns a masked WebSocket frame, masked with zeros.
func frame(b []byte) []byte {
	return append([]byte{0x82, 0x80 | 126, byte(len(b) >> 8), byte(len(b)), 0, 0, 0, 0}, b...)
}

// keptBy serves n connections of one listener, each after act has brought it where it stays, and returns the bytes kept by each.
// With slim, connections over TLS drop what only the handshake needed, as they do by default.
func keptBy(t *testing.T, n int, listener string, act way, slim bool) int {
	t.Helper()
	s, err := gateway.New(t.Context(), gateway.Options{
		Authorizer: anybody{}, SlimTLS: slim, Limits: gateway.Limits{ConnectTimeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { s.Run(ctx) })
	certificates := []tls.Certificate{newCertificate(t, ecdsaKey())}
	d, err := New(Options{
		Certificates: func() []tls.Certificate { return certificates }, MQTT: s.ServeTLS, HandshakeTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	running.Go(func() {
		switch listener {
		case "mqtts":
			d.Serve(ctx, p, MQTTS)
		case "mqtt-plain":
			s.Serve(ctx, p)
		case "websocket":
			stop := context.AfterFunc(ctx, func() { p.Close() })
			defer stop()
			http.Serve(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.ServeWebSocket(w, r, gateway.Peer{Addr: "192.0.2.1:1", Transport: "wss"})
			}))
		}
	})
	open := make([]net.Conn, n)
	kept := make([]any, n)
	open[0] = p.dialed() // what is made once is made before counting
	kept[0] = act(open[0])
	settle := func(n int) int {
		for least, before := math.MaxInt, math.MaxInt; ; before = least { // until it falls no more: what is under way comes to its end
			waitFor(t, "all stay", func() bool {
				return d.Stats().Waiting+s.Stats().Waiting+s.Stats().Connections == int64(n) && d.gate.rests()
			})
			var m runtime.MemStats
			for range 3 { // stacks shrink by half each time
				runtime.GC()
			}
			runtime.ReadMemStats(&m)
			if least = min(least, int(m.HeapAlloc+m.StackInuse)); least > before-n*256 {
				return least
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	before := settle(1)
	for i := 1; i < n; i++ {
		open[i] = p.dialed()
		kept[i] = act(open[i])
	}
	after := settle(n)
	for _, c := range open {
		c.Close()
	}
	runtime.KeepAlive(kept)
	return (after - before) / (n - 1)
}

// rests reports whether no handshake computes or waits to.
func (g *gate) rests() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free == runtime.GOMAXPROCS(0)
}

// dialed returns the client's end of a new connection.
func (p *pipes) dialed() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}
