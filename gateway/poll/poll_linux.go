package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Poller wakes the connections added to it.
type Poller struct {
	crew  crew
	epoll *os.File
	raw   syscall.RawConn

	mu    sync.Mutex // guards conns
	conns []*Conn    // by descriptor; nil where there is none
	wait  sync.WaitGroup
}

// New returns a running poller.
func New() (*Poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	// An epoll is itself a file that becomes readable: Go's own poller waits for it, so no thread is blocked here.
	p := &Poller{epoll: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.epoll.SyscallConn(); err != nil {
		p.epoll.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p.wait.Go(p.run)
	return p, nil
}

// Close stops waking and waits for what is under way. Connections stay open.
func (p *Poller) Close() {
	p.epoll.Close()
	p.wait.Wait()
	p.crew.end()
}

func (p *Poller) run() {
	events := make([]syscall.EpollEvent, 256)
	ready := make([]*Conn, 0, len(events))
	var n int
	var failed error
	try := func(fd uintptr) bool {
		n, failed = syscall.EpollWait(int(fd), events, 0)
		return n != 0
	}
	for {
		err := p.raw.Read(try)
		switch {
		case err != nil:
			return // closed
		case errors.Is(failed, syscall.EINTR), n <= 0:
			continue
		}
		ready = ready[:0]
		p.mu.Lock()
		for _, e := range events[:n] {
			if c := p.conns[e.Fd]; c != nil { // else it was just removed
				if e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
					c.ended.Store(true)
				}
				ready = append(ready, c)
			}
		}
		p.mu.Unlock()
		for _, c := range ready {
			p.crew.wake(c)
		}
	}
}

// Wrap returns a Conn around c, or nil when c cannot be polled.
func Wrap(c net.Conn) *Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return &Conn{TCPConn: tcp, raw: raw}
}

// Add hands c to the poller: from now on its Read does not wait, and w is woken, for the first time at once. On an error c is
// unchanged.
func (p *Poller) Add(c *Conn, w Waker) error {
	fd, err := c.fd()
	if err != nil {
		return err
	}
	c.waker = w
	c.polled.Store(true)
	p.remember(c, fd)
	const edge = 1 << 31 // EPOLLET, which package syscall has as a negative number
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | edge, Fd: fd}
	err = p.control(func(epoll int) error { return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(fd), &event) })
	if err != nil {
		p.forget(c, fd)
		c.polled.Store(false)
		return fmt.Errorf("epoll: %w", err)
	}
	p.crew.wake(c) // input that TLS has already read from the socket causes no event
	return nil
}

func (p *Poller) control(f func(epoll int) error) (err error) {
	if e := p.raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// Shut closes c, which was added to p.
func (p *Poller) Shut(c *Conn) {
	if fd, err := c.fd(); err == nil {
		p.forget(c, fd)
	}
	c.TCPConn.Close() // which also takes it from the epoll
}

// remember makes c the one to wake for fd. The system gives out the lowest free number, so the slice is as long as there have been
// connections at a time.
func (p *Poller) remember(c *Conn, fd int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if missing := int(fd) + 1 - len(p.conns); missing > 0 {
		p.conns = append(p.conns, make([]*Conn, missing)...)
	}
	p.conns[fd] = c
}

func (p *Poller) forget(c *Conn, fd int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(fd) < len(p.conns) && p.conns[fd] == c {
		p.conns[fd] = nil
	}
}

func (c *Conn) fd() (n int32, err error) {
	err = c.raw.Control(func(fd uintptr) { n = int32(fd) })
	return n, err
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if !c.polled.Load() {
		return c.TCPConn.Read(b)
	}
	if c.dry {
		return 0, ErrWouldBlock
	}
	if c.reader == nil { // the caller is not woken by the poller
		return new(reader).read(c, b)
	}
	return c.reader.read(c, b)
}

// read reads what c has, without waiting.
func (r *reader) read(c *Conn, b []byte) (int, error) {
	if r.try == nil {
		r.try = r.tryRead
	}
	r.c, r.into = c, b
	err := c.raw.Read(r.try)
	r.c, r.into = nil, nil
	if err != nil {
		return 0, err
	}
	return r.n, r.err
}

func (r *reader) tryRead(fd uintptr) bool {
	for {
		r.n, r.err = syscall.Read(int(fd), r.into)
		if !errors.Is(r.err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(r.err, syscall.EAGAIN):
		r.n, r.err = 0, ErrWouldBlock
	case r.err != nil:
		r.n, r.err = 0, os.NewSyscallError("read", r.err)
	case r.n == 0 && len(r.into) > 0:
		r.err = io.EOF
	case r.n < len(r.into):
		// If a read does not fill its buffer, the socket is empty, and later input causes another event. The end of the stream
		// does not, if it came before this read.
		r.c.dry = !r.c.ended.Load()
	}
	return true
}

// HungUp reports whether the peer has closed its direction or the connection, and all that it sent before has been read.
func (c *Conn) HungUp() (gone bool) {
	err := c.raw.Control(func(fd uintptr) {
		var next [1]byte
		n, _, err := syscall.Recvfrom(int(fd), next[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n <= 0 && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	})
	return gone || err != nil
}
