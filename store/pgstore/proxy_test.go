package pgstore_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a store and its database, and loses or holds back what the next
// transaction says.
type proxy struct {
	t      *testing.T
	listen net.Listener
	to     string

	mu   sync.Mutex
	mode mode
	held []func() // deliver what was held back
	all  []net.Conn
	cut  bool
}

// marker is in the requests that a proxy waits for.
const marker = "for the proxy"

// mode is what happens to the next request with the marker. After that everything passes.
type mode int

const (
	pass        mode = iota
	loseRequest      // they are lost, and the connection
	loseAnswer       // they are delivered, but the connection is lost before the answer
	hold             // the connection is lost, and they are delivered when release is called
)

// newProxy returns a proxy to the database at address, and the address at the proxy.
func newProxy(t *testing.T, address string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listen: l, to: u.Host}
	u.Host = l.Addr().String()
	go p.serve()
	t.Cleanup(func() {
		l.Close()
		p.hangUp()
	})
	return p, u.String()
}

func (p *proxy) serve() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		cut := p.cut
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.to)
		if err != nil || cut {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		p.mu.Lock()
		p.all = append(p.all, client, server)
		p.mu.Unlock()
		lost := make(chan struct{})
		go p.requests(client, server, lost)
		go p.answers(client, server, lost)
	}
}

// requests passes on what the client sends, as the mode says.
func (p *proxy) requests(client, server net.Conn, lost chan struct{}) {
	b := make([]byte, 1<<16)
	for {
		n, err := client.Read(b)
		if err != nil {
			server.Close()
			return
		}
		p.mu.Lock()
		mode := p.mode
		if !bytes.Contains(b[:n], []byte(marker)) {
			mode = pass
		}
		if mode != pass {
			p.mode = pass
		}
		p.mu.Unlock()
		switch mode {
		case loseRequest:
			client.Close()
			server.Close()
			return
		case hold:
			request := bytes.Clone(b[:n])
			p.mu.Lock()
			p.held = append(p.held, func() {
				if _, err := server.Write(request); err != nil {
					p.t.Error(err)
				}
			})
			p.mu.Unlock()
			close(lost)
			client.Close()
			return
		case loseAnswer:
			close(lost)
		case pass:
		}
		if _, err := server.Write(b[:n]); err != nil {
			client.Close()
			return
		}
	}
}

// answers passes on what the server sends, until the answers are lost.
func (p *proxy) answers(client, server net.Conn, lost chan struct{}) {
	b := make([]byte, 1<<16)
	for {
		n, err := server.Read(b)
		select {
		case <-lost:
			client.Close()
			_, _ = io.Copy(io.Discard, server)
			return
		default:
		}
		if err != nil {
			client.Close()
			return
		}
		if _, err := client.Write(b[:n]); err != nil {
			server.Close()
			return
		}
	}
}

// next says what happens to the next request with the marker.
func (p *proxy) next(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
}

// holding returns how much is held back.
func (p *proxy) holding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held)
}

// release delivers what was held back.
func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) == 0 {
		p.t.Error("nothing was held back")
	}
	for _, deliver := range p.held {
		deliver()
	}
	p.held = nil
}

// sever cuts all connections and lets no new one through, until it is called with false.
func (p *proxy) sever(cut bool) {
	p.mu.Lock()
	p.cut = cut
	p.mu.Unlock()
	if cut {
		p.hangUp()
	}
}

func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.all {
		c.Close()
	}
	p.all = nil
}
