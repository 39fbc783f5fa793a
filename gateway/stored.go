package gateway

import (
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/topic"
)

// save stores the session as it is now, messages apart, if it is one to keep and is not stored like that: after a crash all devices
// come back at once to what they had, and repeat their subscriptions.
func (s *session) save() *commit {
	connected := s.conn != nil
	if !s.persistent() || s.over || connected && s.current {
		return nil
	}
	s.saved, s.current = true, connected
	r := SessionRecord{Version: s.version, Principal: s.principal, Expiry: s.expiry}
	if !connected {
		r.Away = s.absence.expires.Add(-s.expiry)
	}
	for _, sub := range s.subs {
		r.Subscriptions = append(r.Subscriptions, SubscriptionRecord{sub.filter, sub.qos, sub.noLocal, sub.retainAsPublished})
	}
	return s.server.journal.add(Change{Kind: PutSession, Client: s.client, Session: r})
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
	return s.server.journal.add(Change{Kind: AddMessage, Client: s.client, Number: d.stored, Message: r})
}

// forget drops d from the store.
func (s *session) forget(d *delivery) {
	if d.stored != 0 {
		s.server.journal.add(Change{Kind: DropMessage, Client: s.client, Number: d.stored})
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
	sess.away.Store(true)
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
