package proxyproto

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/logtest"
)

const header = "PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n"

// serve opens a listener of o on a loopback port until the test ends. Connections that it accepts come out of the channel.
func serve(t *testing.T, o Options) (net.Listener, chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := New(o).Listen(l)
	accepted := make(chan net.Conn, 1000)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := front.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("Accept: %v", err)
				}
				return
			}
			t.Cleanup(func() { c.Close() })
			accepted <- c
		}
	}()
	t.Cleanup(func() { front.Close(); <-over })
	return front, accepted
}

// dial connects from a loopback address and sends something.
func dial(t *testing.T, l net.Listener, from, sent string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Skip("this machine has no second loopback address:", err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, sent); err != nil {
		t.Fatal(err)
	}
	return c
}

// next returns the next connection that was accepted.
func next(t *testing.T, accepted chan net.Conn) net.Conn {
	t.Helper()
	select {
	case c := <-accepted:
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no connection is accepted")
		return nil
	}
}

// closed waits until the other side has closed c.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, net.ErrClosed) || err == nil {
		t.Fatalf("reading gives %d bytes and %v, want the end of the connection", n, err)
	} else if nerr, ok := errors.AsType[net.Error](err); ok && nerr.Timeout() {
		t.Fatal("the connection stays open")
	}
}

var balancers = Networks{netip.MustParsePrefix("127.0.0.2/32"), netip.MustParsePrefix("::1/128")}

func TestAConnectionHasTheAddressOfItsClient(t *testing.T) {
	l, accepted := serve(t, Options{Balancers: balancers})
	dial(t, l, "127.0.0.2", header+"hello")
	c := next(t, accepted)
	if got := c.RemoteAddr().String(); got != "203.0.113.9:56324" {
		t.Errorf("the peer is %s, want the client", got)
	}
	if got := c.(*Conn).NetConn().RemoteAddr().String(); !strings.HasPrefix(got, "127.0.0.2:") {
		t.Errorf("below it the peer is %s, want the balancer", got)
	}
	said := make([]byte, 5)
	if _, err := io.ReadFull(c, said); err != nil || string(said) != "hello" {
		t.Errorf("after the header comes %q, %v", said, err)
	}
}

// A balancer that speaks for itself has its own address, and the connection is the plain one.
func TestABalancerMaySpeakForItself(t *testing.T) {
	l, accepted := serve(t, Options{Balancers: balancers})
	dial(t, l, "127.0.0.2", signature+"\x20\x00\x00\x00")
	if c, ok := next(t, accepted).(*net.TCPConn); !ok || !strings.HasPrefix(c.RemoteAddr().String(), "127.0.0.2:") {
		t.Errorf("the connection is %v, want the balancer's own", c)
	}
}

// From others a header counts as what they send, so nobody can have another address by sending one.
func TestOthersSendNoHeader(t *testing.T) {
	l, accepted := serve(t, Options{Balancers: balancers})
	dial(t, l, "127.0.0.3", header)
	c := next(t, accepted)
	if got := c.RemoteAddr().String(); !strings.HasPrefix(got, "127.0.0.3:") {
		t.Errorf("the peer is %s", got)
	}
	said := make([]byte, len(header))
	if _, err := io.ReadFull(c, said); err != nil || string(said) != header {
		t.Errorf("the first bytes are %q, %v; want the header, untouched", said, err)
	}
}

func TestWithoutBalancersTheListenerIsItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if New(Options{}).Listen(l) != l {
		t.Error("the listener is another one")
	}
}

// What a balancer sends wrongly is closed and logged, once a minute. Checks that say nothing are not.
func TestABadHeaderIsClosedAndLogged(t *testing.T) {
	log := &logtest.Log{}
	l, accepted := serve(t, Options{Balancers: balancers, Log: slog.New(slog.NewTextHandler(log, nil))})
	dial(t, l, "127.0.0.2", "").Close()
	reset := dial(t, l, "127.0.0.2", "")
	reset.(*net.TCPConn).SetLinger(0)
	reset.Close()
	for range 3 {
		closed(t, dial(t, l, "127.0.0.2", "GET /readyz HTTP/1.1\r\n\r\n"))
	}
	dial(t, l, "127.0.0.2", header)
	next(t, accepted) // after all of them
	if got := log.Lines(); len(got) != 1 || !strings.Contains(got[0], "balancer=127.0.0.2:") || !strings.Contains(got[0], `GET /readyz`) {
		t.Errorf("the log says %q, want one line about the bad headers", got)
	}
}

// A balancer that sends nothing, or too little, holds up neither the listener nor a stop.
func TestAHeaderIsAwaitedForABoundedTime(t *testing.T) {
	l, accepted := serve(t, Options{Balancers: balancers, Timeout: 200 * time.Millisecond})
	var silent []net.Conn
	for i := range 20 {
		silent = append(silent, dial(t, l, "127.0.0.2", header[:i]))
	}
	dial(t, l, "127.0.0.2", header)
	next(t, accepted)
	for _, c := range silent {
		closed(t, c)
	}
}

func TestTheHeadersAwaitedAreBounded(t *testing.T) {
	l, accepted := serve(t, Options{Balancers: balancers, Timeout: time.Minute, Waiting: 4})
	var silent []net.Conn
	for range 10 {
		silent = append(silent, dial(t, l, "127.0.0.2", ""))
	}
	for _, c := range silent[:6] {
		closed(t, c)
	}
	dial(t, l, "127.0.0.2", header) // takes the place of another
	next(t, accepted)
	closed(t, silent[6])
}

func TestClosingEndsTheWaitForHeaders(t *testing.T) {
	l, _ := serve(t, Options{Balancers: balancers, Timeout: time.Minute})
	c := dial(t, l, "127.0.0.2", "PROXY")
	time.Sleep(10 * time.Millisecond) // so that most times it is accepted first
	l.Close()
	closed(t, c)
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept fails with %v, want %v", err, net.ErrClosed)
	}
}

// failing is a listener that has errors to report first.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.Listener.Accept()
}

// The errors of the listener below are its own, so that whoever accepts can pause and try again.
func TestErrorsOfTheListenerArePassedOn(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no file descriptors")
	l := New(Options{Balancers: balancers}).Listen(&failing{below, []error{full, full}})
	defer l.Close()
	for range 2 {
		if _, err := l.Accept(); !errors.Is(err, full) {
			t.Errorf("Accept fails with %v, want %v", err, full)
		}
	}
	dial(t, l, "127.0.0.2", header)
	if c, err := l.Accept(); err != nil || c.RemoteAddr().String() != "203.0.113.9:56324" {
		t.Errorf("then it returns %v, %v", c, err)
	}
}

func TestNetworksAreParsed(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":            "[10.0.0.0/8]",
		"10.0.0.7":              "[10.0.0.7/32]",
		"2001:db8::/32,::1":     "[2001:db8::/32 ::1/128]",
		"::ffff:10.0.0.0/104":   "[10.0.0.0/8]",
		"::ffff:10.0.0.7":       "[10.0.0.7/32]",
		"0.0.0.0/0,10.0.0.0/32": "[0.0.0.0/0 10.0.0.0/32]",
	} {
		if got, err := (Networks{}).With(text); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "balancer.example", "10.0.0.7/8", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.0/8 "} {
		if got, err := (Networks{}).With("10.0.0.1," + text); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q is %v, %v; want an error that shows it", text, got, err)
		}
	}
}

func TestNetworksHaveAddresses(t *testing.T) {
	n := Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/16")}
	for addr, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.1.2.3": false, "fe80::1%eth0": true, "fe81::1": false} {
		if got := n.have(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 80))); got != want {
			t.Errorf("%s is in: %v", addr, got)
		}
	}
	if n.have(&net.UnixAddr{Name: "10.1.2.3"}) {
		t.Error("a socket file is in")
	}
}
