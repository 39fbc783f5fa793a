package s3api

import (
	"io"
	"net/http"
	"time"
)

// A transfer may take any time as long as it makes progress: devices with slow links need
// long, and cost a connection but no memory. It ends early when its caller loses the
// right to it.
const (
	// patience is how long a client may make no progress.
	patience = time.Minute
	// leastRate is the average rate, in bytes a second, at which a client must send after
	// patience is over, since a body occupies one of the slots for uploads.
	leastRate = 1 << 10
	// sendAtOnce is how many bytes of an object a client must receive within patience.
	sendAtOnce = 64 << 10
)

// patientReader reads a body, with a deadline that progress extends.
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
	if lost := p.c.revoked(); lost != nil {
		return 0, lost
	}
	p.read += int64(n)
	if err == io.EOF { // the deadline is for reading, not for the handler after it
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// send sends n bytes of from, with a deadline for each piece.
func (c *call) send(from io.Reader, n int64) error {
	control := http.NewResponseController(c.w)
	_ = control.SetReadDeadline(time.Time{}) // nothing more will be read
	for n > 0 {
		if err := c.revoked(); err != nil {
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

// take adds a token without waiting, and reports false when the channel is full.
func take(tokens chan struct{}) bool {
	select {
	case tokens <- struct{}{}:
		return true
	default:
		return false
	}
}

var errBusy = refuse("SlowDown", "Please reduce your request rate: as many transfers as this server allows are under way.")
