package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
)

// overTLS is a listener of finished TLS connections for net/http, which closes a
// *tls.Conn whose ALPN protocol it does not know, such as x-amzn-http-ca. It
// hides their type; withTLS and tellTLS pass the result of the handshake to the handler.
type overTLS struct{ net.Listener }

// tlsConn is a *tls.Conn under another type.
type tlsConn struct {
	net.Conn // the TLS connection; net/http sees only these methods of it
	secure   *tls.Conn
}

// CloseWrite tells the client that nothing more will come. net/http calls it before it
// closes a connection, so that the client can read the last answer.
func (c tlsConn) CloseWrite() error { return c.secure.CloseWrite() }

func (l overTLS) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if secure, ok := c.(*tls.Conn); ok {
		return tlsConn{secure, secure}, err
	}
	return c, err
}

type tlsKey struct{}

// withTLS is an http.Server.ConnContext that keeps the result of a handshake.
func withTLS(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(tlsConn); ok {
		state := c.secure.ConnectionState()
		return context.WithValue(ctx, tlsKey{}, &state)
	}
	return ctx
}

// tellTLS sets the TLS field of requests that came through overTLS.
func tellTLS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok {
			r.TLS = state
		}
		h.ServeHTTP(w, r)
	})
}

// certificates returns the certificate that the operator has given, if any.
func (c Config) certificates() ([]tls.Certificate, error) {
	if c.TLSCertificate == "" {
		return nil, nil
	}
	given, err := tls.LoadX509KeyPair(c.TLSCertificate, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-certificate: %w", err)
	}
	return []tls.Certificate{given}, nil
}
