package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Pauses after an Accept that failed: the longest bounds how late a freed file descriptor is noticed.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// tcpKeepAlive finds peers that vanished below MQTT (MQ-18).
var tcpKeepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// Accept calls handle with each connection that comes in on l until ctx ends; then it closes l and returns nil. It
// survives every error but a closed listener: out of file descriptors is a state, not the end.
func Accept(ctx context.Context, l net.Listener, log *slog.Logger, handle func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	pause := acceptPauseMin
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			if pause == acceptPauseMin {
				log.Warn("cannot accept connections for now", "listener", l.Addr().String(), "err", err)
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetKeepAliveConfig(tcpKeepAlive)
		}
		handle(c)
	}
}
