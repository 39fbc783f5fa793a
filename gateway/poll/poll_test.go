//go:build linux

package poll

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// pair returns the two ends of a loopback connection.
func pair(t *testing.T) (ours *Conn, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); theirs.Close() })
	if ours = Wrap(c); ours == nil {
		t.Skip("nothing can be polled on this system")
	}
	return ours, theirs
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(p.Close)
	return p
}

// echo writes back what it reads and checks that it is never woken twice at once.
type echo struct {
	t     *testing.T
	c     *Conn
	alone sync.Mutex
	ended chan error
}

func (e *echo) Wake() {
	if !e.alone.TryLock() {
		e.t.Error("woken while awake")
		return
	}
	defer e.alone.Unlock()
	buf := make([]byte, 7)
	for {
		n, err := e.c.Read(buf)
		if errors.Is(err, ErrWouldBlock) {
			return
		}
		if err != nil {
			e.ended <- err
			return
		}
		e.c.Write(buf[:n])
	}
}

func TestPolledConnectionsAreWokenForAllTheirInput(t *testing.T) {
	p := newPoller(t)
	var clients sync.WaitGroup
	for range 20 {
		ours, theirs := pair(t)
		theirs.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(theirs, "early ") // before the connection is polled
		e := &echo{t: t, c: ours, ended: make(chan error, 1)}
		if err := p.Add(ours, e); err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			sent := "early "
			got := make([]byte, 0, 1000)
			for i := range 100 {
				io.WriteString(theirs, "more")
				sent += "more"
				for len(got) < len(sent) && i%3 == 0 {
					n, err := theirs.Read(got[len(got):cap(got)])
					if err != nil {
						t.Error(err)
						return
					}
					got = got[:len(got)+n]
				}
			}
			theirs.(*net.TCPConn).CloseWrite()
			rest, _ := io.ReadAll(io.LimitReader(theirs, int64(len(sent)-len(got))))
			if string(got)+string(rest) != sent {
				t.Errorf("%d bytes came back, want the %d that were sent", len(got)+len(rest), len(sent))
			}
			if err := <-e.ended; !errors.Is(err, io.EOF) {
				t.Errorf("the end is seen as %v, want EOF", err)
			}
			p.Shut(ours)
			p.Shut(ours) // twice does no harm
		})
	}
	clients.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for fd, c := range p.conns {
		if c != nil {
			t.Errorf("the connection of descriptor %d is remembered after it was shut", fd)
		}
	}
}

func TestAConnectionReadsAsUsualBeforeItIsPolled(t *testing.T) {
	ours, theirs := pair(t)
	go io.WriteString(theirs, "hello")
	buf := make([]byte, 5)
	if _, err := io.ReadFull(ours, buf); err != nil || string(buf) != "hello" {
		t.Errorf("read %q, %v", buf, err)
	}
}

func TestAClosedConnectionIsNotAdded(t *testing.T) {
	p := newPoller(t)
	ours, _ := pair(t)
	ours.Close()
	if err := p.Add(ours, &echo{}); err == nil {
		t.Error("a closed connection was added")
	}
}

func TestHungUpIsToldAfterTheLastByte(t *testing.T) {
	ours, theirs := pair(t)
	if ours.HungUp() {
		t.Error("a new connection has hung up")
	}
	if _, err := io.WriteString(theirs, "x"); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if ours.HungUp() {
		t.Error("it has hung up before its last byte was read")
	}
	ours.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(ours, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !ours.HungUp(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody notices that it hung up")
		}
	}
}
