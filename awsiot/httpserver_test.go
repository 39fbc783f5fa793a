package awsiot

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/sigv4"
)

// pipes is a listener; dial makes its connections.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// serveOnPipe serves h in fake time and returns the client's end of its only
// connection. It stops the server at the end of the test.
func serveOnPipe(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	server := NewHTTPServer(h, slog.New(slog.DiscardHandler))
	listener := &pipes{make(chan net.Conn), make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	here, there := net.Pipe()
	listener.accepted <- there
	t.Cleanup(func() {
		_ = here.Close()
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return here
}

func TestSlowClientsAreCut(t *testing.T) {
	tests := map[string]struct {
		sent string
		cut  time.Duration
	}{
		"says nothing":            {"", headerTimeout},
		"stops in the headers":    {"GET /jobs HTTP/1.1\r\nHost: x\r\n", headerTimeout},
		"stops in the body":       {"PUT /jobs/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", readTimeout},
		"does not come back":      {"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", idleTimeout},
		"sends no second request": {"GET /none HTTP/1.1\r\nHost: x\r\n\r\nGET /no", idleTimeout + headerTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serveOnPipe(t, bareServer(nil))
				go func() { _, _ = io.WriteString(conn, test.sent) }()
				began := time.Now()
				_, _ = io.Copy(io.Discard, conn) // until the server hangs up
				if took := time.Since(began); took > test.cut {
					t.Errorf("the connection was cut after %v, want at most %v", took, test.cut)
				}
			})
		})
	}
}

// bareServer is a server without an engine, for requests that need none.
func bareServer(d DataPlane) *Server {
	s := &Server{
		o:          Options{Now: time.Now, Keys: testKeys{}, DataPlane: d, Log: slog.New(slog.DiscardHandler), Observe: func(string, string, string, time.Duration) {}},
		router:     route.New(wire.Operations()),
		operations: map[*wire.Operation]operation{wire.GetPendingJobExecutions: handOver(wire.GetPendingJobExecutions)},
	}
	s.verifier.Lookup, s.verifier.AcceptAnyRegion = s.o.Keys.Lookup, true
	return s
}

// patient is a data plane that answers late and records whether the client was still
// connected.
type patient struct{ wait time.Duration }

func (p patient) ServeCaller(w http.ResponseWriter, r *http.Request, _ identity.Caller) {
	select {
	case <-time.After(p.wait):
		_, _ = io.WriteString(w, "waited")
	case <-r.Context().Done():
		w.WriteHeader(http.StatusTeapot)
	}
}

func TestALongPollOutlastsTheReadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serveOnPipe(t, bareServer(patient{5 * time.Minute})) // the longest of arbitration A11
		r, err := http.NewRequest("GET", "http://x/things/lamp/jobs", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		sigv4.Sign(r, nil, admin, "eu-west-1", "iot-jobs-data", time.Now())
		go func() { _ = r.Write(conn) }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			t.Fatalf("after a long poll: %v", err)
		}
		if body, err := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || string(body) != "waited" {
			t.Errorf("a long poll = %d %s, %v, want 200 waited", answer.StatusCode, body, err)
		}
	})
}

func TestEveryAnswerHasADateAndARequestID(t *testing.T) {
	env := newEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewHTTPServer(env.server, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	for _, path := range []string{"/jobs", "/none", "/jobs?x=" + strings.Repeat("y", maxURI)} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Date", "x-amzn-RequestId", "x-amzn-ErrorType", "Content-Length"} {
			if answer.Header.Get(name) == "" {
				t.Errorf("GET %.20s has no %s: %v", path, name, answer.Header)
			}
		}
		_ = answer.Body.Close()
		_ = conn.Close()
	}
}
