package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/topic"
)

// subscription is one filter of one session. filter and session never change; the rest is guarded by the session, except older and
// newer, which belong to the index.
type subscription struct {
	session           *session
	filter            string
	older, newer      *subscription // to the same filter
	qos               byte
	noLocal           bool
	retainAsPublished bool
	removed           bool
}

// subscribe handles a SUBSCRIBE (mqtt-broker.md section 5).
func (c *conn) subscribe(f packet.Frame) *ending {
	p, err := packet.ParseSubscribe(f.Body, c.version)
	if err != nil {
		return refusal(err)
	}
	if _, ok := p.Properties.Find(packet.SubscriptionID); ok {
		return clientError(packet.SubscriptionIDsRejected, "subscription identifiers are not supported")
	}
	for _, want := range p.Subscriptions {
		if _, _, shared := topic.Share(want.Filter); shared && want.NoLocal {
			return clientError(packet.ProtocolError, "no local on a shared subscription")
		}
	}
	reasons := make([]packet.Reason, len(p.Subscriptions))
	for i, want := range p.Subscriptions {
		if reasons[i] = c.judge(want); c.holds(p.ID) {
			reasons[i] = packet.PacketIDInUse
		}
		if reasons[i] == packet.NotAuthorized && c.server.o.Limits.CloseOnDeniedSubscribe {
			return forbidden(fmt.Errorf("subscribe to %q is not permitted", want.Filter))
		}
	}
	if c.server.nodes != nil {
		defer c.server.nodes.announce(c, p.Subscriptions, reasons)()
	}
	e := c.session.subscribe(c, p, reasons)
	if e == nil {
		c.server.tellInterest(c, true, reasons, func(i int) string { return p.Subscriptions[i].Filter })
	}
	return e
}

// judge says whether a filter is fit and permitted: Success or the reason why not.
func (c *conn) judge(want packet.Subscription) packet.Reason {
	if err := topic.CheckFilter(want.Filter); err != nil {
		return packet.TopicFilterInvalid
	}
	if err := c.server.maySubscribe(c.grant, want.Filter); err != nil {
		c.server.count.subscribesDenied.Add(1)
		c.logDenied("subscribe", want.Filter, err)
		return packet.NotAuthorized
	}
	return packet.Success
}

// maySubscribe says whether a client may subscribe to a filter: reserved ones only within one family, whatever policy
// says (MQ-40, MQ-70).
func (s *Server) maySubscribe(g Grant, filter string) error {
	if _, rest, _ := topic.Share(filter); topic.Reserved(rest) && !inFamily(rest) {
		return errors.New("reserved topic filter")
	}
	return g.Subscribe(filter)
}

// inFamily reports whether a reserved filter stays within one family of topics: "$aws/things/...", not "$aws/#".
func inFamily(filter string) bool {
	rest, ok := strings.CutPrefix(filter, "$aws/")
	family, _, deeper := strings.Cut(rest, "/")
	return ok && deeper && !strings.ContainsAny(family, "+#")
}

// unsubscribe handles an UNSUBSCRIBE.
func (c *conn) unsubscribe(f packet.Frame) *ending {
	p, err := packet.ParseUnsubscribe(f.Body, c.version)
	if err != nil {
		return refusal(err)
	}
	reasons := make([]packet.Reason, len(p.Filters))
	if c.holds(p.ID) {
		for i := range reasons {
			reasons[i] = packet.PacketIDInUse
		}
		c.send(&packet.Unsuback{ID: p.ID, Reasons: reasons})
		return nil
	}
	e := c.session.unsubscribe(c, p, reasons)
	if e == nil {
		c.server.tellInterest(c, false, reasons, func(i int) string { return p.Filters[i] })
	}
	return e
}

// enter makes a subscription one that messages are delivered to.
func (s *Server) enter(sub *subscription) {
	s.index.add(sub)
	if s.nodes != nil {
		s.nodes.want(sub.filter, sub.session.away.Load(), +1)
	}
}

// leave is the reverse of enter.
func (s *Server) leave(sub *subscription) {
	s.index.remove(sub)
	if s.nodes != nil {
		s.nodes.want(sub.filter, sub.session.away.Load(), -1)
	}
}

// find returns the subscription to filter, or nil.
func (s *session) find(filter string) *subscription {
	for _, sub := range s.subs {
		if sub.filter == filter {
			return sub
		}
	}
	return nil
}

// drop removes one subscription.
func (s *session) drop(sub *subscription) {
	sub.removed = true
	s.current = false
	s.server.leave(sub)
	s.subs = slices.DeleteFunc(s.subs, func(other *subscription) bool { return other == sub })
}

// grant adds or replaces one fit and permitted subscription and returns the reason code for it (MQ-36, MQ-38, MQ-42).
func (s *session) grant(want packet.Subscription) (granted packet.Reason, fresh bool) {
	sub := s.find(want.Filter)
	fresh = sub == nil
	if fresh {
		if len(s.subs) >= s.server.o.Limits.Subscriptions {
			return packet.QuotaExceeded, false
		}
		sub = &subscription{session: s, filter: want.Filter}
		s.subs = append(s.subs, sub)
	}
	qos := min(want.QoS, 1)
	s.current = s.current && !fresh && sub.qos == qos && sub.noLocal == want.NoLocal && sub.retainAsPublished == want.RetainAsPublished
	sub.qos = qos
	sub.noLocal = want.NoLocal
	sub.retainAsPublished = want.RetainAsPublished
	if fresh {
		s.server.enter(sub)
	}
	return packet.Reason(sub.qos), fresh
}

// subscribe grants what a SUBSCRIBE asks for where reasons has no objection, completes reasons and answers. The answer is sent before
// any message for the new subscriptions, because deliveries wait for the session's lock (MQ-44).
func (s *session) subscribe(c *conn, p *packet.Subscribe, reasons []packet.Reason) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return errTakenOver
	}
	if s.subs == nil {
		s.subs = make([]*subscription, 0, len(p.Subscriptions)) // most clients subscribe once
	}
	retained := make([]packet.Subscription, 0, packet.FiltersMax)
	for i, want := range p.Subscriptions {
		if reasons[i] != packet.Success {
			continue
		}
		var fresh bool
		reasons[i], fresh = s.grant(want)
		if reasons[i] > packet.GrantedQoS1 {
			continue
		}
		if want.RetainHandling == 0 || want.RetainHandling == 1 && fresh {
			retained = append(retained, want)
		}
	}
	c.send(&packet.Suback{ID: p.ID, Reasons: reasons})
	now := time.Now()
	for _, want := range retained {
		if m, qos := s.server.retained.find(want.Filter, now); m != nil {
			s.enqueue(delivery{message: m, retain: true}, min(want.QoS, qos))
		}
	}
	s.save()
	return nil
}

// unsubscribe removes the filters of an UNSUBSCRIBE, fills in reasons and answers (MQ-47).
func (s *session) unsubscribe(c *conn, p *packet.Unsubscribe, reasons []packet.Reason) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return errTakenOver
	}
	for i, filter := range p.Filters {
		switch sub := s.find(filter); {
		case topic.CheckFilter(filter) != nil:
			reasons[i] = packet.TopicFilterInvalid
		case sub == nil:
			reasons[i] = packet.NoSubscriptionExisted
		default:
			s.drop(sub)
		}
	}
	c.send(&packet.Unsuback{ID: p.ID, Reasons: reasons})
	s.save()
	return nil
}
