package door

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// pipes is a listener in memory, so that a thousand clients cost no file descriptors.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(t *testing.T) net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	t.Cleanup(func() { ours.Close() })
	ours.SetDeadline(time.Now().Add(30 * time.Second))
	return ours
}

// openPipes serves a door of one kind in memory.
func openPipes(t *testing.T, k Kind, o Options) (*Door, *pipes) {
	t.Helper()
	certificates := []tls.Certificate{newCertificate(t, ecdsaKey())}
	o.Certificates = func() []tls.Certificate { return certificates }
	serve := func(c *tls.Conn) {
		defer c.Close()
		io.WriteString(c, "hello")
	}
	o.MQTT, o.HTTPS = serve, serve
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := d.Serve(ctx, p, k); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	return d, p
}

// firstFlight returns what a client sends first.
func firstFlight(t *testing.T) []byte {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go tls.Client(theirs, &tls.Config{InsecureSkipVerify: true, ServerName: "x"}).Handshake()
	b := make([]byte, 4096)
	ours.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestStalledHandshakesHoldNobodyUp opens far more connections than may compute at once, stalled wherever a client can stall, and
// then one that does its part: it is served while all others are still there.
func TestStalledHandshakesHoldNobodyUp(t *testing.T) {
	const each = 275
	d, p := openPipes(t, MQTTS, Options{AtOnce: 1, HandshakeTimeout: 20 * time.Second})
	flight := firstFlight(t)
	stalled := int64(0)
	for name, stall := range map[string]func(net.Conn){
		"silent":                     func(net.Conn) {},
		"half a ClientHello":         func(c net.Conn) { c.Write(flight[:len(flight)/2]) },
		"a ClientHello, not reading": func(c net.Conn) { c.Write(flight) },
		"a ClientHello, reading": func(c net.Conn) {
			c.Write(flight)
			io.ReadAtLeast(c, make([]byte, 4096), 512)
		},
	} {
		for range each {
			c := p.dial(t)
			stall(c)
		}
		stalled += each
		waitFor(t, name+": all have come", func() bool { return d.Stats().Waiting == stalled })
	}
	c := tls.Client(p.dial(t), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{newCertificate(t, ecdsaKey())}})
	said, err := io.ReadAll(c)
	if err != nil || string(said) != "hello" {
		t.Errorf("heard %q, %v", said, err)
	}
	if got := d.Stats(); got.Waiting != stalled || got.Failed != 0 {
		t.Errorf("%d handshakes wait, %d failed; want all %d still there", got.Waiting, got.Failed, stalled)
	}
}

// TestWhatIsKeptOfAnUnfinishedRecord counts bytes, not time: of a record that is announced, room is made only for what has come.
func TestWhatIsKeptOfAnUnfinishedRecord(t *testing.T) {
	for _, come := range []int{5, 6, 500, 3000, 8000} {
		ours, theirs := net.Pipe()
		c := &client{Conn: &counted{Conn: theirs}, shaking: &handshake{begun: true}}
		read := make(chan error, 1)
		go func() { _, err := c.next(); read <- err }()
		record := append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 16384)...) // 16 KiB announced
		ours.Write(record[:come])
		biggest := c.Conn.(*counted)
		ours.Close()
		if err := <-read; err == nil {
			t.Errorf("%d bytes were a whole record", come)
		}
		if room := biggest.most(); room > 2*come+recordStep {
			t.Errorf("for %d bytes of a record there was room for %d", come, room)
		}
	}
}

// counted remembers how much room reads were given in all beyond what had come.
type counted struct {
	net.Conn
	mu   sync.Mutex
	come int
	room int
}

func (c *counted) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.room = max(c.room, c.come+len(p))
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.come += n
	return n, err
}

func (c *counted) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.room
}

func TestClientsThatSendTooMuchAreCutOff(t *testing.T) {
	record := func(n int) []byte { return append([]byte{22, 3, 1, byte(n >> 8), byte(n)}, make([]byte, n)...) }
	for name, x := range map[string]struct {
		sent  []byte
		begun bool
		want  error
	}{
		"a ClientHello as large as may be": {record(helloMax - recordHeader), false, nil},
		"a larger one":                     {record(helloMax), false, errTooMuch},
		"one in many records":              {bytes.Repeat(record(1000), 9), false, errTooMuch},
		"a record for later":               {record(16384), true, nil},
		"two of them":                      {bytes.Repeat(record(16384), 2), true, errTooMuch},
		"no TLS":                           {[]byte("GET / HTTP/1.1\r\n"), false, nil},
	} {
		ours, theirs := net.Pipe()
		go func() { ours.Write(x.sent); ours.Close() }()
		c := &client{Conn: theirs, shaking: &handshake{begun: x.begun}}
		var err error
		for range len(x.sent) {
			if _, err = c.next(); err != nil {
				break
			}
		}
		if x.want == nil && errors.Is(err, errTooMuch) || x.want != nil && !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
		ours.Close()
	}
}

func TestThoseWhoHaveBegunGoFirst(t *testing.T) {
	g := &gate{}
	order := make(chan string)
	queued := func(n int) func() bool {
		return func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.begun)+len(g.fresh) == n
		}
	}
	gone, leave := context.WithCancel(t.Context())
	for i, x := range []struct {
		name  string
		begun bool
		ctx   context.Context
	}{{"fresh 1", false, t.Context()}, {"gone", false, gone}, {"fresh 2", false, t.Context()}, {"begun 1", true, t.Context()}, {"begun 2", true, t.Context()}} {
		go func() {
			if g.enter(x.ctx, x.begun) == nil {
				order <- x.name
				g.leave()
			} else {
				order <- "left"
			}
		}()
		waitFor(t, x.name+" waits", queued(i+1))
	}
	leave()
	if got := <-order; got != "left" {
		t.Fatalf("%s came in", got)
	}
	g.leave() // which lets the first one in
	for _, want := range []string{"begun 1", "begun 2", "fresh 1", "fresh 2"} {
		if got := <-order; got != want {
			t.Errorf("%s came in, want %s", got, want)
		}
	}
	waitFor(t, "the gate is free again", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return g.free == 1 })
}
