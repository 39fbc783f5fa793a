// Package proxyproto takes connections from balancers that say, with the PROXY protocol in version 1 or 2, for whom they have
// opened them. From then on such a connection has the address of its client, as if it had come directly.
//
// Only peers that the operator names are balancers, and each of their connections must begin with a header; of all others
// nothing is read. No byte after the header is taken from the socket, because the server waits for input at the socket itself.
package proxyproto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-iot/muster/gateway/admission"
	"github.com/muster-iot/muster/internal/loglimit"
)

// Networks are addresses of balancers.
type Networks []netip.Prefix

// With returns n and the networks in a list with commas: such as 10.0.0.0/8, or an address that stands for itself.
func (n Networks) With(list string) (Networks, error) {
	for text := range strings.SplitSeq(list, ",") {
		p, err := parse(text)
		if err != nil {
			return nil, err
		}
		n = append(n, p)
	}
	return n, nil
}

func parse(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no address and no network, such as 10.0.0.7 or 10.0.0.0/8", text)
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is no network, such as 10.0.0.0/8", text)
	case p.Addr().Is4In6() && p.Bits() >= mappedBits:
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("%q has an address after its network: say %s, or the address alone", text, p.Masked())
	}
	return p, nil
}

// mappedBits are the bits before an IPv4 address in its IPv6 form.
const mappedBits = 96

// have reports whether addr, of a peer, is in one of the networks.
func (n Networks) have(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Options say who is a balancer and what it may cost.
type Options struct {
	Balancers Networks
	Timeout   time.Duration // for a whole header; 5 s
	Waiting   int           // connections before the end of their header; 4,096; see package admission
	Log       *slog.Logger  // nil discards
}

// Front is one set of rules for any number of listeners.
type Front struct {
	o     Options
	pool  *admission.Pool // of those whose header is awaited
	lines *loglimit.Limiter
}

// New returns a front.
func New(o Options) *Front {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.Waiting = cmp.Or(o.Waiting, 4096)
	return &Front{o: o, pool: admission.New(o.Waiting), lines: loglimit.New(1, 10)}
}

// Listen returns a listener of the connections of l, which it takes over: of balancers as soon as their header has come, of
// others at once. Without balancers it is l itself.
func (f *Front) Listen(l net.Listener) net.Listener {
	if len(f.o.Balancers) == 0 {
		return l
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &listener{Listener: l, front: f, ready: make(chan accepted), open: ctx, cancel: cancel}
}

// listener accepts connections ahead of its own Accept, in order that a balancer which sends nothing holds nobody up.
type listener struct {
	net.Listener
	front  *Front
	ready  chan accepted
	open   context.Context // ends with Close
	cancel context.CancelFunc
	start  sync.Once
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.run() })
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.open.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections whose header is awaited are closed, too.
func (l *listener) Close() error {
	l.cancel()
	return l.Listener.Close()
}

// run accepts until Close.
func (l *listener) run() {
	for l.open.Err() == nil {
		c, err := l.Listener.Accept()
		if tcp, ok := c.(*net.TCPConn); ok && l.front.o.Balancers.have(tcp.RemoteAddr()) {
			l.await(tcp)
			continue
		}
		l.hand(accepted{c, err})
	}
}

// hand passes a on to Accept, or closes the connection if the listener is closed.
func (l *listener) hand(a accepted) {
	select {
	case l.ready <- a:
	case <-l.open.Done():
		if a.conn != nil {
			a.conn.Close()
		}
	}
}

// await hands on the connection of a balancer when its header has come.
func (l *listener) await(c *net.TCPConn) {
	place := l.front.pool.Take(c.RemoteAddr().String(), func() { c.Close() })
	if place == nil {
		c.Close()
		return
	}
	go func() {
		defer place.Leave()
		defer context.AfterFunc(l.open, func() { c.Close() })()
		named, err := l.front.name(c)
		if err != nil || !place.Work() {
			l.front.refuse(c, err)
			return
		}
		l.hand(accepted{conn: named})
	}()
}

// name reads the header of c and returns it with the address of its client.
func (f *Front) name(c *net.TCPConn) (net.Conn, error) {
	if err := c.SetReadDeadline(time.Now().Add(f.o.Timeout)); err != nil {
		return nil, err
	}
	client, err := read(c)
	if err != nil {
		return nil, err
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if !client.IsValid() {
		return c, nil
	}
	return &Conn{c, net.TCPAddrFromAddrPort(client)}, nil
}

// refuse closes c. Whoever closes it without a word is a check whether somebody listens, and not worth a line.
func (f *Front) refuse(c *net.TCPConn, err error) {
	defer c.Close()
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return
	}
	peer := c.RemoteAddr().String()
	if left, ok := f.lines.Take(loglimit.Network(peer), time.Now()); ok {
		f.o.Log.Warn("a connection of a balancer is closed, which must begin with a PROXY header", "balancer", peer, "listener", c.LocalAddr().String(), "err", err, loglimit.LeftOut(left))
	}
}

// Conn is a TCP connection that a balancer has opened for somebody else.
type Conn struct {
	*net.TCPConn
	client net.Addr
}

// RemoteAddr returns the address of the client, not that of the balancer.
func (c *Conn) RemoteAddr() net.Addr { return c.client }

// NetConn returns the connection of the balancer.
func (c *Conn) NetConn() net.Conn { return c.TCPConn }
