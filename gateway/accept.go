package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/muster-iot/muster/internal/loglimit"
)

// Pauses after an Accept that failed: the longest bounds how late a freed file descriptor is noticed.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// tcpKeepAlive finds peers that vanished without closing the connection (MQ-18).
var tcpKeepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// Open opens a TCP listener on address. Its connections notice within two minutes that their peer has vanished.
func Open(address string) (net.Listener, error) {
	config := listening()
	return config.Listen(context.Background(), "tcp", address)
}

// Listener is a listener whose Accept fails only when it is closed. Any other error, such as that file descriptors have run out, is
// logged once a minute while it lasts, and Accept tries again.
type Listener struct {
	net.Listener
	log   *slog.Logger
	warn  *loglimit.Limiter
	done  chan struct{}
	close sync.Once
}

// Listen returns a Listener on l, which it takes over.
func Listen(l net.Listener, log *slog.Logger) *Listener {
	return &Listener{Listener: l, log: log, warn: loglimit.New(1, 1), done: make(chan struct{})}
}

// Accept implements net.Listener: every error wraps net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	for pause := acceptPauseMin; ; pause = min(2*pause, acceptPauseMax) {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, net.ErrClosed):
			return nil, err
		}
		if left, ok := l.warn.Take("", time.Now()); ok {
			l.log.Warn("cannot accept connections for now", "listener", l.Addr().String(), "err", err, loglimit.LeftOut(left))
		}
		select {
		case <-time.After(pause):
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// Accept calls handle with each connection that comes in on l until ctx ends; then it closes l and returns nil. It tries again after the
// errors after which a Listener does.
func Accept(ctx context.Context, l net.Listener, log *slog.Logger, handle func(net.Conn)) error {
	open := Listen(l, log)
	stop := context.AfterFunc(ctx, func() { open.Close() })
	defer stop()
	for {
		c, err := open.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil:
			return err
		}
		handle(c)
	}
}
