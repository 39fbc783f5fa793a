package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/sigv4"
)

// longestConnect is the size of the largest CONNECT that the gateway accepts.
const longestConnect = 8 << 10

// unauthenticatedMQTT measures how much memory the server keeps for clients that stop
// before they are authenticated: at every point at which a client can stop on the
// way to MQTT.
func (b *bench) unauthenticatedMQTT(ctx context.Context) ([]figure, error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	profile, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, f.folder, "--alpn", anyPort, "--pprof", profile)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	way, err := newWays(ctx, s, f)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, l := range way.listeners() {
		idle, err := b.kept(ctx, profile, l.idle)
		if err != nil {
			return figures, fmt.Errorf("%s, idle: %w", l.name, err)
		}
		for _, p := range l.points {
			kept, err := b.kept(ctx, profile, p.stop)
			if err != nil {
				return figures, fmt.Errorf("%s, %s: %w", l.name, p.name, err)
			}
			figures = append(figures, figure{
				name:   fmt.Sprintf("%s, %s: bytes kept of each connection", l.name, p.name),
				value:  count(kept.each()) + kept.lost(),
				beside: fmt.Sprintf("%s of an idle connection%s", count(idle.each()), idle.lost()), aim: "≤ " + count(cmp.Or(p.most, l.most)),
			})
			b.progress("%s, %s: %s", l.name, p.name, figures[len(figures)-1].value)
		}
	}
	return figures, nil
}

// keeping is what a server keeps of n connections, in heap and stacks after a
// garbage collection.
type keeping struct{ n, bytes, gone int }

// each is the bytes of each connection that is still there.
func (k keeping) each() int { return k.bytes / max(k.n-k.gone, 1) }

func (k keeping) lost() string {
	if k.gone == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d were closed meanwhile)", k.gone)
}

// kept opens connections and measures while all of them are there.
func (b *bench) kept(ctx context.Context, profile string, open func(context.Context, int) (net.Conn, error)) (keeping, error) {
	k := keeping{n: b.strangers}
	before, err := settledMemory(ctx, profile)
	if err != nil {
		return k, err
	}
	all := make([]net.Conn, k.n)
	defer func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
		time.Sleep(b.rest)
	}()
	err = inParallel(shaking, k.n, func(_, i int) (err error) {
		all[i], err = open(ctx, i)
		return err
	})
	if err != nil {
		return k, err
	}
	time.Sleep(min(b.rest, time.Second))
	after, err := settledMemory(ctx, profile)
	if err != nil {
		return k, err
	}
	k.bytes = after - before
	for _, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(time.Microsecond))
		if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) {
			k.gone++
		}
	}
	return k, nil
}

// settledMemory returns the memory in use after some garbage collections, each of
// which halves the stacks that have room to spare.
func settledMemory(ctx context.Context, profile string) (bytes int, err error) {
	for range 4 {
		if bytes, err = memoryInUse(ctx, profile); err != nil {
			return 0, err
		}
	}
	return bytes, nil
}

// memoryInUse asks the profiler of a server for its heap and stacks.
func memoryInUse(ctx context.Context, profile string) (bytes int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+profile+"/debug/pprof/heap?gc=1&debug=1", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	found := 0
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		var n int
		for _, form := range []string{"# HeapAlloc = %d", "# Stack = %d"} {
			if _, err := fmt.Sscanf(lines.Text(), form, &n); err == nil {
				bytes += n
				found++
			}
		}
	}
	if found != 2 {
		return 0, fmt.Errorf("the profiler at %s does not tell what memory is in use: %s", profile, answer.Status)
	}
	return bytes, nil
}

// ways are the ways to MQTT.
type ways struct {
	*server
	devices    *fleet
	hello      []byte // the first that a TLS client sends
	credential sigv4.Credential
}

func newWays(ctx context.Context, s *server, f *fleet) (*ways, error) {
	credential, err := s.credential()
	if err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _ = tls.Client(theirs, f.tlsConfig(0)).HandshakeContext(ctx) }() // ends with the pipe
	hello := make([]byte, 4096)
	n, err := ours.Read(hello)
	return &ways{s, f, hello[:n], credential}, err
}

// listener is one listener, an idle connection to it, and where clients stop.
type listener struct {
	name   string
	most   int // bytes that a connection may make the server keep
	idle   func(context.Context, int) (net.Conn, error)
	points []point
}

// What a connection may make the server keep: 16 KiB more than an idle one on the same
// listener kept on 28 November 2026, which was 11,255 bytes over TLS, 2,982 without and
// 9,846 over WebSocket; rounded down. An idle connection has become smaller since then, so it
// is no measure for the others.
const (
	mostTLS       = 27_600
	mostPlain     = 19_300
	mostWebSocket = 26_200
)

// mostLarge is that of one of the few handshakes that may have 32 KiB in place of 4.
const mostLarge = mostTLS + 28<<10

type point struct {
	name string
	stop func(context.Context, int) (net.Conn, error)
	most int // 0: that of the listener
}

func (w *ways) listeners() []listener {
	// All but the last byte of the longest CONNECT, and an honest one.
	long := append([]byte{byte(packet.CONNECT) << 4, 0xfd, 0x3f}, make([]byte, longestConnect-4)...)
	connect := func(i int) []byte {
		return (&packet.Connect{Version: packet.V311, ClientID: deviceName(i), Clean: true}).Append(nil, packet.V311)
	}
	certificate := append([]byte{23, 3, 3, 0x18, 0}, make([]byte, 6000)...) // nearly all of a record
	var all []listener
	for name, addr := range map[string]string{"mqtts": w.MQTTS, "alpn": w.ALPN} {
		device := func(sent []byte) func(context.Context, int) (net.Conn, error) {
			return func(ctx context.Context, i int) (net.Conn, error) { return w.secure(ctx, name, addr, i, sent) }
		}
		all = append(all, listener{name, mostTLS, answered(device(nil), connect), []point{
			{"nothing sent", send(addr), 0},
			{"half a ClientHello", send(addr, w.hello[:len(w.hello)/2]), 0},
			{"a ClientHello", send(addr, w.hello), 0},
			{"a ClientHello and most of a long certificate chain", w.second(addr, certificate), mostLarge},
			{"TLS without CONNECT", device(nil), 0},
			{"half of the longest CONNECT", device(long[:len(long)/2]), 0},
			{"the longest CONNECT but for a byte", device(long), 0},
		}})
	}
	all = append(all, listener{"mqtt-plain", mostPlain, answered(send(w.MQTT), connect), []point{
		{"nothing sent", send(w.MQTT), 0},
		{"the longest CONNECT but for a byte", send(w.MQTT, long), 0},
	}})
	half := "GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: web"
	return append(all, listener{"WebSocket", mostWebSocket, answered(w.webSocket(nil), func(i int) []byte { return frame(connect(i)) }), []point{
		{"half an upgrade", send(w.API[len("http://"):], []byte(half)), 0},
		{"upgraded without CONNECT", w.webSocket(nil), 0},
		{"half the head of a frame", w.webSocket([]byte{0x82, 0xff, 0, 0}), 0},
		{"a fragment of the longest CONNECT", w.webSocket(append([]byte{0x02}, frame(long)[1:]...)), 0},
	}})
}

// frame returns a WebSocket frame as a client sends it, masked with zeros.
func frame(b []byte) []byte {
	return append([]byte{0x82, 0x80 | 126, byte(len(b) >> 8), byte(len(b)), 0, 0, 0, 0}, b...)
}

// send returns a way to connect and send something.
func send(addr string, parts ...[]byte) func(context.Context, int) (net.Conn, error) {
	return func(ctx context.Context, i int) (net.Conn, error) {
		c, err := endpoint{addr: addr}.dial(ctx, i)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if _, err := c.Write(part); err != nil {
				return c, err
			}
		}
		return c, nil
	}
}

// second returns a way to send a ClientHello, and something once the server has
// answered it.
func (w *ways) second(addr string, sent []byte) func(context.Context, int) (net.Conn, error) {
	return func(ctx context.Context, i int) (net.Conn, error) {
		c, err := send(addr, w.hello)(ctx, i)
		if err != nil {
			return c, err
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAtLeast(c, make([]byte, 4096), 512); err != nil {
			return c, err
		}
		_, err = c.Write(sent)
		return c, err
	}
}

// secure connects as a device and sends something inside TLS.
func (w *ways) secure(ctx context.Context, listener, addr string, i int, sent []byte) (net.Conn, error) {
	raw, err := endpoint{addr: addr}.dial(ctx, i)
	if err != nil {
		return nil, err
	}
	config := w.devices.tlsConfig(i % len(w.devices.certificates))
	if listener == "alpn" {
		config.NextProtos = []string{"x-amzn-mqtt-ca"}
	}
	c := tls.Client(raw.Conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return c, err
	}
	_, err = c.Write(sent)
	return c, err
}

// answered returns a way to open a connection, send what connect returns and wait
// for the answer.
func answered(open func(context.Context, int) (net.Conn, error), connect func(int) []byte) func(context.Context, int) (net.Conn, error) {
	return func(ctx context.Context, i int) (net.Conn, error) {
		c, err := open(ctx, i)
		if err != nil {
			return c, err
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Write(connect(i)); err != nil {
			return c, err
		}
		_, err = io.ReadAtLeast(c, make([]byte, 16), 4)
		return c, err
	}
}

// webSocket returns a way to upgrade a connection and send something.
func (w *ways) webSocket(sent []byte) func(context.Context, int) (net.Conn, error) {
	return func(ctx context.Context, i int) (net.Conn, error) {
		c, err := endpoint{addr: w.API[len("http://"):]}.dial(ctx, i)
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.API+"/mqtt", nil)
		if err != nil {
			return c, err
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		} {
			r.Header.Set(name, value)
		}
		sigv4.Sign(r, nil, w.credential, account.Region, "iotdevicegateway", time.Now())
		if err := r.Write(c); err != nil {
			return c, err
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		answer, err := http.ReadResponse(c.in, r)
		if err != nil {
			return c, err
		}
		answer.Body.Close() // what follows on the connection is WebSocket's
		if answer.StatusCode != http.StatusSwitchingProtocols {
			return c, fmt.Errorf("no WebSocket: %s", answer.Status)
		}
		_, err = c.Write(sent)
		return c, err
	}
}
