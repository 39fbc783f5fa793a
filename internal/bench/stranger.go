package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// strangerAim is what the project wants to keep of a connection at the most,
// beyond what an idle one of the same kind costs.
const strangerAim = "≤ 16 KiB"

// unauthenticated measures how much of what connections have sent the server keeps
// before they are authenticated.
func (b *bench) unauthenticated(ctx context.Context) ([]figure, error) {
	profiler, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, filepath.Join(b.dir, "strangers"), "--alpn", anyPort, "--pprof", profiler)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	places, err := s.strangerPlaces()
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, place := range places {
		m := strangers{bench: b, heap: "http://" + profiler, place: place}
		more, err := m.measure(ctx)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", place.name, err)
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// freeAddress returns an address of the loopback interface on which nothing
// listens just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", anyPort)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// strangerPlace is a listener, how an unknown client connects to it, and what it may
// send before it is authenticated.
type strangerPlace struct {
	name string
	addr string
	tls  *tls.Config // nil: without TLS
	says []utterance
}

// utterance is an incomplete message that an unknown client sends.
type utterance struct{ name, text string }

// strangerPlaces returns the listeners of a server.
func (s *server) strangerPlaces() ([]strangerPlace, error) {
	says, err := s.httpUtterances()
	if err != nil {
		return nil, err
	}
	unknown, err := unknownCertificate()
	if err != nil {
		return nil, err
	}
	plain := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	return []strangerPlace{
		{"api", hostOf(s.API), nil, says},
		{"alpn", s.ALPN, plain, says},
		{"https, with a certificate that is registered nowhere", hostOf(s.HTTPS), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{unknown}}, says},
		{"files", hostOf(s.Files), plain, says},
	}, nil
}

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	return u.Host
}

// strangerBody is the stated length of a body in bytes; half of it is sent.
const strangerBody = 1 << 20

// httpUtterances returns what can be said to an HTTP listener.
func (s *server) httpUtterances() ([]utterance, error) {
	known, err := s.credential()
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf("Host: x\r\nContent-Length: %d\r\n\r\n", strangerBody) + strings.Repeat("x", strangerBody/2)
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, "h%d:\r\n", i)
	}
	return []utterance{
		{"a head of 48 KiB without an end", "GET /jobs HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 48<<10)},
		{"a head of 5 KiB without an end", "GET /jobs HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 5<<10)},
		{"a head of 100 short lines without an end", "GET /jobs HTTP/1.1\r\nHost: x\r\n" + strings.Join(strings.SplitAfterN(lines.String(), "\n", 101)[:100], "")},
		{"a head of 5,000 short lines", "GET /jobs HTTP/1.1\r\nHost: x\r\n" + lines.String()},
		{"half a body of 1 MiB without a signature", "PUT /jobs/x HTTP/1.1\r\n" + body},
		{"half a body of 1 MiB with an unknown access key", wronglySigned("AKIANOBODY", "iot") + body},
		{"half a body of 1 MiB with a known access key, not its secret", wronglySigned(known.AccessKeyID, "iot") + body},
		{"8 KiB of a body of 1 MiB with a known access key, not its secret", wronglySigned(known.AccessKeyID, "iot") + body[:8<<10]},
		{"half a job file of 1 MiB with a known access key, not its secret", wronglySigned(known.AccessKeyID, "s3") + body},
	}, nil
}

// wronglySigned returns the begin of a head with a signature that is not genuine.
func wronglySigned(key, service string) string {
	r := &http.Request{Method: http.MethodPut, Host: "x", URL: &url.URL{Path: "/jobs/x"}, Header: http.Header{}}
	sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: key, Secret: "wrong"}, account.Region, service, time.Now())
	var head strings.Builder
	head.WriteString("PUT /jobs/x HTTP/1.1\r\n")
	_ = r.Header.Write(&head) // a strings.Builder takes everything
	return head.String()
}

// strangers are connections to one place.
type strangers struct {
	*bench
	heap  string // base URL of the profiler
	place strangerPlace
}

func (m strangers) measure(ctx context.Context) ([]figure, error) {
	idle, err := m.keptOf(ctx, "")
	if err != nil {
		return nil, err
	}
	m.progress("%s: an idle connection keeps %s", m.place.name, kibibytes(idle))
	var figures []figure
	for _, u := range m.place.says {
		kept, err := m.keptOf(ctx, u.text)
		if err != nil {
			return figures, err
		}
		m.progress("%s: %s keeps %s more", m.place.name, u.name, kibibytes(kept-idle))
		figures = append(figures, figure{
			name:   fmt.Sprintf("%s: kept of each of %s connections that sent %s", m.place.name, count(m.strangers), u.name),
			value:  kibibytes(kept - idle),
			beside: "an idle connection " + kibibytes(idle), aim: strangerAim,
		})
	}
	return figures, nil
}

func kibibytes(bytes float64) string { return fmt.Sprintf("%.1f KiB", bytes/1024) }

// keptOf returns how many bytes the server keeps of each of some connections that
// have sent a text, or as much of it as the server accepts.
func (m strangers) keptOf(ctx context.Context, text string) (float64, error) {
	before, err := m.kept(ctx)
	if err != nil {
		return 0, err
	}
	var all []net.Conn
	var sending sync.WaitGroup
	defer func() {
		for _, c := range all {
			c.Close()
		}
		sending.Wait()
		time.Sleep(m.pause()) // until the server is idle again
	}()
	for range m.strangers {
		c, err := m.place.dial(ctx)
		if err != nil {
			return 0, err
		}
		all = append(all, c)
		sending.Go(func() { _, _ = io.WriteString(c, text) }) // the server may hang up
	}
	time.Sleep(m.pause())
	after, err := m.kept(ctx)
	return float64(after-before) / float64(m.strangers), err
}

// pause is how long the server gets to read what was sent. It is shorter than the
// server waits for more.
func (m strangers) pause() time.Duration { return min(m.rest, time.Second) }

func (p strangerPlace) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil || p.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, p.tls)
	return secure, secure.HandshakeContext(ctx)
}

// kept returns the bytes of the server's heap that are in use, and of its stacks.
func (m strangers) kept(ctx context.Context) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.heap+"/debug/pprof/heap?gc=1&debug=1", http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, name := range []string{"HeapAlloc", "Stack"} {
		_, rest, ok := strings.Cut(string(text), "\n# "+name+" = ")
		n := 0
		if _, err := fmt.Sscan(rest, &n); !ok || err != nil {
			return 0, fmt.Errorf("the heap profile does not say %s", name)
		}
		total += n
	}
	return total, nil
}

// unknownCertificate returns a client certificate that no registry knows.
func unknownCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
