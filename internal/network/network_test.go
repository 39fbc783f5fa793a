package network

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// answering opens a server that answers each line with its name and the line, until the test ends.
func answering(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if _, err := io.WriteString(c, name+lines.Text()+"\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a line and returns the answer, within a time.
func ask(c net.Conn, line string, within time.Duration) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(within))
	b := make([]byte, 100)
	n, err := c.Read(b)
	return string(b[:n]), err
}

const (
	soon   = 50 * time.Millisecond
	surely = 10 * time.Second
)

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func open(t *testing.T, to string) *Link {
	t.Helper()
	l, err := NewLink(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestALinkIsCutAndMended(t *testing.T) {
	l := open(t, answering(t, "a"))
	c := dial(t, l.Address())
	if got, err := ask(c, "1", surely); got != "a1\n" || err != nil {
		t.Fatalf("whole: %q, %v", got, err)
	}
	l.Cut()
	if got, err := ask(c, "2", surely); err == nil || isTimeout(err) {
		t.Errorf("cut: %q, %v; want a reset", got, err)
	}
	if fresh, err := net.Dial("tcp", l.Address()); err == nil { // the reset may come at once
		defer fresh.Close()
		if got, err := ask(fresh, "2", surely); err == nil || isTimeout(err) {
			t.Errorf("cut, a new connection: %q, %v; want a reset", got, err)
		}
	}
	l.Mend()
	if got, err := ask(dial(t, l.Address()), "3", surely); got != "a3\n" || err != nil {
		t.Errorf("mended: %q, %v", got, err)
	}
}

func TestALinkLeadsElsewhere(t *testing.T) {
	l := open(t, answering(t, "a"))
	c := dial(t, l.Address())
	if got, err := ask(c, "1", surely); got != "a1\n" || err != nil { // now the link has accepted it
		t.Fatalf("before: %q, %v", got, err)
	}
	l.Aim(answering(t, "b"))
	if got, err := ask(c, "2", surely); got != "a2\n" || err != nil {
		t.Errorf("the connection that was there: %q, %v", got, err)
	}
	if got, err := ask(dial(t, l.Address()), "3", surely); got != "b3\n" || err != nil {
		t.Errorf("a new connection: %q, %v", got, err)
	}
}

func TestAStalledLinkTellsNobody(t *testing.T) {
	l := open(t, answering(t, "a"))
	c := dial(t, l.Address())
	if _, err := ask(c, "1", surely); err != nil {
		t.Fatal(err)
	}
	l.Stall()
	fresh := dial(t, l.Address())
	for _, c := range []net.Conn{c, fresh} {
		if got, err := ask(c, "2", soon); !isTimeout(err) {
			t.Errorf("stalled: %q, %v; want nothing", got, err)
		}
	}
	l.Mend()
	for _, c := range []net.Conn{c, fresh} {
		_ = c.SetReadDeadline(time.Now().Add(surely))
		b := make([]byte, 100)
		if n, err := c.Read(b); string(b[:n]) != "a2\n" {
			t.Errorf("mended: %q, %v; want what was asked before", b[:n], err)
		}
	}
}

func TestASlowLink(t *testing.T) {
	l := open(t, answering(t, "a"))
	c := dial(t, l.Address())
	l.Slow(soon)
	began := time.Now()
	if got, err := ask(c, "1", surely); got != "a1\n" || err != nil {
		t.Fatalf("slow: %q, %v", got, err)
	}
	if took := time.Since(began); took < 2*soon {
		t.Errorf("there and back took %v, want %v and more", took, 2*soon)
	}
}

func TestAnAnswerIsLost(t *testing.T) {
	l := open(t, answering(t, "a"))
	c, other := dial(t, l.Address()), dial(t, l.Address())
	var asked atomic.Bool
	l.LoseAnswer("COMMIT", func() { asked.Store(true) })
	if got, err := ask(c, "BEGIN", surely); got != "aBEGIN\n" || err != nil {
		t.Fatalf("before: %q, %v", got, err)
	}
	if got, err := ask(c, "COMMIT", surely); err == nil || isTimeout(err) || !asked.Load() {
		t.Errorf("the answer is %q, %v; want a reset, after the server has answered", got, err)
	}
	if got, err := ask(other, "COMMIT", surely); got != "aCOMMIT\n" || err != nil {
		t.Errorf("the next one: %q, %v; want it answered", got, err)
	}
}

// The far side sees that the near one has ended, and the other way round.
func TestAnEndIsPassedOn(t *testing.T) {
	l := open(t, answering(t, "a"))
	c := dial(t, l.Address())
	if _, err := ask(c, "1", surely); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(surely))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes, %v; want the end", n, err)
	}
	for end := time.Now().Add(surely); l.Connections() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the link keeps the connection")
		}
	}
}

func TestABalancerTakesTheServersThatAreWell(t *testing.T) {
	gone := nowhere(t)
	var sick atomic.Int32
	sick.Store(-1)
	b, err := NewBalancer(BalancerOptions{Well: func(server int) bool { return server != int(sick.Load()) }}, answering(t, "a"), gone, answering(t, "c"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	answers := func() map[string]int {
		all := map[string]int{}
		for range 6 {
			got, err := ask(dial(t, b.Address()), "1", surely)
			if err != nil {
				t.Fatal(err)
			}
			all[got]++
		}
		return all
	}
	if got := answers(); got["a1\n"] == 0 || got["c1\n"] == 0 {
		t.Errorf("answers come from %v, want both servers that are there", got)
	}
	sick.Store(0)
	if got := answers(); got["c1\n"] != 6 {
		t.Errorf("answers come from %v, want the one that is well", got)
	}
	sick.Store(2)
	if got := answers(); got["a1\n"] != 6 {
		t.Errorf("answers come from %v, want the one that is well", got)
	}
}

// A server that moves gets its clients at its new address, and those that are dropped come again.
func TestABalancerFollowsAServer(t *testing.T) {
	b, err := NewBalancer(BalancerOptions{}, answering(t, "a"), answering(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	var before []net.Conn
	for range 2 {
		c := dial(t, b.Address())
		if _, err := ask(c, "1", surely); err != nil {
			t.Fatal(err)
		}
		before = append(before, c)
	}
	b.Move(0, "")
	b.Move(1, answering(t, "c"))
	for range 4 {
		if got, err := ask(dial(t, b.Address()), "2", surely); got != "c2\n" || err != nil {
			t.Errorf("a new connection: %q, %v; want the server that is left, at its new address", got, err)
		}
	}
	b.Drop(0)
	lost := 0
	for _, c := range before {
		if _, err := ask(c, "3", surely); err != nil {
			lost++
		}
	}
	if lost != 1 {
		t.Errorf("%d connections are dropped, want that of one server", lost)
	}
}

// nowhere returns an address where nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

func TestHeaders(t *testing.T) {
	at := func(text string) net.Conn {
		return addressed{remote: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text))}
	}
	for _, c := range []struct {
		header         Header
		client, server string
		want           string
	}{
		{None, "203.0.113.9:56324", "127.0.0.1:443", ""},
		{Version1, "203.0.113.9:56324", "127.0.0.1:443", "PROXY TCP4 203.0.113.9 127.0.0.1 56324 443\r\n"},
		{Version1, "[2001:db8::9]:56324", "127.0.0.1:443", "PROXY TCP6 2001:db8::9 ::ffff:127.0.0.1 56324 443\r\n"},
		{Version2, "203.0.113.9:56324", "127.0.0.1:443", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x7f\x00\x00\x01\xdc\x04\x01\xbb"},
		{Version2, "[::9]:56324", "[::1]:443", "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24" + zeros[:15] + "\x09" + zeros[:15] + "\x01\xdc\x04\x01\xbb"},
	} {
		b := &Balancer{o: BalancerOptions{Header: c.header}}
		if got := string(b.header(at(c.client), at(c.server))); got != c.want {
			t.Errorf("version %d for %s: %q, want %q", c.header, c.client, got, c.want)
		}
	}
}

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }
