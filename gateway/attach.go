package gateway

import (
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// attach gives the client of an authorised CONNECT its session and answers. If another connection has the client id, that one
// ends; attach does not wait for its end (MQ-8). On one of several nodes got is what became of the claim of the session; it is nil on a
// server that is alone.
func (s *Server) attach(c *conn, p *packet.Connect, got *Claimed) {
	sh := s.registry.shard(c.hello.ClientID)
	sh.mu.Lock()
	old := sh.sessions[c.hello.ClientID]
	var stale *conn
	var late *will
	if got != nil {
		var ok bool
		if old, stale, late, ok = s.nodes.inherit(sh, old, c.hello.ClientID, got); !ok {
			sh.mu.Unlock()
			c.end(errTakenOver)
			return
		}
	}
	sess, present := old, old != nil && old.suits(c.hello, c.grant.Principal())
	if !present {
		sess = s.newSession(c.hello.ClientID, c.version, c.grant.Principal())
		if got != nil && got.Fresh && c.hello.Expiry > 0 {
			sess.expiry, sess.saved, sess.current = c.hello.Expiry, true, true // it was stored with the claim
		}
	}
	if got != nil {
		sess.heldBy(got.Hold)
		if old != nil {
			old.heldBy(got.Hold)
		}
	}
	idle := time.Duration(keepAlive(p.KeepAlive)) * time.Second * 3 / 2
	if !c.adopt(sess, idle) {
		if got != nil && old == nil {
			sess.discard(false) // also what was stored for it: nobody was told of it
		}
		sh.mu.Unlock()
		s.publishWill(late)
		stale.takenOver()
		return
	}
	var victim *conn
	if old != nil {
		var due *will
		if victim, due = old.vacate(present); due != nil {
			late = due
		}
		sess.visits = old.visits
	}
	sh.sessions[c.hello.ClientID] = sess
	if got != nil && !got.Fresh && !present { // what was to be continued has ended since it was claimed
		s.journal.add(Change{Kind: DropSession, Client: c.hello.ClientID, Epoch: got.Hold.Epoch})
	}
	sess.begin(c, p, present)
	sh.mu.Unlock()

	c.leavePlace()
	s.count.connects.Add(1)
	s.count.connections.Add(1)
	c.arm(time.Now().Add(idle))
	s.publishWill(late)
	victim.takenOver()
	stale.takenOver()
	s.tellPresence(c, true, None, 0)
	if got != nil {
		s.nodes.took(sess, *got)
	}
}

// takenOver ends c, which may be nil, because its client has another connection.
func (c *conn) takenOver() {
	if c != nil {
		c.end(errTakenOver)
	}
}

func (s *Server) newSession(client string, version byte, principal string) *session {
	return &session{server: s, client: client, version: version, principal: principal, serial: s.serials.Add(1)}
}

// suits reports whether a client may continue the session: a kept one, asked for, of the same protocol (MQ-12) and the same principal.
func (s *session) suits(hello *Connect, principal string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !hello.Clean && s.persistent() && s.version == hello.Version && s.principal == principal
}

// vacate takes the session from its connection; unless it is continued, it ends. vacate returns the connection, and the delayed will that is
// due because the session ends.
func (s *session) vacate(continued bool) (victim *conn, late *will) {
	s.mu.Lock()
	defer s.mu.Unlock()
	victim = s.conn
	if absence := s.endAbsence(); absence != nil {
		late = absence.will
	}
	if victim != nil {
		s.rest()
	}
	if !continued {
		s.discard(true)
		return victim, late
	}
	if victim != nil {
		victim.spareWill()
	}
	return victim, nil
}

// spareWill drops the will if it is a delayed one: the client came back in time.
func (c *conn) spareWill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.will != nil && c.will.delay > 0 {
		c.will = nil
	}
}

// begin makes c the session's connection. Its filters are authorised anew, CONNACK goes out, and then what waited.
func (s *session) begin(c *conn, p *packet.Connect, present bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = c
	s.goAway(false)
	s.keepFor(c.hello.Expiry)
	s.visits++
	c.visit = s.visits
	if s.epoch != 0 {
		c.visit, c.epoch = s.epoch, s.epoch
	}
	for _, sub := range append([]*subscription(nil), s.subs...) {
		if err := s.server.maySubscribe(c.grant, sub.filter); err != nil {
			s.drop(sub)
		}
	}
	c.send(c.welcome(p, present, s.expiry))
	if !s.persistent() && s.saved {
		s.change(Change{Kind: DropSession})
		s.saved = false
	}
	s.save()
	s.pump()
}

// left does what the end of a connection entails: its session, its will, presence. It is called once for each connection.
func (s *Server) left(c *conn) {
	c.mu.Lock()
	e, w, hello, grant := c.ended, c.will, c.hello, c.grant
	c.will = nil
	c.mu.Unlock()
	c.leavePlace()
	s.logEnd(c, e, hello, grant)
	if e.cause == ClientError {
		s.count.protocolErrors.Add(1)
	}
	if c.session == nil {
		return
	}
	s.count.connections.Add(-1)
	delayed, keeps := s.detach(c, w)
	if !delayed {
		s.publishWill(w)
	}
	s.tellPresence(c, false, e.cause, keeps)
}

// detach takes c from its session, which then ends or waits for its client. It reports whether the will w waits too, and for how long
// the session keeps messages.
func (s *Server) detach(c *conn, w *will) (delayed bool, keeps time.Duration) {
	sess := c.session
	sh := s.registry.shard(sess.client)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sess.mu.Lock()
	defer sess.mu.Unlock()
	if sess.conn != c {
		return false, 0
	}
	sess.rest()
	if !sess.persistent() {
		delete(sh.sessions, sess.client)
		sess.discard(false)
		return false, 0
	}
	now := time.Now()
	sess.absence = &absence{expires: now.Add(sess.expiry)}
	if delayed = w != nil && w.delay > 0; delayed {
		sess.absence.will, sess.absence.willDue = w, now.Add(w.delay)
	}
	sess.wind()
	sess.save()
	return delayed, sess.expiry
}

// wind sets the timer of a session that is away to its next event: its delayed will or its expiry.
func (s *session) wind() {
	a := s.absence
	due := a.expires
	if a.will != nil {
		due = earlier(due, a.willDue)
	}
	s.server.wheel.set(&a.timer, s, due)
}

// expire publishes a will whose delay is over and ends the session when its time is over (MQ-52).
func (s *session) expire(now time.Time) { s.server.publishWill(s.overdue(now)) }

func (s *session) overdue(now time.Time) (w *will) {
	sh := s.server.registry.shard(s.client)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.absence
	if a == nil {
		return nil
	}
	ends := !now.Before(a.expires) && !s.linger(now)
	if a.will != nil && (ends || !now.Before(a.willDue)) {
		w, a.will = a.will, nil
	}
	if !ends {
		s.wind()
		return w
	}
	delete(sh.sessions, s.client)
	s.discard(false)
	return w
}

// setExpiry handles a session expiry in DISCONNECT: a session that was not to be kept cannot be made to (MQ-52).
func (s *session) setExpiry(c *conn, seconds uint32) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn != c:
		return errTakenOver
	case s.expiry == 0 && seconds != 0:
		return clientError(packet.ProtocolError, "session expiry in DISCONNECT after none in CONNECT")
	}
	s.keepFor(min(time.Duration(seconds)*time.Second, s.server.o.Limits.SessionExpiry))
	return nil
}

func (s *session) keepFor(expiry time.Duration) {
	s.current = s.current && s.expiry == expiry
	s.expiry = expiry
}
