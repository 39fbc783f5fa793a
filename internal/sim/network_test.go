package sim

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"

	"github.com/muster-iot/muster/gateway"
)

// network connects devices and operators with the present process, in memory: a
// connection is the two ends of a pipe.
type network struct {
	mu      sync.Mutex
	process *process // nil while the service is down
	http    *pipes
	conns   map[net.Conn]struct{} // the service's ends
}

var errDown = errors.New("sim: connection refused")

// attach makes a process reachable.
func (n *network) attach(p *process) {
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.run(l)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process, n.http, n.conns = p, l, map[net.Conn]struct{}{}
}

// cut breaks all connections at once, and the process can send nothing more.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return
	}
	n.process = nil
	n.http.Close()
	for c := range n.conns {
		c.Close()
	}
}

// pipe makes a connection to the service that is reached now.
func (n *network) pipe() (theirs, ours net.Conn, p *process, l *pipes) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil, nil, nil, nil
	}
	theirs, ours = net.Pipe()
	n.conns[ours] = struct{}{}
	return theirs, ours, n.process, n.http
}

// dialMQTT connects to the gateway.
func (n *network) dialMQTT(context.Context) (net.Conn, error) {
	theirs, ours, p, _ := n.pipe()
	if p == nil {
		return nil, errDown
	}
	go p.gateway.ServeConn(ours, gateway.Peer{Addr: "pipe", Transport: "tcp"})
	return newBuffered(theirs), nil
}

// dialHTTP connects to the HTTP listener.
func (n *network) dialHTTP(ctx context.Context, _, _ string) (net.Conn, error) {
	theirs, ours, p, l := n.pipe()
	if p == nil {
		return nil, errDown
	}
	select {
	case l.conns <- ours:
		return theirs, nil
	case <-l.closed:
		return nil, errDown
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipes is a listener for connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// buffered is a connection whose writes do not wait for a reader, as those of a
// socket do not: MQTT libraries write while they hold what their reader wants.
type buffered struct {
	net.Conn
	out    chan []byte
	closed chan struct{}
	once   sync.Once
}

// bufferedMax bounds the writes under way.
const bufferedMax = 1000

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, out: make(chan []byte, bufferedMax), closed: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-b.out:
				_, _ = c.Write(p) // a reader will notice
			case <-b.closed:
				c.Close()
				return
			}
		}
	}()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case b.out <- bytes.Clone(p):
		return len(p), nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error { b.once.Do(func() { close(b.closed) }); return nil }
