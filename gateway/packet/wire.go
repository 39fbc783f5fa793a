package packet

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// varint reads a variable byte integer. n is its length, 0 when b ends too early and -1 when it is malformed.
func varint(b []byte) (v uint32, n int) {
	for n < len(b) && n < 4 {
		c := b[n]
		v |= uint32(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			return v, n
		}
	}
	if n == 4 {
		return 0, -1
	}
	return 0, 0
}

func appendVarint(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func varintSize(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

func appendBytes(dst, b []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(b)))
	return append(dst, b...)
}

// appendFrame appends a packet whose body is already built.
func appendFrame(dst []byte, t Type, body []byte) []byte {
	dst = append(dst, byte(t)<<4|fixedFlags[t])
	dst = appendVarint(dst, uint32(len(body)))
	return append(dst, body...)
}

// scanner takes fields from the front of a packet body. After the first field that does not fit, every field is zero and
// err says what was wrong.
type scanner struct {
	b   []byte
	err error
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.b = nil
}

func (s *scanner) take(n int) []byte {
	if n > len(s.b) {
		s.fail(malformed("packet ends in the middle of a field"))
		return nil
	}
	b := s.b[:n:n]
	s.b = s.b[n:]
	return b
}

func (s *scanner) byte() byte {
	if b := s.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (s *scanner) uint16() uint16 {
	if b := s.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (s *scanner) uint32() uint32 {
	if b := s.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint takes a variable byte integer in its shortest form, the only one that MQTT 5 allows.
func (s *scanner) varint() uint32 {
	v, n := varint(s.b)
	if n <= 0 || n > varintSize(int(v)) {
		s.fail(malformed("bad variable byte integer"))
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) bytes() []byte { return s.take(int(s.uint16())) }

// text takes a UTF-8 string, which may hold neither broken UTF-8 nor NUL.
func (s *scanner) text() []byte {
	b := s.bytes()
	if !validText(b) {
		s.fail(malformed("string is not valid UTF-8 or holds NUL"))
		return nil
	}
	return b
}

func (s *scanner) id() uint16 {
	id := s.uint16()
	if id == 0 {
		s.fail(protocolError("packet id 0"))
	}
	return id
}

// reason takes a reason code, one of those allowed.
func (s *scanner) reason(allowed string) Reason {
	r := s.byte()
	if s.err == nil && strings.IndexByte(allowed, r) < 0 {
		s.fail(protocolError("reason code 0x%02X does not belong into this packet", r))
	}
	return Reason(r)
}

// done returns the error met so far, or one if something is left over.
func (s *scanner) done() error {
	if s.err == nil && len(s.b) > 0 {
		s.fail(malformed("packet with %d bytes too many", len(s.b)))
	}
	return s.err
}

// wildcards are allowed in topic filters only.
const wildcards = "+#"

func validText(b []byte) bool {
	for _, c := range b {
		if c == 0 || c >= utf8.RuneSelf {
			return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
		}
	}
	return true
}
