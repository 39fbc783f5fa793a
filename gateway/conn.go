package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway/admission"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/poll"
)

// conn is one network connection. One goroutine at a time, the reader, takes packets from it and handles them; any
// goroutine may send. No goroutine is kept for writing: adding to an idle buffer starts one, which ends when the buffer is empty. Where the
// system can wake connections, none is kept for waiting either. What only few of many idle connections have is apart from it.
type conn struct {
	server *Server
	net    net.Conn
	start  time.Time
	socket *poll.Conn   // below net, when it is the poller that wakes the reader; nil otherwise
	timer  timer        // to CONNECT, then keep-alive; at last, to closing
	seen   atomic.Int64 // when the last whole packet came, in Unix nanoseconds

	// Settled by CONNECT, read-only afterwards.
	hello     *Connect // before that it holds the Peer alone
	version   byte     // 0 before CONNECT
	grant     *guarded
	session   *session
	window    int // QoS 1 messages the client takes unacknowledged
	packetMax int // bytes the client takes in one packet; 0 for any
	problems  bool
	life      [16]byte // UUID of the connection, for presence
	visit     uint64   // number of the connection among the client's
	epoch     uint64   // the same on one of several nodes; 0 on a server that is alone

	// Of the reader alone.
	partial []byte            // the beginning of a packet
	aliases *[aliasMax]string // nil until the client uses one
	held    *held             // nil while nothing is held
	pace    pace
	denied  bool // a refusal was logged
	packets int

	mu     sync.Mutex       // guards what follows; a leaf
	place  *admission.Place // nil from the end of CONNECT, and of the connection, on
	out    []byte           // to be written
	busy   bool             // a goroutine is writing out, or is about to
	hungry bool             // the session has more for the time when out is empty
	ended  *ending          // nil while it goes on
	will   *will
	by     time.Time     // write deadline in force
	idle   time.Duration // keep-alive x 1.5; 0 before CONNECT
}

// held is what is held back until publishes are durable.
type held struct {
	acks []byte // PUBACKs
	ids  []uint16
	wait *commit // the last of what they wait for

	waits []*commit // all of it, on one of several nodes
}

// end ends the connection: the first call decides why. It does not wait for the client or for the reader.
func (c *conn) end(e *ending) {
	c.mu.Lock()
	if c.ended != nil {
		c.mu.Unlock()
		return
	}
	c.ended = e
	if c.session != nil && c.version == packet.V5 && e.reason != packet.Success {
		c.out = c.lastWords(e).Append(c.buffer(), c.version)
	}
	c.net.SetWriteDeadline(time.Now().Add(lingerTime))
	c.server.wheel.stop(&c.timer)
	c.wake()
	c.mu.Unlock()
	c.server.left(c)
}

// lose ends a connection that cannot be read or written any more, and closes it. What waits to be written is dropped.
func (c *conn) lose(doing string, err error) {
	c.mu.Lock()
	lost := c.ended == nil
	if lost {
		c.ended = &ending{cause: ConnectionLost, err: &failure{doing, err}}
	}
	c.mu.Unlock()
	if lost {
		c.server.left(c)
	}
	c.shut()
}

// lastWords returns the DISCONNECT for an MQTT 5 client.
func (c *conn) lastWords(e *ending) *packet.Disconnect {
	d := &packet.Disconnect{Reason: e.reason}
	if c.problems && e.err != nil && e.cause == ClientError {
		d.Properties = d.Properties.WithText(packet.ReasonString, e.err.Error())
	}
	return d
}

// adopt makes s the connection's session, unless the connection has ended.
func (c *conn) adopt(s *session, idle time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return false
	}
	c.session, c.idle = s, idle
	return true
}

// leavePlace gives back the connection's place among those without CONNECT, if it still has one.
func (c *conn) leavePlace() {
	c.mu.Lock()
	place := c.place
	c.place = nil
	c.mu.Unlock()
	if place != nil {
		place.Leave()
	}
}

func (c *conn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended != nil
}

// expire ends a connection whose CONNECT is overdue, whose client has been silent for longer than its keep-alive allows, or whose time
// is up. It closes one that has ended.
func (c *conn) expire(now time.Time) {
	c.mu.Lock()
	idle, ended, until, grant := c.idle, c.ended != nil, c.hello.Peer.Until, c.grant
	c.mu.Unlock()
	if ended {
		c.shut()
		return
	}
	if idle == 0 {
		c.end(&ending{cause: ClientError, err: fmt.Errorf("no CONNECT within %v", c.server.o.Limits.ConnectTimeout)})
		return
	}
	due := time.Unix(0, c.seen.Load()).Add(idle)
	switch {
	case !until.IsZero() && !now.Before(until) && grant.over(now):
		c.end(errOver)
	case !until.IsZero() && !now.Before(until):
		c.end(&ending{WebSocketTTLExpired, packet.NotAuthorized, fmt.Errorf("connected for as long as allowed")})
	case !now.Before(due):
		c.end(&ending{KeepAliveTimeout, packet.KeepAliveTimeout, fmt.Errorf("nothing heard for %v", idle)})
	default:
		c.arm(due)
	}
}

// arm sets the timer of a connection that has not ended, for due or for its last moment if that is earlier.
func (c *conn) arm(due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.server.wheel.set(&c.timer, c, earlier(due, c.hello.Peer.Until))
	}
}

// earlier returns the earlier instant; a zero until is never.
func earlier(due, until time.Time) time.Time {
	if !until.IsZero() && until.Before(due) {
		return until
	}
	return due
}

// serve reads until the connection ends.
func (c *conn) serve() {
	defer c.server.dismiss(c)
	defer c.net.Close()
	src := newSource(c.net)
	for {
		b, err := src.read(len(c.partial) > 0, c.limit())
		if err != nil {
			c.lose("read", err)
			return
		}
		c.read(b)
	}
}

// Wake reads what there is. It is called by the poller, if there is one, whenever there is something.
func (c *conn) Wake() {
	t, secure := c.net.(*tls.Conn)
	if secure = secure && c.server.slim != nil; secure {
		if b := takeBuffer(); !c.server.slim.Lend(t, b) { // it has one, with the beginning of a record
			returnBuffer(b)
		}
	}
	c.readAll()
	if secure {
		returnBuffer(c.server.slim.Idle(t))
	}
}

// readAll reads until there is nothing.
func (c *conn) readAll() {
	for {
		b := takeBuffer()
		n, err := c.net.Read(b[:bufferSize])
		switch {
		case err == nil:
			c.read(b[:n])
			continue
		case !errors.Is(err, poll.ErrWouldBlock):
			c.lose("read", err)
		}
		returnBuffer(b)
		return
	}
}

// read takes input and gives its buffer back.
func (c *conn) read(b []byte) {
	c.server.count.bytesIn.Add(uint64(len(b)))
	if !c.hasEnded() { // otherwise the input is only drained, so that the client can read the last words
		c.input(b)
	}
	returnBuffer(b)
}

// input handles bytes as they come from the client and writes the answers.
func (c *conn) input(b []byte) {
	mine := c.claim()
	if e := c.feed(b); e != nil {
		c.end(e)
	} else if e := c.settle(); e != nil {
		c.end(e)
	}
	if mine {
		c.flush()
	}
}

// feed handles all whole packets and keeps the rest. A panic on the way ends this connection and nothing else.
func (c *conn) feed(b []byte) (e *ending) {
	defer func() {
		if p := recover(); p != nil {
			c.server.count.panics.Add(1)
			c.server.log.Error("panic in a connection", "panic", p, "stack", string(debug.Stack()))
			e = &ending{ServerError, packet.UnspecifiedError, fmt.Errorf("panic: %v", p)}
		}
	}()
	if len(c.partial) > 0 {
		c.hold(b)
		b = c.partial
	}
	if c.session == nil && b[0] != byte(packet.CONNECT)<<4 {
		return clientError(packet.ProtocolError, "the first packet is not CONNECT")
	}
	for {
		f, n, err := packet.Cut(b, c.limit())
		if err != nil {
			return refusal(err)
		}
		if n == 0 {
			break
		}
		c.packets++
		c.server.count.packetsIn.Add(1)
		c.seen.Store(time.Now().UnixNano())
		if e := c.handle(f); e != nil {
			return e
		}
		b = b[n:]
	}
	if len(b) == 0 {
		c.partial = nil
	} else {
		c.partial = c.partial[:0]
		c.hold(b)
	}
	return nil
}

// hold adds to partial, in room for no more than the longest packet if that is enough.
func (c *conn) hold(b []byte) {
	if need := len(c.partial) + len(b); need > cap(c.partial) {
		c.partial = append(make([]byte, 0, min(2*need, max(need, c.limit()))), c.partial...)
	}
	c.partial = append(c.partial, b...)
}

// limit is the longest packet the client may send now.
func (c *conn) limit() int {
	if c.session == nil {
		return connectMax
	}
	return c.server.o.Limits.Packet
}
