package door

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/admission"
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
	if d.large.Held() != 0 {
		t.Errorf("%d places for large handshakes are taken", d.large.Held())
	}
	waitFor(t, "the one that was served has left its place", func() bool { return d.Stats().Waiting <= stalled })
	if got := d.Stats(); got.Waiting != stalled || got.Failed != 0 {
		t.Errorf("%d handshakes wait, %d failed; want all %d still there", got.Waiting, got.Failed, stalled)
	}
}

// newClient returns the door's side of a connection, after the handshake or in it, and the client's.
func newClient(t *testing.T, h *handshake) (*client, net.Conn) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	if h != nil {
		d := &Door{gate: &gate{free: 1}, pool: admission.New(1), large: admission.New(1)}
		h.door, h.ctx, h.raw, h.left, h.places = d, t.Context(), theirs, time.Minute, []*admission.Place{d.pool.Take("", func() {})}
	}
	return &client{Conn: theirs, shaking: h}, ours
}

// record returns a TLS record with n bytes in it.
func record(n int) []byte { return append([]byte{22, 3, 1, byte(n >> 8), byte(n)}, make([]byte, n)...) }

// TestWhatIsKeptOfAnUnfinishedRecord counts bytes, not time: of a record that is announced, room is made only for what has come, in
// the handshake and after it.
func TestWhatIsKeptOfAnUnfinishedRecord(t *testing.T) {
	for _, h := range []*handshake{{begun: true}, nil} {
		for _, come := range []int{1, 5, 6, 500, 3000, 8000} {
			c, ours := newClient(t, h)
			read := make(chan error, 1)
			go func() { _, err := c.Read(make([]byte, 512)); read <- err }()
			ours.Write(record(9000)[:come])
			ours.Close()
			if err := <-read; err == nil {
				t.Errorf("%d bytes were a whole record", come)
			}
			if room := cap(c.held); room > come+recordStep {
				t.Errorf("for %d bytes of a record there is room for %d", come, room)
			}
		}
	}
}

func TestRecordsComeThroughHoweverTheyAreCut(t *testing.T) {
	var all []byte
	for i := range 60 {
		all = append(all, record(i*i*4)...)
	}
	for _, step := range []int{1, 2, 4, 5, 7, 512, 1000, 5000, 100_000} {
		c, ours := newClient(t, nil)
		go func() {
			for b := range slices.Chunk(all, step) {
				ours.Write(b)
			}
			ours.Close()
		}()
		var got []byte
		var err error
		for p := make([]byte, 700); err == nil; {
			var n int
			n, err = c.Read(p)
			got = append(got, p[:n]...)
			if n == 0 && err == nil {
				t.Fatal("Read returned nothing")
			}
		}
		if !errors.Is(err, io.EOF) || !bytes.Equal(got, all) {
			t.Errorf("in steps of %d: %d bytes and %v, want %d as they were", step, len(got), err, len(all))
		}
		if c.sent < provenAfter || c.sent > len(all) || c.held != nil {
			t.Errorf("in steps of %d: %d bytes counted, %d held", step, c.sent, len(c.held))
		}
	}
}

// prefixed puts the length of b before it, in a number of the given size.
func prefixed(size int, b []byte) []byte {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	return append(length[4-size:], b...)
}

// clientHello returns a record with a ClientHello that has the given extensions.
func clientHello(extensions []byte) []byte {
	body := slices.Concat([]byte{3, 3}, make([]byte, 32), prefixed(1, nil), prefixed(2, []byte{0x13, 1}), prefixed(1, []byte{0}))
	if extensions != nil {
		body = append(body, prefixed(2, extensions)...)
	}
	return slices.Concat([]byte{typeHandshake, 3, 1}, prefixed(2, append([]byte{typeClientHello}, prefixed(3, body)...)))
}

// withShares returns one with n key shares of a byte, among other extensions.
func withShares(n int) []byte {
	share := append([]byte{0, 29}, prefixed(2, []byte{1})...)
	shares := append([]byte{0, keyShares}, prefixed(2, prefixed(2, bytes.Repeat(share, n)))...)
	names := append([]byte{0, 16}, prefixed(2, prefixed(2, prefixed(1, []byte("mqtt"))))...)
	return clientHello(slices.Concat(names, shares, names))
}

// inTwoRecords cuts the message in a record.
func inTwoRecords(one []byte) []byte {
	body := one[recordHeader:]
	return slices.Concat(one[:3], prefixed(2, body[:20]), one[:3], prefixed(2, body[20:]))
}

func FuzzOrdinary(f *testing.F) {
	for _, b := range [][]byte{withShares(3), withShares(100), clientHello(nil), record(10), nil, withShares(3)[:60]} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if ordinary(b) && len(b) < recordHeader+4+34 {
			t.Errorf("%x is an ordinary ClientHello", b)
		}
	})
}

func TestClientsThatSendTooMuchAreCutOff(t *testing.T) {
	for name, x := range map[string]struct {
		sent  []byte
		begun bool
		want  error
		large bool // it takes a place of those
	}{
		"a ClientHello":                     {firstFlight(t), false, io.EOF, false},
		"one with many key shares":          {withShares(300), false, io.EOF, true},
		"one with as many as usual":         {withShares(sharesMax), false, io.EOF, false},
		"one in two records":                {inTwoRecords(withShares(1)), false, io.EOF, true},
		"one without extensions":            {clientHello(nil), false, io.EOF, false},
		"something else":                    {record(2000), false, io.EOF, true},
		"a large one":                       {record(helloOwn), false, io.EOF, true},
		"a large one in many records":       {bytes.Repeat(record(500), 6), false, io.EOF, true},
		"a large one, only announced":       {record(helloOwn)[:recordHeader], false, io.EOF, true},
		"a usual certificate":               {record(3500), true, io.EOF, false},
		"a chain in three records":          {bytes.Repeat(record(3000), 3), true, io.EOF, true},
		"more than anything needs":          {bytes.Repeat(record(16384), 2), true, errTooMuch, true},
		"more than anything needs, at once": {record(40000)[:recordHeader], true, errTooMuch, false},
		"no TLS":                            {bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 1000), false, io.EOF, true}, // crypto/tls refuses it
	} {
		h := &handshake{begun: x.begun}
		c, ours := newClient(t, h)
		go func() { ours.Write(x.sent); ours.Close() }()
		var err error
		for p := make([]byte, 512); err == nil; {
			_, err = c.Read(p)
		}
		if !errors.Is(err, x.want) || h.door.large.Held() > 0 != x.large {
			t.Errorf("%s: %v, in a place for large ones: %v; want %v, %v", name, err, !x.large, x.want, x.large)
		}
		ours.Close()
		if h.leave(); h.door.large.Held()+h.door.pool.Held() != 0 {
			t.Errorf("%s: a place is left taken", name)
		}
	}
}

// TestLargeHandshakesMakeRoomForEachOther: a stalled large handshake does not keep a device with a long chain out.
func TestLargeHandshakesMakeRoomForEachOther(t *testing.T) {
	d, p := openPipes(t, MQTTS, Options{HandshakeTimeout: time.Minute})
	first := p.dial(t)
	first.Write(record(5000)[:3000])
	for range largeMax - 1 {
		p.dial(t).Write(record(5000)[:3000])
	}
	waitFor(t, "all are in", func() bool { return d.large.Held() == largeMax })
	long := newCertificate(t, rsaKey())
	for range 9 {
		long.Certificate = append(long.Certificate, long.Certificate[0])
	}
	said, err := io.ReadAll(tls.Client(p.dial(t), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{long}}))
	if err != nil || string(said) != "hello" {
		t.Errorf("a device with a chain of ten heard %q, %v", said, err)
	}
	if _, err := first.Read(make([]byte, 1)); err == nil || d.Stats().Shed != 1 {
		t.Errorf("%d shed and the first reads %v; want it closed, alone", d.Stats().Shed, err)
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
