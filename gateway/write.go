package gateway

import (
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// send appends p to what will be written. After the end it does nothing.
func (c *conn) send(p packet.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.out = p.Append(c.buffer(), c.version)
		c.wake()
	}
}

// sendPublish is send for the packets there are most of: given to send, each would take memory of its own.
func (c *conn) sendPublish(p *packet.Publish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.out = p.Append(c.buffer(), c.version)
		c.wake()
	}
}

// sendRaw is send for packets that are already encoded.
func (c *conn) sendRaw(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil && len(b) > 0 {
		c.out = append(c.buffer(), b...)
		c.wake()
	}
}

// sendQoS0 sends d unless too much waits already: then it is dropped.
func (c *conn) sendQoS0(d *delivery) {
	now := time.Now()
	if d.expired(now) {
		return
	}
	p := d.packet(now)
	p.Retain = d.retain
	if size := p.Size(c.version); c.packetMax > 0 && size > c.packetMax {
		c.session.tooLarge(c, d.topic, size)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return
	}
	if len(c.out) > slowAbove {
		c.server.count.droppedSlow.Add(1)
		return
	}
	c.server.count.delivered.Add(1)
	c.server.tellReceipt(d.message, false)
	c.out = p.Append(c.buffer(), c.version)
	c.wake()
}

// room reports whether QoS 1 messages may be sent now. If not, session.drained is called as soon as they may.
func (c *conn) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) < pumpBelow {
		return true
	}
	c.hungry = true
	return false
}

// buffer returns out, with memory taken for it if it has none.
func (c *conn) buffer() []byte {
	if c.out == nil {
		c.out = takeBuffer()
	}
	return c.out
}

func (c *conn) wake() {
	if !c.busy {
		c.busy = true
		go c.flush()
	}
}

// claim makes the reader the one who writes, after all packets it has at hand: one write for all answers.
func (c *conn) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy {
		return false
	}
	c.busy = true
	return true
}

// flush writes until nothing is left to write. Its caller has made the connection busy.
func (c *conn) flush() {
	for {
		b, next := c.take()
		switch next {
		case refill:
			c.session.drained(c)
			continue
		case hangUp:
			c.hangUp()
			return
		case pause:
			return
		}
		n, err := c.net.Write(b)
		c.server.count.bytesOut.Add(uint64(n))
		returnBuffer(b)
		if err != nil {
			c.lose("write", err)
			return
		}
	}
}

// step is what whoever writes does next.
type step byte

const (
	pause  step = iota // nothing until there is more to write; the connection is no longer busy
	write              // write what was taken
	refill             // ask the session for more
	hangUp             // say goodbye: all is written, and the connection has ended
)

// take takes what is to be written, if that is what comes next.
func (c *conn) take() (b []byte, next step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.out) > 0:
		b, c.out = c.out, nil
		c.extend(c.server.o.Limits.WriteTimeout)
		return b, write
	case c.ended != nil: // it stays busy: nobody writes any more
		return nil, hangUp
	case c.hungry:
		c.hungry = false
		return nil, refill
	}
	c.busy = false
	return nil, pause
}

// extend moves the write deadline, unless it leaves at least half of the timeout to the next write.
func (c *conn) extend(timeout time.Duration) {
	if now := time.Now(); c.ended == nil && c.by.Sub(now) < timeout/2 {
		c.by = now.Add(timeout)
		c.net.SetWriteDeadline(c.by)
	}
}

// hangUp closes the connection after its last words. If possible it first closes only the server's direction, because closing with
// unread input makes TCP discard the last words; the reader then waits up to lingerTime for the client to close.
func (c *conn) hangUp() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.shut()
		return
	}
	if c.socket != nil {
		c.server.wheel.set(&c.timer, c, time.Now().Add(lingerTime))
		return
	}
	c.net.SetReadDeadline(time.Now().Add(lingerTime))
}

// shut closes the network connection. It may be called more than once.
func (c *conn) shut() {
	c.server.wheel.stop(&c.timer)
	if c.socket == nil {
		c.net.Close()
		return // the reader notices
	}
	c.server.poller.Shut(c.socket)
	c.server.dismiss(c)
}
