package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/topic"
	"github.com/muster-iot/muster/internal/uuid"
)

// first handles the first packet, a CONNECT (mqtt-broker.md section 2). The authoriser is asked before
// anything else is touched, so a refused client disturbs no other (MQ-6).
func (c *conn) first(f packet.Frame) *ending {
	c.mu.Lock()
	place := c.place
	c.mu.Unlock()
	if place == nil || !place.Work() {
		return errNoRoom
	}
	p, err := packet.ParseConnect(f.Body)
	if p != nil && err != nil && refusal(err).reason == packet.UnsupportedVersion {
		c.sendRaw((&packet.Connack{Reason: packet.Reason(packet.UnacceptableLevel311)}).Append(nil, packet.V311)) // MQ-1
	}
	if err != nil {
		return refusal(err)
	}
	c.version = p.Version
	hello, reason, err := c.wish(p)
	if err != nil {
		return c.refuse(p, hello, reason, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.server.o.Limits.ConnectTimeout)
	defer cancel()
	granted, err := c.server.o.Authorizer.Connect(ctx, *hello)
	grant := &guarded{c.server, granted}
	if err == nil && hello.Will != nil {
		if err = grant.Publish(hello.Will.Topic, hello.Will.Retain); err != nil {
			err = fmt.Errorf("%w to publish the will: %w", ErrRefused, err)
		}
	}
	switch {
	case errors.Is(err, ErrRefused):
		return c.refuse(p, hello, packet.NotAuthorized, err)
	case err != nil:
		return c.refuse(p, hello, packet.UnspecifiedError, err)
	}
	hello.Peer.Certificate = nil // the grant has what it needs of it; saves a kilobyte for each connection
	if at := grant.until(); !at.IsZero() {
		hello.Peer.Until = earlier(at, hello.Peer.Until)
	}
	var got *Claimed
	if n := c.server.nodes; n != nil {
		defer n.claims.begin()()
		claimed, err := n.claim(ctx, hello, grant.Principal())
		if err != nil {
			return c.refuse(p, hello, packet.UnspecifiedError, err)
		}
		got = &claimed
	}
	c.settleIn(p, hello, grant)
	c.server.attach(c, p, got)
	if grant.over(time.Now()) { // its rights ended before the connection could be found
		return errOver
	}
	return nil
}

// errOver ends a connection that has lost its rights.
var errOver = &ending{AuthError, packet.NotAuthorized, errors.New("the client's rights have ended")}

// wish turns a CONNECT into the question for the authoriser, or returns the reason why it cannot be one.
func (c *conn) wish(p *packet.Connect) (*Connect, packet.Reason, error) {
	h := &Connect{ClientID: p.ClientID, Version: p.Version, Peer: c.hello.Peer, Username: p.Username, Clean: p.Clean}
	switch {
	case h.ClientID == "" && !p.Clean && p.Version == packet.V311:
		return h, packet.ClientIDNotValid, errors.New("empty client id without clean session")
	case h.ClientID == "":
		h.ClientID = "$GEN/" + uuid.New()
	case len(h.ClientID) > clientIDMax:
		return h, packet.ClientIDNotValid, fmt.Errorf("client id of %d bytes, at most %d are allowed", len(h.ClientID), clientIDMax)
	case strings.HasPrefix(h.ClientID, "$"):
		return h, packet.ClientIDNotValid, errors.New("client id begins with $")
	case strings.ContainsAny(h.ClientID, "+#"): // ${iot:ClientId} in a policy would put them into topic filters
		return h, packet.ClientIDNotValid, errors.New("client id holds an MQTT wildcard")
	}
	if _, ok := p.Properties.Find(packet.AuthMethod); ok {
		return h, packet.BadAuthMethod, errors.New("enhanced authentication is not supported")
	}
	switch limit := c.server.o.Limits.SessionExpiry; {
	case p.Version == packet.V5:
		h.Expiry = min(time.Duration(p.Properties.Int(packet.SessionExpiry, 0))*time.Second, limit)
	case !p.Clean:
		h.Expiry = limit
	}
	if w := p.Will; w != nil {
		h.Will = &Will{Topic: w.Topic, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain}
		switch err := topic.CheckName(w.Topic); {
		case err != nil:
			return h, packet.TopicNameInvalid, fmt.Errorf("will: %w", err)
		case topic.Reserved(w.Topic):
			return h, packet.NotAuthorized, errors.New("will: reserved topic")
		case w.QoS > 1:
			return h, packet.QoSNotSupported, errors.New("will: QoS 2 is not supported")
		}
	}
	return h, packet.Success, nil
}

// refuse answers a CONNECT that does not get in (MQ-4, MQ-7).
func (c *conn) refuse(p *packet.Connect, h *Connect, reason packet.Reason, err error) *ending {
	c.server.count.connectsRefused.Add(1)
	ack := &packet.Connack{Reason: reason}
	if c.version == packet.V311 {
		ack.Reason = packet.Reason(reason.Return311())
	} else if p.Properties.Int(packet.RequestProblemInfo, 1) == 1 && reason != packet.NotAuthorized && reason != packet.UnspecifiedError {
		ack.Properties = ack.Properties.WithText(packet.ReasonString, err.Error())
	}
	if c.version == packet.V5 || !c.server.o.Limits.SilentRefusal {
		c.send(ack)
	}
	c.introduce(h, nil)
	cause := ClientError
	if reason == packet.NotAuthorized {
		cause = AuthError
	}
	return &ending{cause, reason, err}
}

// introduce sets who the client is. The only concurrent reader is the log line of a connection that times out at the same moment.
func (c *conn) introduce(h *Connect, g *guarded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hello, c.grant = h, g
}

// settleIn sets what the CONNECT says about the connection itself. No other goroutine knows the connection yet.
func (c *conn) settleIn(p *packet.Connect, h *Connect, g *guarded) {
	c.introduce(h, g)
	c.window = min(c.server.o.Limits.InFlight, int(p.Properties.Int(packet.ReceiveMaximum, 65535)))
	c.packetMax = int(p.Properties.Int(packet.MaximumPacketSize, 0))
	_, _ = rand.Read(c.life[:]) // crypto/rand never fails
	c.problems = p.Properties.Int(packet.RequestProblemInfo, 1) == 1
	if p.Will != nil {
		c.will = newWill(p.Will)
	}
}

// keepAlive returns the keep-alive in force for the one asked for, in seconds (MQ-15).
func keepAlive(asked uint16) uint16 {
	if asked == 0 {
		return keepAliveMax
	}
	return min(max(asked, keepAliveMin), keepAliveMax)
}

// welcome is the CONNACK for a client that gets in.
func (c *conn) welcome(p *packet.Connect, present bool, expiry time.Duration) *packet.Connack {
	ack := &packet.Connack{SessionPresent: present}
	if c.version != packet.V5 {
		return ack
	}
	l := &c.server.o.Limits
	props := ack.Properties.
		WithInt(packet.ReceiveMaximum, uint32(l.InFlight)).
		WithInt(packet.MaximumQoS, 1).
		WithInt(packet.RetainAvailable, 1).
		WithInt(packet.MaximumPacketSize, uint32(l.Packet)).
		WithInt(packet.TopicAliasMaximum, aliasMax).
		WithInt(packet.WildcardAvailable, 1).
		WithInt(packet.SubIDsAvailable, 0).
		WithInt(packet.SharedAvailable, 1)
	if k := keepAlive(p.KeepAlive); k != p.KeepAlive {
		props = props.WithInt(packet.ServerKeepAlive, uint32(k))
	}
	if seconds := uint32(expiry / time.Second); seconds != p.Properties.Int(packet.SessionExpiry, 0) {
		props = props.WithInt(packet.SessionExpiry, seconds)
	}
	if p.ClientID == "" {
		props = props.WithText(packet.AssignedClientID, c.hello.ClientID)
	}
	ack.Properties = props
	return ack
}
