package s3api

import (
	"io"
	"net/http"
	"time"
)

// A transfer may last as long as it likes as long as it goes on: devices on thin
// lines take their time, and cost a connection but no memory. It ends early when
// its caller loses the right to it.
const (
	// patience is how long a client may do nothing.
	patience = time.Minute
	// leastRate is what a client must send on average, in bytes a second, once
	// its patience is used up, since a body takes one of the slots for uploads.
	leastRate = 1 << 10
	// sendAtOnce is how much of an object is sent within one patience.
	sendAtOnce = 64 << 10
)

// patientReader reads a body and gives its client time.
type patientReader struct {
	c       *call
	control *http.ResponseController
	from    io.Reader
	read    int64
}

func (p *patientReader) Read(b []byte) (int, error) {
	until := p.c.began.Add(patience + time.Duration(p.read/leastRate)*time.Second)
	_ = p.control.SetReadDeadline(until) // not every connection has deadlines
	n, err := p.from.Read(b)
	if lost := p.c.still(); lost != nil {
		return 0, lost
	}
	p.read += int64(n)
	if err == io.EOF { // all is read, and the handler may go on for longer than that
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// send sends n bytes of from and gives the client time for each piece.
func (c *call) send(from io.Reader, n int64) error {
	control := http.NewResponseController(c.w)
	_ = control.SetReadDeadline(time.Time{}) // there is nothing more to read
	for n > 0 {
		if err := c.still(); err != nil {
			return err
		}
		_ = control.SetWriteDeadline(c.now().Add(patience))
		sent, err := io.Copy(c.w, io.LimitReader(from, min(n, sendAtOnce)))
		if n -= sent; err != nil {
			return err
		}
		if sent == 0 {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

// take waits for nobody: it returns false when as many as can be are at it.
func take(tokens chan struct{}) bool {
	select {
	case tokens <- struct{}{}:
		return true
	default:
		return false
	}
}

var errBusy = refuse("SlowDown", "Please reduce your request rate: as many transfers as this server allows are under way.")
