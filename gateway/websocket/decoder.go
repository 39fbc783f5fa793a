package websocket

import (
	"encoding/binary"
	"fmt"
)

// violation is a breach of the protocol; its value is the close code for it.
type violation uint16

func (v violation) Error() string {
	return fmt.Sprintf("WebSocket protocol violation, close code %d", uint16(v))
}

// event is a control frame that is complete.
type event byte

const (
	nothing event = iota
	ping
	pong
	closing
)

// decoder splits a client's input into frames; the input may come in pieces of any size. The zero decoder expects a first frame.
type decoder struct {
	head    [14]byte
	have    int    // bytes of head
	left    uint64 // payload bytes to come of the frame under way
	inside  bool   // a frame's payload is under way
	op      byte
	mask    [4]byte
	at      int  // place in mask
	message bool // a fragmented message is under way
}

// control reports whether the frame under way is a control frame.
func (d *decoder) control() bool { return d.inside && d.op >= opClose }

// next takes from raw what belongs to one frame, unmasks payload in place and returns it with the rest. e tells of the end of
// a control frame.
func (d *decoder) next(raw []byte) (data []byte, e event, rest []byte, err error) {
	for !d.inside {
		if len(raw) == 0 {
			return nil, nothing, nil, nil
		}
		d.head[d.have] = raw[0]
		d.have++
		raw = raw[1:]
		if err := d.header(); err != nil {
			return nil, nothing, nil, err
		}
	}
	n := int(min(uint64(len(raw)), d.left))
	data, rest = raw[:n], raw[n:]
	for i := range data {
		data[i] ^= d.mask[d.at&3]
		d.at++
	}
	if d.left -= uint64(n); d.left == 0 {
		d.inside = false
		e = events[d.op]
	}
	return data, e, rest, nil
}

var events = [16]event{opPing: ping, opPong: pong, opClose: closing}

// header reads the bytes of the header received so far; when it is complete, the payload begins.
func (d *decoder) header() error {
	if d.have < 2 {
		return nil
	}
	op, long := d.head[0]&0x0f, d.head[1]&0x7f
	if d.have == 2 {
		if err := d.check(op, long); err != nil {
			return err
		}
	}
	size := 2
	switch long {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if d.have < size+4 {
		return nil
	}
	switch d.left = uint64(long); long {
	case 126:
		d.left = uint64(binary.BigEndian.Uint16(d.head[2:]))
	case 127:
		if d.left = binary.BigEndian.Uint64(d.head[2:]); d.left >= 1<<63 {
			return violation(closeProtocol)
		}
	}
	copy(d.mask[:], d.head[size:])
	d.op, d.at, d.have, d.inside = op, 0, 0, true
	if op < opClose {
		d.message = d.head[0]&fin == 0
	}
	return nil
}

// check validates the first two bytes of a frame.
func (d *decoder) check(op, long byte) error {
	switch first := d.head[0]; {
	case first&0x70 != 0, d.head[1]&masked == 0: // reserved bits; clients must mask
		return violation(closeProtocol)
	case op >= opClose:
		if op > opPong || long > controlMax || first&fin == 0 {
			return violation(closeProtocol)
		}
	case op == opText:
		return violation(closeUnsupported) // MQ-87
	case op > opBinary, (op == opContinuation) != d.message:
		return violation(closeProtocol)
	}
	return nil
}
