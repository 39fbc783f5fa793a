package gateway

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// listening returns how to open a listener whose connections have tcpKeepAlive. On this system they inherit it from its socket, which
// saves four system calls for each.
func listening() net.ListenConfig { return net.ListenConfig{KeepAlive: -1, Control: keepAliveAll} }

// keepAliveAll sets tcpKeepAlive on the socket of a listener.
func keepAliveAll(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) {
		for _, option := range [...]struct{ level, name, value int }{
			{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, int(tcpKeepAlive.Idle / time.Second)},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, int(tcpKeepAlive.Interval / time.Second)},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, tcpKeepAlive.Count},
		} {
			err = errors.Join(err, syscall.SetsockoptInt(int(fd), option.level, option.name, option.value))
		}
	})
	return errors.Join(failed, err)
}
