package network

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Header is what a Balancer says of the client to its server first.
type Header int

// The headers: none, or those of the PROXY protocol.
const (
	None Header = iota
	Version1
	Version2
)

// BalancerOptions say how a Balancer works.
type BalancerOptions struct {
	Header Header
	From   netip.Addr                    // address that it connects from; invalid for any
	Well   func(server int) bool         // reports whether new connections may go to a server; nil for always
	As     func(net.Addr) netip.AddrPort // what the header says of a client; nil for its address
}

// Balancer forwards the connections of one port to the servers in turn. Connections stay where they are until either side
// ends them. Its methods may be called by many goroutines.
type Balancer struct {
	o        BalancerOptions
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	servers []string   // empty: not there
	next    int
	over    bool
	open    map[net.Conn]int // of both sides, and which server it is
}

// NewBalancer opens a balancer in front of servers. Close ends it.
func NewBalancer(o BalancerOptions, servers ...string) (*Balancer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Balancer{o: o, listener: listener, servers: servers, open: map[net.Conn]int{}}
	b.serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed
			}
			b.serving.Go(func() { b.forward(c.(*net.TCPConn)) })
		}
	})
	return b, nil
}

// Address is where the balancer listens.
func (b *Balancer) Address() string { return b.listener.Addr().String() }

// Move says that a server is at another address from now on, and nowhere if that is empty.
// Connections stay.
func (b *Balancer) Move(server int, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.servers[server] = address
}

// Drop resets the connections to a server, as a balancer does that finds it unwell.
func (b *Balancer) Drop(server int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, of := range b.open {
		if of == server {
			reset(c.(*net.TCPConn))
		}
	}
}

// Close ends all connections and waits until nothing of the balancer runs any more.
func (b *Balancer) Close() {
	b.listener.Close()
	b.mu.Lock()
	b.over = true
	for c := range b.open {
		c.Close()
	}
	b.mu.Unlock()
	b.serving.Wait()
}

// forward serves one connection until either side has closed it.
func (b *Balancer) forward(client *net.TCPConn) {
	server, number := b.connect(client)
	if server == nil || !b.keep(number, client, server) {
		reset(client)
		return
	}
	defer b.drop(client, server)
	var both sync.WaitGroup
	for _, d := range [][2]*net.TCPConn{{server, client}, {client, server}} {
		both.Go(func() {
			if _, err := io.Copy(d[0], d[1]); err != nil {
				reset(d[0])
				return
			}
			_ = d[0].CloseWrite() // fails if it is closed already
		})
	}
	both.Wait()
}

// connect returns a connection to the first server in turn that is well and answers, and its
// number; nil if there is none.
func (b *Balancer) connect(client *net.TCPConn) (*net.TCPConn, int) {
	d := net.Dialer{Timeout: time.Second}
	if b.o.From.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(b.o.From, 0))
	}
	b.mu.Lock()
	tries := len(b.servers)
	b.mu.Unlock()
	for range tries {
		b.mu.Lock()
		n := b.next % len(b.servers)
		address := b.servers[n]
		b.next++
		b.mu.Unlock()
		if address == "" || b.o.Well != nil && !b.o.Well(n) {
			continue
		}
		c, err := d.Dial("tcp", address)
		if err != nil {
			continue
		}
		if _, err := c.Write(b.header(client, c)); err != nil {
			c.Close()
			continue
		}
		return c.(*net.TCPConn), n
	}
	return nil, 0
}

func (b *Balancer) keep(number int, both ...*net.TCPConn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range both {
		if b.over {
			c.Close()
		}
		b.open[c] = number
	}
	return !b.over
}

func (b *Balancer) drop(both ...*net.TCPConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range both {
		delete(b.open, c)
		c.Close()
	}
}

// header returns the PROXY header for a client.
func (b *Balancer) header(client, server net.Conn) []byte {
	from, to := addrPort(client.RemoteAddr()), addrPort(server.RemoteAddr())
	if b.o.As != nil {
		from = b.o.As(client.RemoteAddr())
	}
	if from.Addr().Is4() != to.Addr().Is4() { // a header has addresses of one family
		to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
	}
	switch b.o.Header {
	case Version1:
		family := 6
		if from.Addr().Is4() {
			family = 4
		}
		return fmt.Appendf(nil, "PROXY TCP%d %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port())
	case Version2:
		family := byte(0x21) // TCP over IPv6
		if from.Addr().Is4() {
			family = 0x11
		}
		rest := append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
		rest = binary.BigEndian.AppendUint16(rest, from.Port())
		rest = binary.BigEndian.AppendUint16(rest, to.Port())
		h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, family)
		return append(binary.BigEndian.AppendUint16(h, uint16(len(rest))), rest...)
	}
	return nil
}

func addrPort(a net.Addr) netip.AddrPort {
	of := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(of.Addr().Unmap(), of.Port())
}
