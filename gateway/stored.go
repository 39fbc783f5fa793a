package gateway

import (
	"slices"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/topic"
)

// save stores the session as it is now, messages apart, if it is one to keep and is not stored like that: after a crash all devices
// come back at once to what they had, and repeat their subscriptions.
func (s *session) save() *commit {
	connected := s.conn != nil
	if !s.persistent() || s.over || s.moved != nil || connected && s.current {
		return nil
	}
	s.saved, s.current = true, connected
	r := SessionRecord{Version: s.version, Principal: s.principal, Expiry: s.expiry}
	if !connected {
		r.Away = s.absence.expires.Add(-s.expiry)
	}
	r.Subscriptions = s.subscriptions()
	if ahead := s.ahead; ahead != nil {
		if s.ahead = nil; connected && slices.Equal(ahead, r.Subscriptions) {
			return nil
		}
	}
	return s.change(Change{Kind: PutSession, Session: r})
}

func (s *session) subscriptions() (all []SubscriptionRecord) {
	for _, sub := range s.subs {
		all = append(all, SubscriptionRecord{sub.filter, sub.qos, sub.noLocal, sub.retainAsPublished})
	}
	return all
}

// storeAhead stores the subscriptions that a SUBSCRIBE will add. It returns a commit to wait for, nil if there is none.
func (s *session) storeAhead(c *conn, wanted []packet.Subscription, reasons []packet.Reason) *commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c || !s.persistent() {
		return nil
	}
	all := s.subscriptions()
	for i, want := range wanted {
		if reasons[i] != packet.Success {
			continue
		}
		r := SubscriptionRecord{want.Filter, min(want.QoS, 1), want.NoLocal, want.RetainAsPublished}
		if at := slices.IndexFunc(all, func(r SubscriptionRecord) bool { return r.Filter == want.Filter }); at >= 0 {
			all[at] = r
		} else if len(all) < s.server.o.Limits.Subscriptions {
			all = append(all, r)
		}
	}
	if s.current && slices.Equal(all, s.subscriptions()) {
		return nil
	}
	s.saved, s.ahead = true, all
	return s.change(Change{Kind: PutSession, Session: SessionRecord{Version: s.version, Principal: s.principal, Expiry: s.expiry, Subscriptions: all}})
}

// record returns what is stored of the message.
func (m *message) record() MessageRecord {
	return MessageRecord{Topic: m.topic, Payload: m.payload, Latest: m.latest, Expires: m.expires, Properties: m.forward}
}

// restored returns the message that was stored as r.
func restored(r MessageRecord) *message {
	return &message{topic: r.Topic, payload: r.Payload, forward: r.Properties, expires: r.Expires, latest: r.Latest}
}

// store gives d a number and stores it.
func (s *session) store(d *delivery) *commit {
	s.stored++
	d.stored = s.stored
	r := d.record()
	r.Retain = d.retain
	return s.change(Change{Kind: AddMessage, Number: d.stored, Message: r, origin: d.origin})
}

// forget drops d from the store.
func (s *session) forget(d *delivery) {
	if d.stored != 0 {
		s.change(Change{Kind: DropMessage, Number: d.stored})
	}
}

// restore makes the session that was stored as r; its client is away. Which messages were sent before the restart is not known: they
// are sent again as new, which QoS 1 allows.
func (s *Server) restore(r StoredSession, now time.Time) *session {
	sess := s.newSession(r.Client, r.Session.Version, r.Session.Principal)
	sess.expiry, sess.saved = r.Session.Expiry, true
	since := r.Session.Away
	if since.IsZero() {
		since = now // it was connected until the restart
	}
	sess.absence = &absence{expires: since.Add(sess.expiry)}
	sess.goAway(true)
	for _, f := range r.Session.Subscriptions {
		if _, rest, _ := topic.Share(f.Filter); topic.CheckFilter(rest) == nil {
			sess.grant(packet.Subscription{Filter: f.Filter, QoS: f.QoS, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished})
		}
	}
	for _, n := range r.Messages {
		d := delivery{message: restored(n.Message), retain: n.Message.Retain, stored: n.Number}
		sess.stored = max(sess.stored, n.Number)
		sess.queue = append(sess.queue, d)
		sess.queued += d.size()
	}
	sess.current = r.Session.Away.IsZero() && len(sess.subs) == len(r.Session.Subscriptions)
	sess.trim()
	sess.wind()
	return sess
}
