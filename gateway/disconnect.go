package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// DisconnectPrincipal ends every connection of the principal with cause, MQTT 5 clients learn reason 0x87 (a deactivated
// certificate, say), and returns how many there were.
func (s *Server) DisconnectPrincipal(principal string, cause Cause) (n int) {
	for _, c := range s.registry.conns() {
		if c.grant.Principal() == principal {
			c.end(&ending{cause, packet.NotAuthorized, fmt.Errorf("principal %s was disconnected", principal)})
			n++
		}
	}
	return n
}

// DisconnectOver ends every connection whose grant says that its time has come (Bounded), MQTT 5 clients learn reason
// 0x87, and returns how many there were. Call it when rights have ended that connections may have been made with.
func (s *Server) DisconnectOver() (n int) {
	now := time.Now()
	for _, c := range s.registry.conns() {
		if c.grant.over(now) {
			c.end(errOver)
			n++
		}
	}
	return n
}

// ErrElsewhere is wrapped by the error of DisconnectClient when another node has the client and does not answer.
var ErrElsewhere = errors.New("the node that has the client does not answer")

// DisconnectClient ends the connection of a client, wherever it is, as an operator asks (mqtt-broker.md section 11,
// DeleteConnection), MQTT 5 clients learn reason 0x98. withWill says whether the will is published, dropSession whether the stored session
// goes too. It reports false when there is neither connection nor session.
func (s *Server) DisconnectClient(ctx context.Context, client string, withWill, dropSession bool) (found bool, err error) {
	if s.disconnectHere(client, withWill, dropSession) {
		if s.nodes != nil {
			s.journal.released(ctx, client) // or else another node could still find it
		}
		return true, nil
	}
	if s.nodes == nil {
		return false, nil
	}
	return s.nodes.disconnect(ctx, client, withWill, dropSession)
}

// disconnectHere is DisconnectClient for clients of this node.
func (s *Server) disconnectHere(client string, withWill, dropSession bool) bool {
	sess := s.registry.find(client)
	if sess == nil {
		return false
	}
	sess.mu.Lock()
	c := sess.conn
	if sess.moved != nil {
		sess.mu.Unlock()
		return false
	}
	if dropSession {
		sess.expiry = 0
	}
	sess.mu.Unlock()
	if c == nil {
		if dropSession {
			s.registry.remove(sess)
		}
		return true
	}
	if !withWill {
		c.mu.Lock()
		c.will = nil
		c.mu.Unlock()
	}
	c.end(&ending{APIInitiated, packet.AdministrativeAction, errors.New("disconnected by an operator")})
	return true
}

// disconnect has the node that holds the session of a client end its connection.
func (n *nodes) disconnect(ctx context.Context, client string, withWill, dropSession bool) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for {
		holds, err := n.store.Holds(ctx, []string{client})
		if err != nil {
			return false, err
		}
		h := holds[0]
		switch p := n.peerOf(h.Node); {
		case h == (Hold{}):
			return false, nil
		case h.Node == n.o.Node:
			n.claims.wait(ctx)
			if n.s.disconnectHere(client, withWill, dropSession) {
				return true, nil
			}
		case p != nil:
			if n.order(ctx, p, order{client: client, withWill: withWill, dropSession: dropSession}) {
				return true, nil
			}
		}
		if !sleep(ctx, adoptTime) { // it is on its way to another node
			return false, ErrElsewhere
		}
	}
}

// order has another node end a connection. It reports whether it was there.
func (n *nodes) order(ctx context.Context, p *peer, o order) bool {
	o.id = n.asked.Add(1)
	answered := make(chan bool, 1)
	n.mu.Lock()
	n.orders[o.id] = answered
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.orders, o.id)
		n.mu.Unlock()
	}()
	p.send(o.frame())
	select {
	case found := <-answered:
		return found
	case <-p.left:
	case <-ctx.Done():
	}
	return false
}

// answered takes the answer to an order.
func (n *nodes) answered(a answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if answered := n.orders[a.id]; answered != nil {
		answered <- a.found
		delete(n.orders, a.id)
	}
}

// CloseAll ends the connections that there are, evenly over the given time, because clients should use another server: MQTT 5 clients learn
// reason 0x9C. It returns how many it ended, when they are or when ctx ends. Clients may come back meanwhile; whoever does not want that stops
// accepting them first.
func (s *Server) CloseAll(ctx context.Context, why string, over time.Duration) (n int) {
	conns := s.registry.conns()
	began := time.Now()
	for i, c := range conns {
		if wait := time.Until(began.Add(over * time.Duration(i) / time.Duration(len(conns)))); wait > 0 && !sleep(ctx, wait) {
			return n
		}
		c.end(&ending{ServerInitiated, packet.UseAnotherServer, errors.New(why)})
		n++
	}
	return n
}
