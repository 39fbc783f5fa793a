package door

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Bounds of what a client may send before it has proven anything.
const (
	helloMax     = 8 << 10  // bytes up to our first answer; a ClientHello has up to 2 KiB
	handshakeMax = 24 << 10 // bytes in all; a chain of three certificates with RSA keys has 6 KiB
	recordStep   = 1 << 10  // bytes of a record that are made room for before they have come
	recordHeader = 5        // content type, version, length
)

// What every TLS record begins with: a content type in a range, and a version.
const (
	typeFirst    = 20
	typeLast     = 23
	versionMajor = 3
)

var errTooMuch = errors.New("the client sends more than a handshake needs")

// client is a connection as crypto/tls sees it. During the handshake it hands on whole TLS records, so that what is kept of an
// unfinished one is what has come of it, whatever length it announces; while it waits for the client the handshake is outside the
// gate. After the handshake it is the connection below.
type client struct {
	net.Conn
	shaking *handshake // nil after the handshake
	record  []byte     // come and not handed on
}

// NetConn returns the connection below.
func (c *client) NetConn() net.Conn { return c.Conn }

// settle ends the handshake.
func (c *client) settle() {
	c.shaking.leaveGate()
	c.shaking = nil
}

// Read implements net.Conn.
func (c *client) Read(p []byte) (int, error) {
	if len(c.record) == 0 && c.shaking == nil {
		return c.Conn.Read(p)
	}
	if len(c.record) == 0 {
		err := c.shaking.await(func() (err error) {
			c.record, err = c.next()
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, c.record)
	if c.record = c.record[n:]; len(c.record) == 0 {
		c.record = nil
	}
	return n, nil
}

// Write implements net.Conn. A client that does not read is waited for as well.
func (c *client) Write(p []byte) (n int, err error) {
	if c.shaking == nil {
		return c.Conn.Write(p)
	}
	c.shaking.begun = true
	err = c.shaking.await(func() (err error) {
		n, err = c.Conn.Write(p)
		return err
	})
	return n, err
}

// next reads one record, or the beginning of what is none.
func (c *client) next() ([]byte, error) {
	record := make([]byte, recordHeader, recordStep)
	if _, err := io.ReadFull(c.Conn, record); err != nil {
		return nil, err
	}
	if record[0] < typeFirst || record[0] > typeLast || record[1] != versionMajor {
		return record, nil
	}
	size := recordHeader + int(binary.BigEndian.Uint16(record[3:]))
	if err := c.shaking.count(size); err != nil {
		return nil, err
	}
	for len(record) < size {
		if len(record) == cap(record) {
			record = append(make([]byte, 0, min(size, 2*cap(record))), record...)
		}
		n, err := c.Conn.Read(record[len(record):min(size, cap(record))])
		if record = record[:len(record)+n]; err != nil {
			return nil, err
		}
	}
	return record, nil
}

// count adds to the bytes that the client sends.
func (h *handshake) count(n int) error {
	if h.sent += n; h.sent > handshakeMax || !h.begun && h.sent > helloMax {
		return fmt.Errorf("%w: %d bytes", errTooMuch, h.sent)
	}
	return nil
}

// await does what waits for the client, outside the gate.
func (h *handshake) await(do func() error) error {
	h.leaveGate()
	h.visitor.Wait()
	if err := do(); err != nil {
		return err
	}
	if !h.visitor.Work() {
		return net.ErrClosed
	}
	if err := h.door.gate.enter(h.ctx, h.begun); err != nil {
		return err
	}
	h.inside = true
	return nil
}

func (h *handshake) leaveGate() {
	if h.inside {
		h.inside = false
		h.door.gate.leave()
	}
}
