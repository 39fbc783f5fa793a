package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// overTLS is a listener of finished TLS connections for net/http, which closes a
// *tls.Conn whose ALPN protocol it does not know, such as x-amzn-http-ca. It
// hides their type; withTLS tells the handler of them.
type overTLS struct{ net.Listener }

// tlsConn is a *tls.Conn under another type.
type tlsConn struct{ *tls.Conn }

func (l overTLS) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if secure, ok := c.(*tls.Conn); ok {
		return tlsConn{secure}, err
	}
	return c, err
}

type tlsKey struct{}

// withTLS is an http.Server.ConnContext that keeps what a handshake has told.
func withTLS(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(tlsConn); ok {
		state := secure.ConnectionState()
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
