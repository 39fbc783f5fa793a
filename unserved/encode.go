package unserved

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
)

// object is the body of a rejection: members in order.
type object []member

type member struct {
	name string
	value
}

// value is the value of a member, in the two encodings that devices may ask for.
type value interface {
	appendJSON(b []byte) []byte
	appendCBOR(b []byte) []byte // in preferred encoding: definite lengths, shortest heads (RFC 8949 section 4.2.1)
}

// The values other than objects.
type (
	text   string
	number int64  // not negative
	quoted []byte // a JSON string, repeated as the device wrote it
)

func (o object) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(text(m.name).appendJSON(b), ':')
		b = m.value.appendJSON(b)
	}
	return append(b, '}')
}

func (o object) appendCBOR(b []byte) []byte {
	b = appendHead(b, cborMap, uint64(len(o)))
	for _, m := range o {
		b = m.value.appendCBOR(text(m.name).appendCBOR(b))
	}
	return b
}

func (s text) appendJSON(b []byte) []byte {
	encoded, _ := json.Marshal(string(s)) // a string can always be marshalled
	return append(b, encoded...)
}

func (s text) appendCBOR(b []byte) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

func (n number) appendJSON(b []byte) []byte { return strconv.AppendInt(b, int64(n), 10) }

func (n number) appendCBOR(b []byte) []byte { return appendHead(b, cborUnsigned, uint64(n)) }

func (q quoted) appendJSON(b []byte) []byte { return append(b, q...) }

func (q quoted) appendCBOR(b []byte) []byte {
	var s string
	_ = json.Unmarshal(q, &s) // it is known to be a string
	return text(s).appendCBOR(b)
}

// The major types of CBOR in a rejection (RFC 8949 section 3.1).
const (
	cborUnsigned = 0 << 5
	cborText     = 3 << 5
	cborMap      = 5 << 5
)

func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}
