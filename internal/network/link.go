// Package network is a TCP network on one machine, for tests: links between programs that can be cut, stalled and slowed
// down, and a balancer in front of several servers.
package network

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Link forwards TCP connections to one server. A test decides what becomes of them. Its methods may be called by many
// goroutines.
type Link struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	to      string
	state   state
	changed chan struct{} // closed when state changes
	delay   time.Duration // of all that is sent either way
	losing  *loss         // of the next answer; nil for none
	open    map[*way]struct{}
}

type state int

const (
	whole   state = iota
	cut           // connections are reset
	stalled       // nothing gets through
	closed
)

// loss is an order to lose an answer.
type loss struct {
	question []byte
	then     func()
}

// NewLink opens a link to the server at an address. Close ends it.
func NewLink(to string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, to: to, changed: make(chan struct{}), open: map[*way]struct{}{}}
	l.serving.Go(l.accept)
	return l, nil
}

// Address is where the link listens.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Cut resets all connections, and each new one, until Mend. A server that went away does the same.
func (l *Link) Cut() { l.become(cut) }

// Stall lets nothing through any more, until Mend, and resets nothing: neither side is told. A cable that was pulled does the
// same. What is sent meanwhile arrives late.
func (l *Link) Stall() { l.become(stalled) }

// Mend ends Cut and Stall.
func (l *Link) Mend() { l.become(whole) }

// Slow delays all that is sent, either way, by a time; 0 no longer.
func (l *Link) Slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
}

// LoseAnswer resets the connection of the next client that sends the bytes of question, once the server has begun to answer:
// what it was asked for is done, and the client does not learn it. Before that it calls then, if it is not nil.
func (l *Link) LoseAnswer(question string, then func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losing = &loss{[]byte(question), then}
}

// Aim makes the link lead to the server at another address from now on. Connections stay where they are.
func (l *Link) Aim(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
}

// target is where the link leads.
func (l *Link) target() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to
}

// Connections returns how many connections are open.
func (l *Link) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// Close ends all connections and waits until nothing of the link runs any more.
func (l *Link) Close() {
	l.listener.Close()
	l.become(closed)
	l.serving.Wait()
}

func (l *Link) become(s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == closed || l.state == s {
		return
	}
	l.state = s
	close(l.changed)
	l.changed = make(chan struct{})
	if s == cut || s == closed {
		for w := range l.open {
			w.reset()
		}
	}
}

func (l *Link) accept() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.serving.Go(func() { l.forward(c.(*net.TCPConn)) })
	}
}

// forward serves one connection until either side has closed it.
func (l *Link) forward(client *net.TCPConn) {
	if !l.pass() {
		reset(client)
		return
	}
	c, err := net.DialTimeout("tcp", l.target(), 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	w := &way{link: l, client: client, server: c.(*net.TCPConn)}
	l.mu.Lock()
	if l.state == cut || l.state == closed {
		l.mu.Unlock()
		w.reset()
		return
	}
	l.open[w] = struct{}{}
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(w.up)
	both.Go(w.down)
	both.Wait()
	l.mu.Lock()
	delete(l.open, w)
	l.mu.Unlock()
	w.client.Close()
	w.server.Close()
}

// pass waits while the link is stalled. It reports whether the link is whole then.
func (l *Link) pass() bool {
	for {
		l.mu.Lock()
		s, changed, delay := l.state, l.changed, l.delay
		l.mu.Unlock()
		if s != stalled {
			time.Sleep(delay)
			return s == whole
		}
		<-changed
	}
}

// way is one connection through a link.
type way struct {
	link           *Link
	client, server *net.TCPConn

	mu   sync.Mutex
	lost *loss // the answer that is on its way is lost
}

// up forwards what the client sends.
func (w *way) up() { w.copy(w.server, w.client, w.asked) }

// down forwards what the server sends.
func (w *way) down() { w.copy(w.client, w.server, w.answered) }

// copy forwards from one side to the other. Before each piece it calls look, which reports whether to go on.
func (w *way) copy(to, from *net.TCPConn, look func([]byte) bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && (!w.link.pass() || !look(b[:n])) {
			w.reset()
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				w.reset()
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if w.link.pass() {
				_ = to.CloseWrite() // fails if it is closed already
			}
			return
		case err != nil:
			w.reset()
			return
		}
	}
}

// asked looks for the question whose answer is to be lost.
func (w *way) asked(b []byte) bool {
	w.link.mu.Lock()
	defer w.link.mu.Unlock()
	if o := w.link.losing; o != nil && bytes.Contains(b, o.question) {
		w.link.losing = nil
		w.mu.Lock()
		w.lost = o
		w.mu.Unlock()
	}
	return true
}

// answered reports whether an answer is to be forwarded.
func (w *way) answered([]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost == nil {
		return true
	}
	if w.lost.then != nil {
		w.lost.then()
	}
	return false
}

func (w *way) reset() {
	reset(w.client)
	reset(w.server)
}

// reset closes c so that the other side gets an error.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // it fails if c is closed already
	c.Close()
}
