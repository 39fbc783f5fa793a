package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway/admission"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/poll"
	"github.com/muster-iot/muster/gateway/proxyproto"
	"github.com/muster-iot/muster/gateway/slimtls"
	"github.com/muster-iot/muster/internal/loglimit"
)

// tick is the grain of all time-outs.
const tick = time.Second

// Log lines a minute about connections that were refused: for one address, and for all.
const (
	refusedLines    = 60
	refusedLinesAll = 600
)

// Options are the parts of a Server. Authorizer is required; every other zero value means the default.
type Options struct {
	Authorizer Authorizer
	Reserved   Reserved       // nil: every publish to "$..." is refused
	Sessions   SessionStore   // nil: sessions and retained messages live as long as the process
	Presence   func(Presence) // called for each connection; must be quick; nil is allowed
	Interest   func(Interest) // called for each SUBSCRIBE and UNSUBSCRIBE; must be quick; nil is allowed
	Receipt    func(Receipt)  // called for messages with Latest, under locks: must be quick and not call back; nil is allowed
	Log        *slog.Logger   // nil discards
	Limits     Limits
	Room       func() bool  // whether messages of clients may be kept for later; must be quick; nil: always
	Calm       func()       // called after a storm of connections, whose garbage may go then: at most once a minute, on a goroutine that Run waits for; nil is allowed
	Goroutines bool         // give each connection a goroutine even where the system can do without (Linux)
	Nodes      *NodeOptions // not nil: this is one of several servers, and Sessions must be a SharedSessions
	SlimTLS    bool         // shrink TLS connections after their handshake, if package slimtls trusts this version of Go
}

// Server is one node of the device gateway. Its methods may be called from any goroutine.
type Server struct {
	o        Options
	log      *slog.Logger
	index    *index
	registry *registry
	wheel    *wheel
	journal  *journal
	nodes    *nodes           // nil for a server that is alone
	pool     *admission.Pool  // of connections before the end of their CONNECT
	slim     *slimtls.Slimmer // nil: TLS connections stay as they are
	retained *retained
	refused  *loglimit.Limiter // of lines about connections that were refused
	withheld *loglimit.Limiter // of lines about messages that a client does not get
	count    counters
	serials  atomic.Uint64

	polling sync.Once
	poller  *poll.Poller // made when it is first wanted; nil: a goroutine for each connection

	mu      sync.Mutex // guards what follows
	open    map[*conn]struct{}
	closing bool
	serving sync.WaitGroup // of open
}

// New returns a server holding the stored sessions and retained messages; one of several nodes has none of the sessions before it claims them. It serves no client until Run runs and a
// Serve method is called.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Authorizer == nil {
		return nil, errors.New("gateway: no Authorizer")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Room == nil {
		o.Room = func() bool { return true }
	}
	if o.Calm == nil {
		o.Calm = func() {}
	}
	o.Limits = o.Limits.withDefaults()
	now := time.Now()
	s := &Server{
		o:        o,
		log:      o.Log,
		index:    newIndex(o.Limits.ParentWildcard),
		registry: newRegistry(),
		wheel:    newWheel(tick, now),
		journal:  newJournal(o.Sessions, o.Log),
		pool:     admission.New(o.Limits.Unproven),
		refused:  loglimit.New(refusedLines, refusedLinesAll),
		withheld: loglimit.NewHourly(1, withheldLinesAll),
		open:     map[*conn]struct{}{},
	}
	s.retained = newRetained(o.Limits.Retained, o.Room, s.journal, s.wheel)
	if o.SlimTLS {
		var err error
		if s.slim, err = slimtls.New(); err != nil {
			s.log.Warn("TLS connections keep their full size", "err", err)
		}
	}
	if o.Sessions == nil && o.Nodes == nil {
		return s, nil
	}
	if o.Nodes != nil {
		shared, ok := o.Sessions.(SharedSessions)
		if !ok {
			return nil, errors.New("gateway: several nodes need a SharedSessions")
		}
		s.joinNodes(*o.Nodes, shared)
	} else if err := o.Sessions.Load(ctx, func(r StoredSession) error {
		s.registry.shard(r.Client).sessions[r.Client] = s.restore(r, now)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("load sessions: %w", err)
	}
	if err := o.Sessions.LoadRetained(ctx, s.retained.restore); err != nil {
		return nil, fmt.Errorf("load retained messages: %w", err)
	}
	return s, nil
}

// Run does the server's timed work: keep-alive, session expiry, delayed wills, session writes. When ctx ends it drains: MQTT 5
// clients get DISCONNECT 0x8B, all connections are closed, what sessions hold is written. It returns when no goroutine of the
// server is left. Call it exactly once.
func (s *Server) Run(ctx context.Context) error {
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	var journal, calming sync.WaitGroup
	journal.Go(func() { s.journal.run(writing) })
	if s.nodes != nil {
		talking, stopTalking := context.WithCancel(context.WithoutCancel(ctx))
		var nodes sync.WaitGroup
		nodes.Go(func() { s.nodes.run(talking) })
		defer func() { s.nodes.end(); stopTalking(); nodes.Wait() }()
	}
	defer calming.Wait()
	beat := time.NewTicker(tick)
	defer beat.Stop()
	var storm storm
	var drained chan struct{}
	stopping := ctx.Done()
	for {
		select {
		case now := <-beat.C:
			s.wheel.advance(now)
			if storm.over(s.count.accepted.Load(), s.count.connections.Load(), now) {
				calming.Go(s.o.Calm) // it may take longer than a tick
			}
		case <-stopping:
			stopping, drained = nil, make(chan struct{})
			s.journal.hurry()
			if s.nodes != nil {
				s.nodes.hurry()
			}
			go func() {
				defer close(drained)
				s.drain()
			}()
		case <-drained:
			stopWriting()
			journal.Wait()
			return nil
		}
	}
}

// drain ends all connections, spread out so that clients do not come back all at once (MQ-65).
func (s *Server) drain() {
	s.mu.Lock()
	s.closing = true
	var open []*conn
	for c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()
	gap := min(s.o.Limits.DrainTime/time.Duration(len(open)+1), time.Millisecond)
	for _, c := range open {
		c.end(&ending{ServerInitiated, packet.ServerShuttingDown, errors.New("server is shutting down")})
		time.Sleep(gap)
	}
	s.serving.Wait()
	s.polling.Do(func() {}) // from now on no poller is made
	if s.poller != nil {
		s.poller.Close()
	}
}

// Serve accepts MQTT connections on l, without TLS, until ctx ends; then it closes l and returns nil. Running
// out of file descriptors delays it and does not stop it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return Accept(ctx, l, s.log, func(c net.Conn) {
		p := Peer{Addr: c.RemoteAddr().String(), Transport: "tcp"}
		if w := s.Wrap(c); s.polled(w) != nil {
			s.ServeConn(w, p)
		} else {
			go s.ServeConn(c, p)
		}
	})
}

// ServeTLS serves one connection whose TLS handshake is done, as a door hands it on.
func (s *Server) ServeTLS(c *tls.Conn) {
	state := c.ConnectionState()
	p := Peer{Addr: c.RemoteAddr().String(), Transport: "tls", ServerName: state.ServerName}
	if len(state.PeerCertificates) > 0 {
		p.Certificate = state.PeerCertificates[0].Raw
	}
	if s.slim != nil {
		s.slim.Settle(c)
	}
	s.ServeConn(c, p)
}

// Wrap prepares an accepted connection for waiting without a goroutine, where the system can. Do it before TLS is put
// on top. It returns c itself where it cannot.
func (s *Server) Wrap(c net.Conn) net.Conn {
	balanced, ok := c.(*proxyproto.Conn)
	socket := c
	if ok {
		socket = balanced.TCPConn
	}
	w := poll.Wrap(socket)
	if w == nil || s.o.Goroutines {
		return c
	}
	s.polling.Do(func() {
		var err error
		if s.poller, err = poll.New(); err != nil {
			s.log.Warn("each connection gets a goroutine", "err", err)
		}
	})
	switch {
	case s.poller == nil:
		return c
	case ok:
		return &balancedConn{w, balanced.RemoteAddr()}
	}
	return w
}

// balancedConn is a connection that waits without a goroutine and that a balancer has opened for its client.
type balancedConn struct {
	*poll.Conn
	client net.Addr
}

// RemoteAddr returns the address of the client.
func (c *balancedConn) RemoteAddr() net.Addr { return c.client }

// NetConn returns the connection that waits.
func (c *balancedConn) NetConn() net.Conn { return c.Conn }

// ServeConn serves one connection, authenticated as far as p says, and closes it at its end. It returns when the connection
// has ended or, if it is based on a connection from Wrap, at once.
func (s *Server) ServeConn(nc net.Conn, p Peer) {
	c := s.newConn(nc, p)
	if c == nil {
		s.count.shed.Add(1)
		nc.Close()
		return
	}
	if !s.admit(c) {
		c.leavePlace()
		nc.Close()
		return
	}
	s.count.accepted.Add(1)
	s.wheel.set(&c.timer, c, c.start.Add(s.o.Limits.ConnectTimeout))
	if c.socket == nil {
		c.serve()
	} else if err := s.poller.Add(c.socket, c); err != nil {
		c.socket = nil // so it is read by a goroutine
		go c.serve()
	}
}

// newConn returns a connection that is not served yet, or nil if there is no place for it.
func (s *Server) newConn(nc net.Conn, p Peer) *conn {
	c := &conn{server: s, net: nc, hello: &Connect{Peer: p}, start: time.Now(), socket: s.polled(nc)}
	place := s.pool.Take(p.Addr, func() { s.shed(c) }) // which may happen at once
	if place == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place = place
	return c
}

// polled returns what the poller can wait for below nc, or nil.
func (s *Server) polled(nc net.Conn) *poll.Conn {
	for {
		if w, ok := nc.(*poll.Conn); ok {
			return w
		}
		above, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = above.NetConn()
	}
}

// admit registers a connection unless the server is closing.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.open[c] = struct{}{}
	s.serving.Add(1)
	return true
}

func (s *Server) dismiss(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		delete(s.open, c)
		s.serving.Done()
	}
}

// shed ends a connection that has not sent its CONNECT to make room for another.
func (s *Server) shed(c *conn) {
	s.count.shed.Add(1)
	c.end(errNoRoom)
	c.shut() // at once: there is nothing left to send
}

// errNoRoom ends a connection whose place another one needs.
var errNoRoom = &ending{ServerInitiated, packet.Success, errors.New("too many connections wait for their CONNECT")}

// Publish sends m to all subscribers of its topic, reserved or not; only each receiver's own policy is asked.
// Messages that one caller publishes on one topic arrive in that order. It never waits for a receiver and is quick when
// there is none. done, if not nil, is called once, when the message is durable for the persistent sessions it matched
// and, if m is retained, for itself (at once when there is nothing to store), or with the error that prevented it.
func (s *Server) Publish(m Message, done func(error)) {
	msg := &message{topic: m.Topic, payload: m.Payload, forward: m.Properties, latest: m.Latest}
	if m.Expiry > 0 {
		msg.expires = time.Now().Add(m.Expiry)
	}
	wait := s.route(msg, min(m.QoS, 1), m.Retain, nil)
	switch {
	case done == nil:
	case wait == nil:
		done(nil)
	default:
		s.journal.then(wait, done)
	}
}

// logEnd writes the one log line of a connection, if anybody reads it.
func (s *Server) logEnd(c *conn, e *ending, hello *Connect, grant *guarded) {
	level := slog.LevelInfo
	if e.cause == ServerError {
		level = slog.LevelError
	}
	if s.log.Enabled(context.Background(), level) {
		s.writeEnd(level, c, e, hello, grant)
	}
}

// writeEnd writes that line. Anyone can make any number of connections that are refused, so each address has a few lines a minute for
// those.
func (s *Server) writeEnd(level slog.Level, c *conn, e *ending, hello *Connect, grant *guarded) {
	var left uint64
	if c.session == nil {
		var ok bool
		if left, ok = s.refused.Take(loglimit.Network(hello.Peer.Addr), time.Now()); !ok {
			return
		}
	}
	attrs := []slog.Attr{
		slog.String("peer", hello.Peer.Addr),
		slog.String("transport", hello.Peer.Transport),
		slog.String("cause", string(e.cause)),
		slog.Duration("lasted", time.Since(c.start)),
	}
	if hello.ClientID != "" {
		attrs = append(attrs, slog.String("client", hello.ClientID), slog.Int("version", int(hello.Version)))
	}
	if grant != nil {
		attrs = append(attrs, slog.String("principal", grant.Principal()))
	}
	if e.reason != packet.Success {
		attrs = append(attrs, slog.String("reason", e.reason.String()))
	}
	if e.err != nil {
		attrs = append(attrs, slog.String("err", e.err.Error()))
	}
	if left > 0 {
		attrs = append(attrs, loglimit.LeftOut(left))
	}
	s.log.LogAttrs(context.Background(), level, "connection ended", attrs...)
}
