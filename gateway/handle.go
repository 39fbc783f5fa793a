package gateway

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/topic"
)

// handle is the client's side of the protocol: it acts on one packet and returns how the connection ends, nil if it goes on.
func (c *conn) handle(f packet.Frame) *ending {
	if err := f.CheckFlags(); err != nil {
		return refusal(err)
	}
	if c.session == nil {
		return c.first(f)
	}
	switch f.Type() {
	case packet.PUBLISH:
		return c.publish(f)
	case packet.PUBACK:
		p, err := packet.ParsePuback(f.Body, c.version)
		if err != nil {
			return refusal(err)
		}
		return c.session.acked(c, p.ID)
	case packet.SUBSCRIBE:
		return c.subscribe(f)
	case packet.UNSUBSCRIBE:
		return c.unsubscribe(f)
	case packet.PINGREQ:
		return c.ping(f)
	case packet.DISCONNECT:
		return c.disconnect(f)
	}
	return clientError(packet.ProtocolError, fmt.Sprintf("packet type %d is not expected from a client", f.Type()))
}

func (c *conn) ping(f packet.Frame) *ending {
	if _, err := packet.Parse(f, c.version); err != nil {
		return refusal(err)
	}
	c.send(packet.Pingresp{})
	return nil
}

// publish handles a PUBLISH of the client (mqtt-broker.md section 4).
func (c *conn) publish(f packet.Frame) *ending {
	p, err := packet.ParsePublish(f, c.version)
	if err != nil {
		return refusal(err)
	}
	c.server.count.publishesIn.Add(1)
	if p.QoS == 2 {
		return clientError(packet.QoSNotSupported, "QoS 2 is not supported")
	}
	if len(p.Payload) > c.server.o.Limits.Payload {
		return clientError(packet.PacketTooLarge, fmt.Sprintf("payload of %d bytes, at most %d are allowed", len(p.Payload), c.server.o.Limits.Payload))
	}
	if e := c.resolveAlias(p); e != nil {
		return e
	}
	if p.QoS == 1 {
		if e, answered := c.admit(p.ID); e != nil || answered {
			return e
		}
	}
	if wait := c.pace.take(time.Now(), float64(c.server.o.Limits.PublishRate), float64(rateBurst*c.server.o.Limits.PublishRate)); wait > 0 {
		time.Sleep(wait)
	}
	if err := topic.CheckName(p.Topic); err != nil {
		return c.refusePublish(p, packet.TopicNameInvalid, &ending{ClientError, packet.TopicNameInvalid, err})
	}
	if err := c.server.mayPublish(c.grant, p.Topic, p.Retain); err != nil {
		c.server.count.publishesDenied.Add(1)
		c.logDenied("publish", p.Topic, err)
		return c.refusePublish(p, packet.NotAuthorized, forbidden(fmt.Errorf("publish to %q: %w", p.Topic, err)))
	}
	wait := c.accept(p)
	if p.QoS == 1 {
		c.acknowledge(p.ID, packet.Success, wait)
	}
	return nil
}

// resolveAlias fills in the topic of p from its alias, or learns the alias.
func (c *conn) resolveAlias(p *packet.Publish) *ending {
	if !p.HasAlias {
		return nil
	}
	if p.Alias == 0 || p.Alias > aliasMax {
		return clientError(packet.TopicAliasInvalid, fmt.Sprintf("topic alias %d, 1 to %d are allowed", p.Alias, aliasMax))
	}
	if c.aliases == nil {
		c.aliases = new([aliasMax]string)
	}
	known := &c.aliases[p.Alias-1]
	if p.Topic != "" {
		*known = p.Topic
	}
	if *known == "" {
		return clientError(packet.ProtocolError, fmt.Sprintf("topic alias %d is not known", p.Alias))
	}
	p.Topic = *known
	return nil
}

// admit checks the packet id of a QoS 1 PUBLISH against those not acknowledged yet (MQ-29, MQ-48).
func (c *conn) admit(id uint16) (e *ending, answered bool) {
	if c.holds(id) {
		c.held.acks = (&packet.Puback{ID: id, Reason: packet.PacketIDInUse}).Append(c.held.acks, c.version)
		return nil, true
	}
	if c.held != nil && len(c.held.ids) >= c.server.o.Limits.InFlight {
		return clientError(packet.ReceiveMaximumExceeded, fmt.Sprintf("more than %d publishes unacknowledged", c.server.o.Limits.InFlight)), false
	}
	return nil, false
}

// holds reports whether id belongs to a publish whose acknowledgement is held back. 3.1.1 has no answer for that and re-uses ids
// at its own risk.
func (c *conn) holds(id uint16) bool {
	return c.version == packet.V5 && c.held != nil && slices.Contains(c.held.ids, id)
}

// refusePublish answers a publish that is not accepted: PUBACK with the reason where MQTT 5 can, the end otherwise (MQ-27).
func (c *conn) refusePublish(p *packet.Publish, reason packet.Reason, e *ending) *ending {
	if c.version != packet.V5 || p.QoS == 0 {
		return e
	}
	c.acknowledge(p.ID, reason, nil)
	return nil
}

// acknowledge sends a PUBACK, or holds it back until wait is done and all held before it are.
func (c *conn) acknowledge(id uint16, reason packet.Reason, wait *commit) {
	ack := packet.Puback{ID: id, Reason: reason}
	if wait == nil && c.held == nil {
		c.sendRaw(ack.Append(make([]byte, 0, 8), c.version))
		return
	}
	if c.held == nil {
		c.held = &held{}
	}
	switch {
	case wait == nil:
	case c.server.nodes == nil:
		c.held.wait = wait // batches are written in order: the last one is done last
	default:
		c.held.waits = append(c.held.waits, wait)
	}
	c.held.acks = ack.Append(c.held.acks, c.version)
	c.held.ids = append(c.held.ids, id)
}

// settle waits until held acknowledgements may go out and sends them.
func (c *conn) settle() *ending {
	if c.held == nil {
		return nil
	}
	if c.server.nodes != nil {
		c.held.wait = c.server.journal.all(c.held.waits)
	}
	held := c.held
	if held.wait != nil {
		<-held.wait.done
	}
	c.held = nil
	if held.wait != nil && held.wait.err != nil {
		return &ending{ServerError, packet.UnspecifiedError, held.wait.err}
	}
	c.sendRaw(held.acks)
	return nil
}

// accept takes a permitted publish: a request goes to the service, anything else to subscribers.
func (c *conn) accept(p *packet.Publish) *commit {
	payload := append([]byte(nil), p.Payload...)
	if topic.Reserved(p.Topic) {
		c.request(p.Topic, payload)
		return nil
	}
	m := &message{topic: p.Topic, payload: payload, forward: append(packet.Properties(nil), p.Forward...)}
	if p.HasExpiry {
		m.expires = expiryTime(time.Now(), p.Expiry)
	}
	return c.server.route(m, p.QoS, p.Retain, c.session)
}

// request hands a permitted publish to a reserved topic to the service, unless it is one that is dropped.
func (c *conn) request(name string, payload []byte) {
	switch c.server.o.Reserved.Use(name) {
	case Served:
		c.server.count.requests.Add(1)
	case Unserved:
		c.server.count.unserved.Add(1)
	default:
		return
	}
	session := c.session
	c.server.o.Reserved.Request(
		Request{Topic: name, Payload: payload, ClientID: session.client, Grant: c.grant.unguarded},
		func(name string, payload []byte) { session.reply(c, name, payload) })
}

// mayPublish says whether a client may publish to a topic: reserved ones only where AWS takes them, and never retained
// (MQ-28, MQ-61, MQ-71).
func (s *Server) mayPublish(g Grant, name string, retain bool) error {
	if topic.Reserved(name) {
		switch {
		case s.o.Reserved == nil || s.o.Reserved.Use(name) == Forbidden:
			return errors.New("reserved topic")
		case retain:
			return errors.New("reserved topics are not retained")
		}
	}
	return g.Publish(name, retain)
}

// disconnect handles a DISCONNECT: the will is dropped, unless the client asks for it (MQ-52, MQ-63).
func (c *conn) disconnect(f packet.Frame) *ending {
	d, err := packet.ParseDisconnect(f.Body, c.version)
	if err != nil {
		return refusal(err)
	}
	if v, ok := d.Properties.Find(packet.SessionExpiry); ok {
		if e := c.session.setExpiry(c, v.Int); e != nil {
			return e
		}
	}
	if d.Reason != packet.DisconnectWithWill {
		c.mu.Lock()
		c.will = nil
		c.mu.Unlock()
	}
	return &ending{cause: ClientInitiated}
}

// logDenied logs only the first refusal on a connection: clients that are denied retry again and again.
func (c *conn) logDenied(action, resource string, err error) {
	if c.denied {
		return
	}
	c.denied = true
	c.server.log.Warn("denied", "action", action, "resource", resource, "client", c.session.client,
		"principal", c.grant.Principal(), "err", err)
}
