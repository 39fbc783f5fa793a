package intake_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/intake"
)

// pipes is a listener whose connections are made by dial. It counts the bytes that
// the server reads from them.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}

	mu   sync.Mutex
	read int
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

type counted struct {
	net.Conn
	by *pipes
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.by.mu.Lock()
	defer c.by.mu.Unlock()
	c.by.read += n
	return n, err
}

// site is a server with an intake, in a synctest bubble.
type site struct {
	*intake.Intake
	t  *testing.T
	on *pipes
}

// serve serves h with limits until the test ends.
func serve(t *testing.T, l intake.Limits, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{intake.New(l), t, &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	guarded := s.Guard(server, s.on)
	go func() { ended <- server.Serve(guarded) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		lingered()
	})
	return s
}

// lingered waits until net/http has closed the connections that it ended.
func lingered() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// client is one end of a connection. It buffers what arrives.
type client struct {
	net.Conn
	said chan string
}

func (s *site) dial() *client {
	here, there := net.Pipe()
	s.on.accepted <- counted{there, s.on}
	c := &client{here, make(chan string, 1)}
	s.t.Cleanup(func() { _ = here.Close() })
	go func() {
		text, _ := io.ReadAll(here)
		c.said <- string(text)
	}()
	return c
}

// send writes as much as the server reads, and waits until all goroutines block.
func (c *client) send(text string) {
	go func() { _, _ = io.WriteString(c, text) }()
	synctest.Wait()
}

// answer ends the connection and returns what the server wrote.
func (c *client) answer() string {
	_ = c.Close()
	return <-c.said
}

func longHead(bytes int) string {
	return "GET / HTTP/1.1\r\nHost: x\r\nLong: " + strings.Repeat("y", bytes)
}

func TestHeadsShareTheirRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, intake.Limits{Own: 4 << 10, Heads: 100 << 10}, func(http.ResponseWriter, *http.Request) {})
		var all []*client
		refused := 0
		for range 50 {
			c := s.dial()
			c.send(longHead(30 << 10))
			all = append(all, c)
		}
		if got := s.Stats().Heads; got == 0 || got > 100<<10 {
			t.Errorf("50 unfinished heads take %d bytes of the pool, want some, and at most 100 KiB", got)
		}
		short := s.dial()
		short.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := short.answer(); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("beside them a short request is answered %q", got)
		}
		for _, c := range all {
			if strings.HasPrefix(c.answer(), "HTTP/1.1 503") {
				refused++
			}
		}
		lingered()
		if refused < 40 {
			t.Errorf("%d of 50 were told that there is no room, want at least 40", refused)
		}
		if got := s.Stats(); got.Heads != 0 || got.Waiting != 0 || got.Shed == 0 {
			t.Errorf("after all have left: %+v, want nothing taken and some shed", got)
		}
	})
}

func TestAHeadHasFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, intake.Limits{}, func(http.ResponseWriter, *http.Request) {})
		c := s.dial()
		c.send("GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a:\r\n", 5000))
		if got := c.answer(); !strings.HasPrefix(got, "HTTP/1.1 431") {
			t.Errorf("5,000 headers are answered %.40q, want 431", got)
		}
		if s.on.read > 8<<10 {
			t.Errorf("the server read %d bytes of them", s.on.read)
		}
	})
}

// Of a request in the same packet as the previous one, the head is counted, not the
// body.
func TestRequestsInOnePacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, intake.Limits{Own: 1 << 10, Heads: 1 << 10}, func(w http.ResponseWriter, r *http.Request) {
			intake.Known(r.Context())
			body, err := intake.Body(r, 1<<20)
			fmt.Fprintf(w, "%d %v;", len(body), err)
		})
		body := strings.Repeat("\n", 200) + strings.Repeat("z", 20<<10)
		request := fmt.Sprintf("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		c := s.dial()
		c.send(strings.Repeat(request, 3))
		if got := c.answer(); strings.Count(got, "20680 <nil>;") != 3 {
			t.Errorf("three requests in one packet are answered %q", got)
		}
	})
}

func TestBodiesOfTheUnknownShareTheirRoom(t *testing.T) {
	for name, read := range map[string]func(*http.Request) ([]byte, error){
		"with Body":  func(r *http.Request) ([]byte, error) { return intake.Body(r, 1<<20) },
		"in any way": func(r *http.Request) ([]byte, error) { return io.ReadAll(r.Body) },
	} {
		t.Run(name, func(t *testing.T) { bodiesShareTheirRoom(t, read) })
	}
}

func bodiesShareTheirRoom(t *testing.T, read func(*http.Request) ([]byte, error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		answers := map[string]int{}
		var mu sync.Mutex
		s := serve(t, intake.Limits{Own: 4 << 10, Bodies: 100 << 10}, func(_ http.ResponseWriter, r *http.Request) {
			_, err := read(r)
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(errors.Is(err, intake.ErrBusy))]++
		})
		var all []*client
		for range 50 {
			c := s.dial()
			c.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("z", 40<<10))
			all = append(all, c)
		}
		if got := s.Stats().Bodies; got == 0 || got > 100<<10 {
			t.Errorf("50 unfinished bodies take %d bytes of the pool, want some, and at most 100 KiB", got)
		}
		mu.Lock()
		if answers["true"] < 40 {
			t.Errorf("%d of 50 found no room, want at least 40", answers["true"])
		}
		mu.Unlock()
		for _, c := range all {
			c.answer()
		}
		lingered()
		if got := s.Stats(); got.Bodies != 0 {
			t.Errorf("after all have left: %+v", got)
		}
	})
}

// What a known client sends is not counted, nor is what it sent before it became
// known.
func TestTheKnownAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, intake.Limits{Own: 4 << 10, Bodies: 30 << 10}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				first := make([]byte, 20<<10)
				_, _ = io.ReadFull(r.Body, first)
			}
			intake.Known(r.Context())
			body, err := intake.Body(r, 1<<20)
			fmt.Fprintf(w, "%d %v", len(body), err)
		})
		for range 3 {
			c := s.dial()
			c.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("z", 100000))
			if got := c.answer(); !strings.HasSuffix(got, "100000 <nil>") {
				t.Errorf("a body of somebody known: %q", got)
			}
		}
		if got := s.Stats(); got.Bodies != 0 || got.Heads != 0 {
			t.Errorf("%+v, want nothing taken", got)
		}
	})
}

func TestABodyHasALimit(t *testing.T) {
	for name, request := range map[string]string{
		"announced": "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + strings.Repeat("z", 1001),
		"in chunks": "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("z", 1001) + "\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, intake.Limits{}, func(w http.ResponseWriter, r *http.Request) {
					_, err := intake.Body(r, 1000)
					fmt.Fprint(w, errors.Is(err, intake.ErrTooLarge))
				})
				c := s.dial()
				c.send(request)
				if got := c.answer(); !strings.Contains(got, "true") {
					t.Errorf("1,001 bytes where 1,000 may be: %q", got)
				}
			})
		})
	}
}

// Of a request that is refused by its head, only the head is read.
func TestARefusedBodyIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, intake.Limits{}, func(w http.ResponseWriter, r *http.Request) {
			intake.Unread(w, r)
			w.WriteHeader(http.StatusForbidden)
		})
		c := s.dial()
		c.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("z", 1000000))
		if s.on.read > 8<<10 {
			t.Errorf("the server read %d bytes of a request that it refused by its head", s.on.read)
		}
		if got := c.answer(); !strings.HasPrefix(got, "HTTP/1.1 403") || !strings.Contains(got, "Connection: close") {
			t.Errorf("it is answered %q", got)
		}
		again := s.dial()
		again.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := again.answer(); strings.Count(got, "HTTP/1.1 403") != 2 {
			t.Errorf("after a short body the connection is not used again: %q", got)
		}
	})
}

// The connection that is closed is the oldest that was never known, and one that was
// known only when there is no other.
func TestTheOldestStrangerGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, intake.Limits{Waiting: 3}, func(_ http.ResponseWriter, r *http.Request) { intake.Known(r.Context()) })
		const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
		known := s.dial()
		known.send(request)
		var strangers []*client
		for range 4 {
			strangers = append(strangers, s.dial())
			synctest.Wait()
		}
		for i, gone := range []bool{true, true, false, false} {
			select {
			case <-strangers[i].said:
				if !gone {
					t.Errorf("stranger %d was closed", i)
				}
			default:
				if gone {
					t.Errorf("stranger %d was not closed", i)
				}
			}
		}
		known.send(request)
		if got := known.answer(); strings.Count(got, "HTTP/1.1 200") != 2 {
			t.Errorf("a connection that was known is answered %q, want two answers", got)
		}
		if got := s.Stats(); got.Shed != 2 || got.Waiting > 3 {
			t.Errorf("%+v, want 2 shed and at most 3 that wait", got)
		}
	})
}

func TestABodyWithoutAConnectionIsRead(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := intake.Body(r, 10); string(body) != "hello" || err != nil {
		t.Errorf("Body = %q, %v", body, err)
	}
	intake.Known(context.Background())
}
