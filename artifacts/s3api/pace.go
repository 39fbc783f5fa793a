package s3api

import (
	"io"
	"net/http"
	"time"
)

// patience is how long a client may take for the next bytes of a body, or to
// take some of an object. Beside that nothing limits how long a transfer lasts:
// devices on thin lines take their time, and cost a connection but no memory.
const patience = time.Minute

// sendAtOnce is how much of an object is sent within one patience: 1 KiB a
// second is enough.
const sendAtOnce = 64 << 10

// patientReader reads a body and gives its client time for each piece.
type patientReader struct {
	c       *call
	control *http.ResponseController
	from    io.Reader
}

func (p *patientReader) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(p.c.now().Add(patience)) // not every connection has deadlines
	n, err := p.from.Read(b)
	if err != nil { // the handler may go on for longer than that
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// send sends n bytes of from and gives the client time for each piece.
func (c *call) send(from io.Reader, n int64) error {
	control := http.NewResponseController(c.w)
	_ = control.SetReadDeadline(time.Time{}) // there is nothing more to read
	for n > 0 {
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
