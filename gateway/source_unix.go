//go:build unix

package gateway

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// newSource returns the leanest source for conn.
func newSource(conn net.Conn) source {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			s := &rawSource{raw: raw}
			s.try = s.tryRead
			return s
		}
	}
	return &anySource{conn: conn}
}

// rawSource reads a socket when it is readable, with a buffer taken only then.
type rawSource struct {
	raw syscall.RawConn
	try func(fd uintptr) bool
	b   []byte
	err error
}

func (s *rawSource) read(bool, int) ([]byte, error) {
	if err := s.raw.Read(s.try); err != nil {
		return nil, err
	}
	return s.b, s.err
}

// tryRead reads once and reports whether that gave input or an error; if not, the socket has nothing to read yet.
func (s *rawSource) tryRead(fd uintptr) bool {
	b := takeBuffer()
	var n int
	for {
		n, s.err = syscall.Read(int(fd), b[:bufferSize])
		if !errors.Is(s.err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(s.err, syscall.EAGAIN):
		returnBuffer(b)
		return false
	case s.err == nil && n == 0:
		s.err = io.EOF
	}
	if s.b = b[:max(n, 0)]; s.err != nil {
		returnBuffer(b)
		s.b = nil
	}
	return true
}
