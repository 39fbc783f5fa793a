package gateway

import (
	"net"
	"sync"

	"github.com/muster-iot/muster/gateway/packet"
)

// source reads from a connection without holding a buffer while there is nothing to read. Most connections are idle most of the
// time, so this is most of the memory of a server.
type source interface {
	// read waits for input and returns some, in a buffer for returnBuffer. inside tells that the input so far ended inside a
	// packet, so that more is likely to be there already; limit is the largest packet of interest.
	read(inside bool, limit int) ([]byte, error)
}

// bufferSize suits the packets of devices; larger ones take a few reads.
const bufferSize = 4096

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// takeBuffer returns an empty buffer to append to.
func takeBuffer() []byte { return buffers.Get().(*[bufferSize]byte)[:0] }

// returnBuffer takes back what takeBuffer gave, unless it has grown elsewhere.
func returnBuffer(b []byte) {
	if cap(b) == bufferSize {
		buffers.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}

// anySource waits by reading into an array of a few bytes, and takes a buffer when these are filled. It suits every net.Conn, above all
// TLS connections, which have read a whole record by then.
type anySource struct {
	conn net.Conn
	head [8]byte
}

func (s *anySource) read(inside bool, limit int) ([]byte, error) {
	if inside {
		return s.fill(takeBuffer())
	}
	n, err := s.conn.Read(s.head[:])
	if err != nil {
		return nil, err
	}
	b := append(takeBuffer(), s.head[:n]...)
	if n == len(s.head) { // there is more, unless the packet is just as long
		if _, whole, err := packet.Cut(b, limit); whole == 0 && err == nil {
			return s.fill(b)
		}
	}
	return b, nil
}

// fill reads once into what is left of b.
func (s *anySource) fill(b []byte) ([]byte, error) {
	n, err := s.conn.Read(b[len(b):bufferSize])
	if err != nil {
		returnBuffer(b)
		return nil, err
	}
	return b[:len(b)+n], nil
}
