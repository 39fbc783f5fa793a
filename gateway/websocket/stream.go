package websocket

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Opcodes and close codes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	closeNormal      = 1000
	closeProtocol    = 1002
	closeUnsupported = 1003
)

const (
	fin        = 0x80
	masked     = 0x80
	controlMax = 125 // bytes of a control frame
	headMax    = 10  // bytes of a frame's head, without a mask
	pongTime   = 10 * time.Second
)

// stream is the bytes inside the binary frames of a connection. One goroutine reads, any may write.
type stream struct {
	net.Conn
	first func(p []byte) int // length of the first message in p
	early []byte             // input that came with the HTTP request

	// Of the reader.
	frames  decoder
	control []byte // payload so far of the control frame under way
	err     error  // what ended reading

	writing sync.Mutex // held for one write; guards by
	by      time.Time  // write deadline of the user
}

// Read implements net.Conn. It uses p for raw input too, so it needs no other buffer.
func (s *stream) Read(p []byte) (int, error) {
	for s.err == nil && len(p) > 0 {
		raw, err := s.raw(p)
		n := 0
		for len(raw) > 0 && s.err == nil {
			var e event
			var data []byte
			data, e, raw, s.err = s.frames.next(raw)
			if s.frames.control() || e != nothing {
				s.control = append(s.control, data...)
			} else {
				n += copy(p[n:], data)
			}
			if e != nothing && s.err == nil {
				s.err = s.react(e)
			}
		}
		if s.err == nil {
			s.err = err
		}
		if s.err != nil {
			s.closeFor(s.err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, s.err
}

func (s *stream) raw(p []byte) ([]byte, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return p[:n], nil
	}
	n, err := s.Conn.Read(p)
	return p[:n], err
}

// react answers a whole control frame.
func (s *stream) react(e event) error {
	payload := s.control
	s.control = nil
	switch e {
	case ping:
		return s.frame(opPong, payload, time.Now().Add(pongTime))
	case closing:
		return io.EOF
	}
	return nil
}

// closeFor sends the close frame that fits what ended reading.
func (s *stream) closeFor(err error) {
	var v violation
	switch {
	case errors.As(err, &v):
		s.sayClose(uint16(v))
	case errors.Is(err, io.EOF):
		s.sayClose(closeNormal)
	}
}

func (s *stream) sayClose(code uint16) {
	_ = s.frame(opClose, binary.BigEndian.AppendUint16(nil, code), time.Now().Add(time.Second)) // it fails if the client is gone
}

// Write implements net.Conn: each message in p becomes one binary frame, all of them one write.
func (s *stream) Write(p []byte) (int, error) {
	b := make([]byte, 0, len(p)+headMax)
	for rest := p; len(rest) > 0; {
		n := s.first(rest)
		b = appendFrame(b, opBinary, rest[:n])
		rest = rest[n:]
	}
	if err := s.send(b, time.Time{}); err != nil {
		return 0, err
	}
	return len(p), nil
}

// frame writes one frame by the deadline by.
func (s *stream) frame(op byte, payload []byte, by time.Time) error {
	return s.send(appendFrame(make([]byte, 0, len(payload)+headMax), op, payload), by)
}

func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, fin|op)
	switch n := len(payload); {
	case n <= 125:
		b = append(b, byte(n))
	case n <= 1<<16-1:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// send writes whole frames at once, by the deadline by if it is not zero.
func (s *stream) send(b []byte, by time.Time) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if !by.IsZero() {
		s.Conn.SetWriteDeadline(by)
		defer func() { s.Conn.SetWriteDeadline(s.by) }()
	}
	_, err := s.Conn.Write(b)
	return err
}

// SetWriteDeadline implements net.Conn. It applies to a write under way as well.
func (s *stream) SetWriteDeadline(t time.Time) error {
	if s.writing.TryLock() {
		s.by = t
		s.writing.Unlock()
	}
	return s.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// CloseWrite tells the client that nothing more will come; it will answer and close.
func (s *stream) CloseWrite() error {
	return s.frame(opClose, binary.BigEndian.AppendUint16(nil, closeNormal), time.Now().Add(time.Second))
}
