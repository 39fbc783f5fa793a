// Package packet reads and writes the MQTT 3.1.1 and MQTT 5 control packets of the profile in mqtt-broker.md, for either
// end of a connection. It checks everything that can be checked in one packet alone, against the OASIS texts.
// It does no I/O and keeps no state. What an endpoint does with a packet is up to its caller.
package packet

import "fmt"

// The two protocol levels spoken.
const (
	V311 byte = 4 // MQTT 3.1.1
	V5   byte = 5 // MQTT 5
)

// Type is the kind of a control packet, the upper half of its first byte.
type Type byte

// All packet types of MQTT 5. PUBREC, PUBREL and PUBCOMP belong to QoS 2 and AUTH to enhanced authentication: they are
// named so that they can be refused, and have no codec here.
const (
	CONNECT Type = iota + 1
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

// Packet is a decoded control packet of any type.
type Packet interface {
	// Append appends the packet to dst as version v writes it; fields that v does not know are left out.
	Append(dst []byte, v byte) []byte
}

// Frame is one control packet cut from a stream, not yet understood. Body points into the stream.
type Frame struct {
	Header byte
	Body   []byte
}

// Type returns the kind of the packet.
func (f Frame) Type() Type { return Type(f.Header >> 4) }

// Error says what is wrong with a packet: the MQTT 5 reason code and a sentence for people.
type Error struct {
	Reason Reason
	Text   string
}

func (e *Error) Error() string { return e.Text }

func malformed(format string, args ...any) error {
	return &Error{MalformedPacket, fmt.Sprintf(format, args...)}
}

func protocolError(format string, args ...any) error {
	return &Error{ProtocolError, fmt.Sprintf(format, args...)}
}

// Cut cuts the first packet from b. It returns n, the bytes it took: 0 when b does not hold a whole packet yet. A packet
// of more than max bytes in all is an Error with PacketTooLarge, known as soon as its length is.
func Cut(b []byte, max int) (f Frame, n int, err error) {
	if len(b) < 2 {
		return Frame{}, 0, nil
	}
	size, k := varint(b[1:])
	switch {
	case k < 0:
		return Frame{}, 0, malformed("remaining length is longer than four bytes")
	case k == 0:
		return Frame{}, 0, nil
	}
	n = 1 + k + int(size)
	if n > max {
		return Frame{}, 0, &Error{PacketTooLarge, fmt.Sprintf("packet of %d bytes, at most %d are accepted", n, max)}
	}
	if len(b) < n {
		return Frame{}, 0, nil
	}
	return Frame{b[0], b[1+k : n : n]}, n, nil
}

// fixedFlags are the lower halves of the first byte that the standard demands, by type; PUBLISH is free.
var fixedFlags = [16]byte{PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}

// CheckFlags returns an error unless the flags in the first byte are the ones its type must have.
func (f Frame) CheckFlags() error {
	if t := f.Type(); t != PUBLISH && f.Header&15 != fixedFlags[t] {
		return malformed("packet type %d with flags %d", t, f.Header&15)
	}
	return nil
}

// Parse decodes f as version v. A CONNECT carries its own version. Types without a codec are a protocol error.
func Parse(f Frame, v byte) (Packet, error) {
	if err := f.CheckFlags(); err != nil {
		return nil, err
	}
	switch f.Type() {
	case CONNECT:
		return result(ParseConnect(f.Body))
	case CONNACK:
		return result(ParseConnack(f.Body, v))
	case PUBLISH:
		return result(ParsePublish(f, v))
	case PUBACK:
		return result(ParsePuback(f.Body, v))
	case SUBSCRIBE:
		return result(ParseSubscribe(f.Body, v))
	case SUBACK:
		return result(ParseSuback(f.Body, v))
	case UNSUBSCRIBE:
		return result(ParseUnsubscribe(f.Body, v))
	case UNSUBACK:
		return result(ParseUnsuback(f.Body, v))
	case PINGREQ:
		return Pingreq{}, empty(f.Body)
	case PINGRESP:
		return Pingresp{}, empty(f.Body)
	case DISCONNECT:
		return result(ParseDisconnect(f.Body, v))
	}
	return nil, protocolError("packet type %d is not supported", f.Type())
}

func result[P Packet](p P, err error) (Packet, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

func empty(body []byte) error {
	if len(body) != 0 {
		return malformed("packet with %d bytes too many", len(body))
	}
	return nil
}
