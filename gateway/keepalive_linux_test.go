package gateway

import (
	"net"
	"syscall"
	"testing"
)

func TestMQ18ConnectionsNoticeThatTheirPeerVanished(t *testing.T) {
	l, err := Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours, err := Listen(l, quiet).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	raw, err := ours.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for name, want := range map[string]struct{ level, option, value int }{
			"keep-alive": {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
			"idle":       {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 60},
			"interval":   {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15},
			"count":      {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4},
			"no delay":   {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1},
		} {
			if got, err := syscall.GetsockoptInt(int(fd), want.level, want.option); err != nil || got != want.value {
				t.Errorf("%s is %d, %v; want %d", name, got, err, want.value)
			}
		}
	})
}
