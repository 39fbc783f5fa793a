// Package lend lends a TCP listener to one server after another, so that callers which
// connect between two servers wait instead of being refused.
package lend

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Listener is a loan of a TCP listener: it can be closed without closing the socket.
// Connections that it has not accepted by then wait for the next loan. Its methods may be
// called concurrently.
type Listener struct {
	*net.TCPListener
	closed chan struct{}

	mu   sync.Mutex // guards what follows
	over bool       // it was closed
	back bool       // it was given back
}

// New lends l. Only one loan of a listener may be open at a time.
func New(l *net.TCPListener) *Listener {
	_ = l.SetDeadline(time.Time{}) // fails on a closed socket, as Accept will
	return &Listener{TCPListener: l, closed: make(chan struct{})}
}

// Accept fails with net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		<-l.closed
		err = net.ErrClosed
	}
	return c, err
}

// Close implements net.Listener: Accept fails.
func (l *Listener) Close() error {
	l.Pause()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.over = true
		close(l.closed)
	}
	return nil
}

// Pause ends accepting: Accept blocks until Close.
func (l *Listener) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.back {
		_ = l.SetDeadline(time.Unix(1, 0)) // fails on a closed socket, as Accept will
	}
}

// GiveBack ends the loan: later calls of Close and Pause do not disturb the next one.
func (l *Listener) GiveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back = true
}
