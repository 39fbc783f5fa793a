package gateway

import (
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

// DisconnectClient ends the connection of a client as an operator asks (mqtt-broker.md section 11, DeleteConnection), MQTT 5
// clients learn reason 0x98. withWill says whether the will is published, dropSession whether the stored session goes too. It
// reports false when there is neither connection nor session.
func (s *Server) DisconnectClient(client string, withWill, dropSession bool) bool {
	sess := s.registry.find(client)
	if sess == nil {
		return false
	}
	sess.mu.Lock()
	c := sess.conn
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
