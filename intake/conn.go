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
	place   *list.Element // among the waiting; nil while a request is served
	isKnown bool
	serving bool // the sender of the request that is being served is known
	heads   int  // taken from the pool
	bodies  int

	// What follows belongs to the reading goroutine; there is one at a time.
	head head
}

// head is how far the head of a request was read.
type head struct {
	over      bool // what comes now is the body
	bytes     int
	lines     int
	emptyLine bool // nothing but perhaps a carriage return since the last line
}

// entered follows the life of the connection, as net/http tells it.
func (c *conn) entered(s http.ConnState) {
	switch s {
	case http.StateActive:
		c.head.over = true // also of a head that came with the request before it
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

// wait puts the connection among those that wait for a request, and closes the
// one that has waited longest when there are too many.
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
	go func() { _ = gone.Conn.Close() }() // may take as long as TLS says goodbye
}

// leave takes the connection from among those that wait.
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

// giveBack returns to the pools what the connection has taken.
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

// takeBody is the same for a body.
func (c *conn) takeBody(bytes int) bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.serving || c.in.take(&c.in.bodies, &c.bodies, bytes, c.in.limits.Bodies)
}

// take has a connection, which has own of what is taken from a pool, have enough
// for that many bytes.
func (i *Intake) take(taken, own *int, bytes, most int) bool {
	more := bytes - i.limits.Own - *own
	if more <= 0 {
		return true
	}
	if *taken+more > most {
		i.shed++
		return false
	}
	*taken += more
	*own += more
	return true
}

// Read implements net.Conn. A head that is too large ends the connection, with
// an answer: net/http says nothing about errors of a read.
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

// count counts what was read of a head and returns why it is refused.
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

// read counts what belongs to the head and returns how long that is by now.
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

// ReadFrom lets a file go to a TCP connection without passing through here.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if direct, ok := c.Conn.(io.ReaderFrom); ok {
		return direct.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// CloseWrite sends the end of what the server says, so that the client can read
// the answer before the connection ends.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
