package gateway

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// session is the state of a client id: its subscriptions, and messages not yet acknowledged. It outlives its connection when
// expiry is not zero.
//
// Locks are taken in this order: a registry shard, a session, then one of the leaves (a connection, an index shard, the
// wheel, the journal). The retained messages are locked last before the wheel and the journal. Two sessions are never locked at
// once.
type session struct {
	server    *Server
	client    string
	version   byte
	principal string
	serial    uint64 // tells sessions apart, in order of their making
	peer      *peer  // not nil if this stands for sessions of another node; then the rest means nothing

	away atomic.Bool

	mu       sync.Mutex    // guards what follows
	conn     *conn         // nil while away
	absence  *absence      // nil while connected
	over     bool          // discarded: it is in no registry any more
	expiry   time.Duration // how long it is kept after its connection
	subs     []*subscription
	queue    []delivery // not sent yet, or to be sent again; oldest first
	queued   int        // bytes in queue
	inFlight []delivery // sent, not acknowledged; oldest first
	lastID   uint16
	stored   uint64               // last number given to a stored delivery
	saved    bool                 // the store knows the session
	epoch    uint64               // of the claim by which this node has the session; 0 on a server that is alone
	moved    *place               // where it is, if another node has it; nil otherwise
	ahead    []SubscriptionRecord // what the store knows beyond current, of a SUBSCRIBE under way
	came     *came                // nil unless another node had the session before
	current  bool                 // what it knows is what there is to know while the client is connected
	visits   uint64               // connections so far
}

// absence is what a session has while its client is away.
type absence struct {
	timer   timer     // runs to expires, or to willDue
	expires time.Time // when the session ends
	will    *will     // to be published at willDue; nil for none
	willDue time.Time
}

// persistent reports whether the session outlives its connection.
func (s *session) persistent() bool { return s.expiry > 0 }

// deliver hands m to the session, which has it by the given subscriptions, at the best QoS among them (MQ-43). publish is
// its QoS, local says that the session itself published it. It returns a commit to wait for if m had to be stored.
func (s *session) deliver(m *message, subs []*subscription, publish byte, retain, local bool) *commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	var qos byte
	wanted, keepRetain := false, false
	for _, sub := range subs {
		if sub.removed || local && sub.noLocal {
			continue
		}
		wanted = true
		qos = max(qos, min(sub.qos, publish))
		keepRetain = keepRetain || sub.retainAsPublished
	}
	if !wanted {
		return nil
	}
	if qos > 0 && (s.moved != nil || s.came != nil) {
		if s.moved != nil {
			return s.server.nodes.handOn(s.client, s.moved.Hold, m, retain && keepRetain)
		}
		if s.came.had(m, time.Now()) {
			return nil
		}
	}
	return s.enqueue(delivery{message: m, retain: retain && keepRetain}, qos)
}

// enqueue sends d at once if it can. At QoS 1 it is kept until it can be sent and is acknowledged; at QoS 0 it is dropped
// when the client is away or slow. Without room, what clients publish is not kept for one that is away.
func (s *session) enqueue(d delivery, qos byte) *commit {
	c := s.conn
	if c != nil && !c.grant.Receive(d.topic) {
		s.forbid(c, d.topic)
		return nil
	}
	if qos == 0 {
		if c != nil {
			c.sendQoS0(&d)
		}
		return nil
	}
	if c == nil && (!s.persistent() || d.direct) {
		return nil
	}
	if c == nil && !topic.Reserved(d.topic) && !s.server.o.Room() {
		s.server.count.droppedQueue.Add(1)
		return nil
	}
	var wait *commit
	if s.persistent() && !d.direct {
		wait = s.store(&d)
	}
	if len(s.queue) == 0 && s.flows() {
		s.transmit(&d, time.Now())
		return wait
	}
	if c == nil && d.latest {
		s.supersede(d.topic)
	}
	s.queue = append(s.queue, d)
	s.queued += d.size()
	s.pump()
	s.trim()
	return wait
}

// pump sends what the queue holds as far as the client's window and its connection take it.
func (s *session) pump() {
	for len(s.queue) > 0 && s.flows() {
		d := s.shift()
		s.transmit(&d, time.Now())
	}
}

// flows reports whether a QoS 1 message may be sent now. If not, pump is called when it may.
func (s *session) flows() bool {
	return s.conn != nil && len(s.inFlight) < s.conn.window && s.conn.room()
}

// transmit sends d, whose turn it is, to the connected client, or drops it where it must not be sent.
func (s *session) transmit(d *delivery, now time.Time) {
	c := s.conn
	if d.expired(now) {
		s.server.count.droppedQueue.Add(1)
		s.forget(d)
		return
	}
	if !c.grant.Receive(d.topic) {
		s.forbid(c, d.topic)
		s.forget(d)
		return
	}
	p := d.packet(now)
	p.QoS, p.Retain, p.Dup = 1, d.retain, d.id != 0
	if d.id == 0 {
		d.id = s.nextID()
	}
	p.ID = d.id
	if size := p.Size(c.version); c.packetMax > 0 && size > c.packetMax {
		s.tooLarge(c, d.topic, size)
		s.forget(d) // MQ-60: discarded as if it had been delivered
		return
	}
	c.sendPublish(&p)
	s.server.count.delivered.Add(1)
	s.server.tellReceipt(d.message, false)
	s.inFlight = append(s.inFlight, *d)
}

// shift takes the oldest delivery from the queue.
func (s *session) shift() delivery {
	d := s.queue[0]
	s.queue[0] = delivery{}
	s.queue = s.queue[1:]
	s.queued -= d.size()
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return d
}

// trim drops the oldest deliveries beyond the bounds of MQ-55. The bound on their number applies only to a client that is away; for a
// connected one the bound in bytes suffices.
func (s *session) trim() {
	l := &s.server.o.Limits
	for len(s.queue) > 0 && (s.queued > l.QueueBytes || s.conn == nil && len(s.queue) > l.QueueMessages) {
		d := s.shift()
		s.forget(&d)
		s.server.count.droppedQueue.Add(1)
	}
}

// nextID returns a packet id that is not in flight.
func (s *session) nextID() uint16 {
	for {
		s.lastID++
		if s.lastID != 0 && !slices.ContainsFunc(s.inFlight, func(d delivery) bool { return d.id == s.lastID }) {
			return s.lastID
		}
	}
}

// acked handles the client's PUBACK. An unknown id is ignored: it may be for a message that a take-over sent before.
func (s *session) acked(c *conn, id uint16) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return errTakenOver
	}
	i := slices.IndexFunc(s.inFlight, func(d delivery) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	s.forget(&s.inFlight[i])
	s.server.tellReceipt(s.inFlight[i].message, true)
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
	if len(s.inFlight) == 0 {
		s.inFlight = nil
	}
	s.pump()
	return nil
}

// drained sends on after c's buffer was written out.
func (s *session) drained(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c {
		s.pump()
	}
}

// reply delivers a direct reply to c, if it is still the session's connection: once, at the QoS of the best matching
// subscription, else at QoS 0 (MQ-73, MQ-74).
func (s *session) reply(c *conn, name string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return
	}
	var qos byte
	for _, sub := range s.subs {
		if topic.Match(sub.filter, name, s.server.o.Limits.ParentWildcard) {
			qos = max(qos, sub.qos)
		}
	}
	s.enqueue(delivery{message: &message{topic: name, payload: payload}, direct: true}, qos)
}

// supersede drops what waits unsent on a topic of which only the newest message counts (MQ-55).
func (s *session) supersede(name string) {
	s.queue = slices.DeleteFunc(s.queue, func(d delivery) bool {
		old := d.latest && d.id == 0 && d.topic == name
		if old {
			s.queued -= d.size()
			s.forget(&d)
		}
		return old
	})
}

// rest takes the connection from the session. Messages that were sent and not acknowledged go back to the front of the queue.
func (s *session) rest() {
	s.conn = nil
	s.goAway(true)
	again := append(s.inFlight, s.queue...)
	s.inFlight, s.queue, s.queued = nil, nil, 0
	for _, d := range again {
		if d.direct {
			continue
		}
		if d.latest && d.id == 0 {
			s.supersede(d.topic)
		}
		s.queue = append(s.queue, d)
		s.queued += d.size()
	}
	s.trim()
}

// goAway notes whether the client is away.
func (s *session) goAway(away bool) {
	if s.away.Swap(away) != away && s.server.nodes != nil {
		s.server.nodes.moved(s.subs, away)
	}
}

// discard ends the session; it is not kept. Nor is the hold on it if hold is false.
func (s *session) discard(hold bool) {
	if s.over {
		return
	}
	s.over = true
	switch {
	case !hold && s.server.nodes != nil:
		s.change(Change{Kind: Release})
	case s.saved:
		s.change(Change{Kind: DropSession})
	}
	s.saved = false
	for _, sub := range s.subs {
		sub.removed = true
		s.server.leave(sub)
	}
	s.subs, s.queue, s.queued, s.inFlight = nil, nil, 0, nil
	s.endAbsence()
}

// change writes a change of the session to the store, unless another node has the session.
func (s *session) change(c Change) *commit {
	if s.moved != nil {
		return nil
	}
	c.Client, c.Epoch = s.client, s.epoch
	return s.server.journal.add(c)
}

// endAbsence ends the absence, if there is one, and returns it.
func (s *session) endAbsence() *absence {
	a := s.absence
	if a != nil {
		s.server.wheel.stop(&a.timer)
		s.absence = nil
	}
	return a
}
