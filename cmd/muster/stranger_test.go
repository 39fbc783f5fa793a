package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/sigv4"
)

// counting is a listener that counts what the server reads of its connections.
type counting struct {
	net.Listener
	read *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c, l.read}, nil
}

type countingConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// stranger is a client that has not authenticated, and what the server reads of it.
type stranger struct {
	*server
	t    *testing.T
	addr string
	tls  *tls.Config // nil: without TLS
	read *atomic.Int64
}

// strangers says how a client reaches each listener of the server: nil for those
// that are not HTTP, whose package bounds what comes before they know a client.
var strangers = map[string]func(*stranger){
	"api":   func(*stranger) {},
	"files": func(s *stranger) { s.tls = new(tls.Config) },
	"alpn":  func(s *stranger) { s.tls = &tls.Config{NextProtos: []string{"http/1.1"}} },
	"https": func(s *stranger) { s.tls = &tls.Config{Certificates: []tls.Certificate{selfMade(s.t)}} },
	"watch": func(*stranger) {},
	"pprof": func(*stranger) {},
	"mqtts": nil, // gateway: TestConnectionsWithoutCONNECTMakeRoom, and door: TestBytesKeptOfStrangers
	"mqtt":  nil, // gateway: TestConnectionsWithoutCONNECTMakeRoom
}

// TestEveryListenerKeepsLittleOfStrangers walks the listeners. On each one, what
// clients send before it is known who they are, heads without an end and bodies
// of every kind, is read as far as it must be and kept within bounds.
func TestEveryListenerKeepsLittleOfStrangers(t *testing.T) {
	c := defaultConfig()
	c.Data = t.TempDir()
	for _, address := range []*string{&c.API, &c.MQTTS, &c.HTTPS, &c.ALPN, &c.Files.Address, &c.MQTTPlain, &c.Metrics, &c.Pprof} {
		*address = "127.0.0.1:0"
	}
	s, err := newServer(c, slog.New(slog.DiscardHandler), newResets())
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]*stranger{}
	doors := reflect.ValueOf(s.doors).Elem()
	for i, l := range s.doors.all() {
		name := doors.Type().Field(i).Name
		reach, ok := strangers[name]
		switch {
		case !ok:
			t.Errorf("the listener %s has no row in strangers: say how a client reaches it", name)
		case *l == nil:
			t.Errorf("the listener %s is off: give it an address in this test", name)
		case reach != nil:
			place := &stranger{server: s, t: t, addr: (*l).Addr().String(), read: new(atomic.Int64)}
			reach(place)
			*l = counting{*l, place.read}
			places[name] = place
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, up := make(chan error, 1), make(chan struct{})
	go func() { ended <- s.run(ctx, func(datafolder.Ready) { close(up) }) }()
	<-up
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			place.t = t
			place.endlessHeads()
			place.manyHeaders()
			for kind, head := range place.bodies() {
				place.refusedBody(kind, head)
			}
			if name == "api" || name == "alpn" {
				place.unprovenBodies()
			}
		})
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := s.close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (s *stranger) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if s.tls == nil {
		return c
	}
	config := s.tls.Clone()
	config.InsecureSkipVerify = true // who the server is does not matter here
	secure := tls.Client(c, config)
	if err := secure.Handshake(); err != nil {
		s.t.Fatal(err)
	}
	return secure
}

// await waits until a condition holds.
func (s *stranger) await(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: still not, with %+v and %d bytes read", what, s.intake.Stats(), s.read.Load())
		}
	}
}

// endlessHeads sends heads without an end until the pool of heads is used up.
func (s *stranger) endlessHeads() {
	s.t.Helper()
	shed := s.intake.Stats().Shed
	var all []net.Conn
	for range 60 {
		c := s.dial()
		go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nLong: "+strings.Repeat("y", 40<<10)) }()
		all = append(all, c)
	}
	s.await("60 heads of 40 KiB without an end, some of them refused", func() bool {
		if got := s.intake.Stats().Heads; got > 1<<20 {
			s.t.Fatalf("unfinished heads take %d bytes of the pool", got)
		}
		return s.intake.Stats().Shed > shed+20
	})
	for _, c := range all {
		_ = c.Close()
	}
	s.await("the pool is free again", func() bool { return s.intake.Stats().Heads == 0 })
}

// manyHeaders sends a head of many short lines. Each costs more memory than its
// bytes.
func (s *stranger) manyHeaders() {
	s.t.Helper()
	c := s.dial()
	go func() {
		var text strings.Builder
		for i := range 10000 {
			fmt.Fprintf(&text, "h%d:\r\n", i)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+text.String())
	}()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		s.t.Errorf("10,000 headers are answered %v, %v, want 431", answer, err)
	}
}

// bodies returns heads of requests that announce a body of bodyLength bytes and
// must be refused by what they say.
func (s *stranger) bodies() map[string]string {
	heads := map[string]string{
		"no signature":       "PUT /jobs/x HTTP/1.1\r\n",
		"a device's request": "POST /things/x/jobs/y HTTP/1.1\r\n",
		"a message":          "POST /topics/x HTTP/1.1\r\n",
		"an unknown path":    "PUT /no/such/path HTTP/1.1\r\n",
	}
	for _, service := range []string{"iot", "s3"} {
		r, _ := http.NewRequest("PUT", "http://x/jobs/x", http.NoBody)
		sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: "AKIANOBODY", Secret: "none"}, s.c.Region, service, time.Now())
		heads["an unknown key for "+service] = signedHead(r)
		if service == "s3" {
			continue
		}
		r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64))
		sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: s.keys.List()[0].AccessKeyID, Secret: "wrong"}, s.c.Region, service, time.Now())
		heads["a wrong secret with a stated hash"] = signedHead(r)
	}
	return heads
}

func signedHead(r *http.Request) string {
	var head strings.Builder
	fmt.Fprintf(&head, "PUT /jobs/x HTTP/1.1\r\n")
	_ = r.Header.Write(&head)
	return head.String()
}

const bodyLength = 1 << 20

// refusedBody sends a long body after a head that names an unknown caller.
func (s *stranger) refusedBody(kind, head string) {
	s.t.Helper()
	const most = 96 << 10 // two TLS records, a handshake, and what a buffer takes
	before := s.read.Load()
	c := s.dial()
	go func() {
		_, _ = io.WriteString(c, head+fmt.Sprintf("Host: x\r\nContent-Length: %d\r\n\r\n", bodyLength)+strings.Repeat("z", bodyLength))
	}()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.t.Errorf("%s: %v, want an answer", kind, err)
		return
	}
	if answer.StatusCode < 400 && s.addr != s.doors.pprof.Addr().String() {
		s.t.Errorf("%s: %s, want it refused", kind, answer.Status)
	}
	if got := s.read.Load() - before; got > most {
		s.t.Errorf("%s: %s, and %d bytes of it were read, want at most %d", kind, answer.Status, got, most)
	}
	_ = c.Close()
}

// unprovenBodies sends bodies that a signature covers, with a known access key
// and without its secret: they must be read to find that out.
func (s *stranger) unprovenBodies() {
	s.t.Helper()
	r, _ := http.NewRequest("PUT", "http://x/jobs/x", http.NoBody)
	sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: s.keys.List()[0].AccessKeyID, Secret: "wrong"}, s.c.Region, "iot", time.Now())
	head, shed := signedHead(r), s.intake.Stats().Shed
	var all []net.Conn
	for range 30 {
		c := s.dial()
		go func() {
			_, _ = io.WriteString(c, head+fmt.Sprintf("Host: x\r\nContent-Length: %d\r\n\r\n", bodyLength)+strings.Repeat("z", bodyLength/2))
		}()
		all = append(all, c)
	}
	s.await("30 bodies of 512 KiB without an end, some of them refused", func() bool {
		if got := s.intake.Stats().Bodies; got > 3<<20 {
			s.t.Fatalf("unfinished bodies take %d bytes of the pool", got)
		}
		return s.intake.Stats().Shed > shed+10
	})
	for _, c := range all {
		_ = c.Close()
	}
	s.await("the pool is free again", func() bool { return s.intake.Stats().Bodies == 0 })
}

// selfMade returns a client certificate that no registry knows.
func selfMade(t *testing.T) tls.Certificate {
	t.Helper()
	return selfMadeUntil(t, time.Now().Add(time.Hour))
}

// selfMadeUntil is selfMade with its last instant.
func selfMadeUntil(t *testing.T, end time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-2 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
