package door

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// Bounds of what a client may send before it has proven who it is. A handshake of more than handshakeOwn bytes also takes one of the
// few places for large handshakes.
const (
	helloOwn     = 2560     // bytes up to our first answer; a ClientHello with a post-quantum key has 1.7 KiB
	handshakeOwn = 4 << 10  // bytes of a handshake; one with a single certificate has 1.5 to 3 KiB
	handshakeMax = 32 << 10 // bytes of a large one; one with a chain of three RSA certificates has up to 7 KiB
	largeMax     = 512      // large ones at the same time
	namesMax     = 32       // ALPN names
	provenAfter  = 64 << 10 // bytes after which records are passed on unchecked: a client that sent so many has proven who it is
	recordStep   = 1 << 10  // bytes by which the buffer for a record grows
)

// The header of every TLS record: a content type in a range, a version, and the length of the rest.
const (
	recordHeader = 5
	typeFirst    = 20
	typeAlert    = 21
	typeLast     = 23
	versionMajor = 3
)

var errTooMuch = errors.New("the client sends more than a handshake needs")

// client is a connection as crypto/tls sees it. It hands on whole TLS records only, because crypto/tls allocates memory for a record
// as soon as it has read the length: so an unfinished record takes no more memory than the bytes received. While a handshake waits
// for its client it is outside the gate. What a client sends beyond provenAfter is handed on as it comes.
type client struct {
	net.Conn
	shaking *handshake // nil after the handshake
	sent    int        // bytes by the client so far
	held    []byte     // of a record: those that have come, then those not handed on
	whole   bool       // held is the rest of a whole record
}

// NetConn returns the connection below.
func (c *client) NetConn() net.Conn { return c.Conn }

// settle ends the handshake.
func (c *client) settle() {
	c.shaking.leaveGate()
	_ = c.Conn.SetDeadline(time.Time{}) // if it fails, so does what is done with the connection next
	c.shaking = nil
}

// Read implements net.Conn.
func (c *client) Read(p []byte) (n int, err error) {
	switch {
	case c.whole:
	case c.shaking != nil:
		err = c.shaking.await(func() (err error) {
			n, err = c.fill(p)
			return err
		})
	case len(c.held) == 0 && c.sent >= provenAfter:
		return c.Conn.Read(p)
	default:
		n, err = c.fill(p)
	}
	if !c.whole || err != nil {
		return n, err
	}
	n = copy(p, c.held)
	if c.held = c.held[n:]; len(c.held) == 0 {
		c.held, c.whole = nil, false
	}
	return n, err
}

// Write implements net.Conn. Waiting for a client that does not read counts as waiting, too.
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

// fill reads until there is a whole record: into p if it fits and comes at once, else into held. On an error what has come is kept
// for the next call: a polled connection has nothing more for now.
func (c *client) fill(p []byte) (int, error) {
	for {
		into := p
		if len(c.held) > 0 {
			into = c.room()
		}
		n, err := c.Conn.Read(into)
		c.sent += n
		if len(c.held) > 0 {
			c.held = c.held[:len(c.held)+n]
			size, bad := c.announced(c.held)
			if c.whole = len(c.held) == size; c.whole && bad == nil {
				bad = c.shaking.look(c.held)
			}
			if c.whole || bad != nil {
				return 0, bad
			}
		} else if n, bad := c.keepRest(p[:n]); n > 0 || bad != nil {
			return n, bad
		}
		if err != nil {
			return 0, err
		}
	}
}

// keepRest moves the beginning of an unfinished record from the end of b to held, and returns the length of what is before it.
func (c *client) keepRest(b []byte) (whole int, err error) {
	for whole < len(b) {
		size, err := c.announced(b[whole:])
		if err != nil {
			return whole, err
		}
		if whole+size > len(b) {
			c.held = slices.Clip(slices.Clone(b[whole:])) // grows as the record comes
			break
		}
		if err := c.shaking.look(b[whole : whole+size]); err != nil {
			return whole, err
		}
		whole += size
	}
	return whole, nil
}

// room returns where the rest of the record in held goes, as far as it should come at once.
func (c *client) room() []byte {
	size, _ := c.announced(c.held) // the header has been checked before
	if len(c.held) == cap(c.held) {
		c.held = append(make([]byte, 0, min(size, len(c.held)+recordStep)), c.held...)
	}
	return c.held[len(c.held):min(size, cap(c.held))]
}

// announced returns the length of the record at the front of b, at least that of a header, or len(b) if no record begins there. It
// fails if the client may not send that much.
func (c *client) announced(b []byte) (int, error) {
	switch {
	case b[0] < typeFirst || b[0] > typeLast || len(b) > 1 && b[1] != versionMajor:
		return len(b), nil
	case len(b) < recordHeader:
		return recordHeader, nil
	}
	size := recordHeader + int(binary.BigEndian.Uint16(b[3:]))
	if c.shaking != nil {
		return size, c.shaking.allow(c.sent - len(b) + size)
	}
	return size, nil
}

// allow reports whether the client may send so many bytes in all.
func (h *handshake) allow(bytes int) error {
	switch {
	case bytes > handshakeMax:
		return fmt.Errorf("%w: %d bytes", errTooMuch, bytes)
	case bytes > handshakeOwn, !h.begun && bytes > helloOwn:
		return h.grow()
	}
	return nil
}

// look remembers the alert in a whole record, if it is an unencrypted one, and checks the record that a client sends before it gets
// an answer. h is nil after the handshake.
func (h *handshake) look(record []byte) error {
	if h != nil && record[0] == typeAlert && len(record) == recordHeader+2 {
		h.alerted = tls.AlertError(record[recordHeader+1])
	}
	if h == nil || h.begun || ordinary(record) {
		return nil
	}
	return h.grow()
}

// grow takes a place for large handshakes, once.
func (h *handshake) grow() error {
	if len(h.places) > 1 {
		return nil
	}
	v := h.door.take(h.door.large, h.raw)
	if v == nil {
		return fmt.Errorf("%w, as others do now", errTooMuch)
	}
	h.places = append(h.places, v)
	return nil
}

// await calls do, which waits for the client, outside the gate. Only that wait counts against the client's time: when thousands come
// back at once, the last may wait for its turn longer than any client may take.
func (h *handshake) await(do func() error) error {
	h.leaveGate()
	for _, v := range h.places {
		v.Wait()
	}
	began := time.Now()
	_ = h.raw.SetDeadline(began.Add(h.left)) // if it fails, so does do
	if err := do(); err != nil {
		return err
	}
	h.left -= time.Since(began)
	for _, v := range h.places {
		if !v.Work() {
			return net.ErrClosed
		}
	}
	if err := h.door.gate.enter(h.ctx, h.begun); err != nil {
		return err
	}
	h.inside = true
	if !h.begun && h.peer != nil && h.peer.HungUp() { // it lost patience before its turn: what is computed now would be in vain
		h.leaveGate()
		return io.EOF
	}
	return nil
}

func (h *handshake) leaveGate() {
	if h.inside {
		h.inside = false
		h.door.gate.leave()
	}
}
