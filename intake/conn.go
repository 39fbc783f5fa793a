package intake

import (
	"bytes"
	"container/list"
	"errors"
	"io"
	"net"
	"net/http"
)

// conn is a connection whose requests are counted while they are read.
type conn struct {
	net.Conn
	in *Intake

	// What follows is guarded by in.mu.
	place   *list.Element // in in.strangers or in.known; nil while a request is served
	isKnown bool          // a sender of a request on it was authenticated
	serving bool          // the sender of the present request was authenticated
	heads   int           // bytes taken from the pool of heads
	bodies  int           // bytes taken from the pool of bodies

	// head is used by the reading goroutine only; there is one at a time.
	head head
}

// head is how much of the head of a request was read.
type head struct {
	over      bool // the head is complete: the body follows
	bytes     int
	lines     int
	emptyLine bool // the present line is empty so far, or a carriage return
}

// entered follows the state of the connection, as net/http reports it.
func (c *conn) entered(s http.ConnState) {
	switch s {
	case http.StateActive:
		c.head.over = true // also when the head was read together with the previous request
		c.in.mu.Lock()
		c.leave()
		c.in.mu.Unlock()
	case http.StateIdle:
		c.head = head{}
		c.in.mu.Lock()
		c.serving = false
		c.giveBack()
		c.in.mu.Unlock()
		c.wait()
	case http.StateClosed, http.StateHijacked:
		c.head.over = true
		c.in.mu.Lock()
		c.leave()
		c.giveBack()
		c.in.mu.Unlock()
	}
}

// wait adds the connection to those that wait for a request, and closes one of them
// when there are too many: the one that has waited longest, those that were never
// known first.
func (c *conn) wait() {
	i := c.in
	i.mu.Lock()
	defer i.mu.Unlock()
	waiting := &i.strangers
	if c.isKnown {
		waiting = &i.known
	}
	c.place = waiting.PushBack(c)
	if i.strangers.Len()+i.known.Len() <= i.limits.Waiting {
		return
	}
	oldest := i.strangers.Front()
	if oldest == nil {
		oldest = i.known.Front()
	}
	i.shed++
	gone := oldest.Value.(*conn)
	gone.leave()
	go func() { _ = gone.Conn.Close() }() // may block while TLS sends its close_notify
}

// leave removes the connection from those that wait.
func (c *conn) leave() {
	if c.place != nil {
		waiting := &c.in.strangers
		if c.isKnown {
			waiting = &c.in.known
		}
		waiting.Remove(c.place)
		c.place = nil
	}
}

// giveBack returns to the pools what the connection took.
func (c *conn) giveBack() {
	c.in.heads -= c.heads
	c.in.bodies -= c.bodies
	c.heads, c.bodies = 0, 0
}

// takeHead reports whether there is room for a head of that many bytes.
func (c *conn) takeHead(bytes int) bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.take(&c.in.heads, &c.heads, bytes, c.in.limits.Heads)
}

// takeBody is takeHead for a body; that of a known sender is not counted.
func (c *conn) takeBody(bytes int) bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.serving || c.in.take(&c.in.bodies, &c.bodies, bytes, c.in.limits.Bodies)
}

// take lets a connection hold that many bytes of a head or body: those beyond its
// own allowance come from a pool of limit bytes, of which taken are in use, own by
// this connection. It reports false when the pool has too little left.
func (i *Intake) take(taken, own *int, bytes, limit int) bool {
	more := bytes - i.limits.Own - *own
	if more <= 0 {
		return true
	}
	if *taken+more > limit {
		i.shed++
		return false
	}
	*taken += more
	*own += more
	return true
}

// Read implements net.Conn. A head that is too large ends the connection. Read writes
// the answer itself, because net/http sends none after an error of Read.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.head.over {
		if reason := c.count(b[:n]); reason != "" {
			_, _ = io.WriteString(c.Conn, "HTTP/1.1 "+reason+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return 0, &net.OpError{Op: "read", Net: "tcp", Err: errors.New(reason)}
		}
	}
	return n, err
}

// count counts bytes of the head and returns the status with which it is refused, ""
// when it is not.
func (c *conn) count(b []byte) (reason string) {
	read := c.head.read(b)
	switch {
	case c.head.lines > c.in.limits.Lines:
		return "431 Request Header Fields Too Large"
	case read > c.in.limits.Own && !c.takeHead(read):
		return "503 Service Unavailable"
	}
	return ""
}

// read counts those of b that belong to the head and returns its length so far.
func (h *head) read(b []byte) int {
	for !h.over && len(b) > 0 {
		line, ended := b, false
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, ended = b[:i+1], true
		}
		h.bytes += len(line)
		h.emptyLine = h.emptyLine && len(bytes.TrimLeft(line, "\r\n")) == 0
		if ended {
			h.over, h.emptyLine = h.emptyLine, true
			h.lines++
		}
		b = b[len(line):]
	}
	return h.bytes
}

// ReadFrom lets the kernel copy a file to a TCP connection directly.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if direct, ok := c.Conn.(io.ReaderFrom); ok {
		return direct.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// CloseWrite ends the direction to the client, so that the client can read the answer
// before the connection is closed.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
