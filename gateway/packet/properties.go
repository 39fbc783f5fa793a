package packet

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
)

// Property is the identifier of an MQTT 5 property.
type Property byte

// All properties of MQTT 5.
const (
	PayloadFormat      Property = 0x01
	MessageExpiry      Property = 0x02
	ContentType        Property = 0x03
	ResponseTopic      Property = 0x08
	CorrelationData    Property = 0x09
	SubscriptionID     Property = 0x0B
	SessionExpiry      Property = 0x11
	AssignedClientID   Property = 0x12
	ServerKeepAlive    Property = 0x13
	AuthMethod         Property = 0x15
	AuthData           Property = 0x16
	RequestProblemInfo Property = 0x17
	WillDelay          Property = 0x18
	RequestResponse    Property = 0x19
	ResponseInfo       Property = 0x1A
	ServerReference    Property = 0x1C
	ReasonString       Property = 0x1F
	ReceiveMaximum     Property = 0x21
	TopicAliasMaximum  Property = 0x22
	TopicAlias         Property = 0x23
	MaximumQoS         Property = 0x24
	RetainAvailable    Property = 0x25
	UserProperty       Property = 0x26
	MaximumPacketSize  Property = 0x27
	WildcardAvailable  Property = 0x28
	SubIDsAvailable    Property = 0x29
	SharedAvailable    Property = 0x2A
)

// kind is how a property's value is encoded; flag and nonzero are a byte 0 or 1 and an integer other than 0.
type kind byte

const (
	flag kind = iota + 1
	u16
	u32
	u16nonzero
	u32nonzero
	varnonzero
	text
	binaryData
	pair
)

// will is the packet type of the will properties inside a CONNECT.
const will Type = 0

// rules says how each property is encoded and which packets may have it.
var rules = [SharedAvailable + 1]struct {
	kind kind
	in   uint32 // bit t: a packet of type t may have it
}{
	PayloadFormat:      {flag, in(PUBLISH, will)},
	MessageExpiry:      {u32, in(PUBLISH, will)},
	ContentType:        {text, in(PUBLISH, will)},
	ResponseTopic:      {text, in(PUBLISH, will)},
	CorrelationData:    {binaryData, in(PUBLISH, will)},
	SubscriptionID:     {varnonzero, in(SUBSCRIBE)}, // a PUBLISH has one only if a SUBSCRIBE with one was accepted, and none is
	SessionExpiry:      {u32, in(CONNECT, CONNACK, DISCONNECT)},
	AssignedClientID:   {text, in(CONNACK)},
	ServerKeepAlive:    {u16, in(CONNACK)},
	AuthMethod:         {text, in(CONNECT, CONNACK)},
	AuthData:           {binaryData, in(CONNECT, CONNACK)},
	RequestProblemInfo: {flag, in(CONNECT)},
	WillDelay:          {u32, in(will)},
	RequestResponse:    {flag, in(CONNECT)},
	ResponseInfo:       {text, in(CONNACK)},
	ServerReference:    {text, in(CONNACK, DISCONNECT)},
	ReasonString:       {text, in(CONNACK, PUBACK, SUBACK, UNSUBACK, DISCONNECT)},
	ReceiveMaximum:     {u16nonzero, in(CONNECT, CONNACK)},
	TopicAliasMaximum:  {u16, in(CONNECT, CONNACK)},
	TopicAlias:         {u16, in(PUBLISH)},
	MaximumQoS:         {flag, in(CONNACK)},
	RetainAvailable:    {flag, in(CONNACK)},
	UserProperty:       {pair, ^uint32(0)},
	MaximumPacketSize:  {u32nonzero, in(CONNECT, CONNACK)},
	WildcardAvailable:  {flag, in(CONNACK)},
	SubIDsAvailable:    {flag, in(CONNACK)},
	SharedAvailable:    {flag, in(CONNACK)},
}

func in(types ...Type) (set uint32) {
	for _, t := range types {
		set |= 1 << t
	}
	return set
}

// Properties are MQTT 5 properties in their wire encoding, without the length in front. Those of a decoded packet
// are valid for that packet and point into it; build others with the With methods. Nil means none.
type Properties []byte

// Value is the value of one property: Int for numbers, Text for strings and binary data, and also Key for user properties.
type Value struct {
	Int       uint32
	Key, Text []byte
}

// All yields the properties in order, up to the first that is not well formed.
func (p Properties) All() iter.Seq2[Property, Value] {
	return func(yield func(Property, Value) bool) {
		s := scanner{b: p}
		for len(s.b) > 0 {
			id, v := s.property()
			if s.err != nil || !yield(id, v) {
				return
			}
		}
	}
}

// Find returns the value of the first property id and whether there is one.
func (p Properties) Find(id Property) (Value, bool) {
	for got, v := range p.All() {
		if got == id {
			return v, true
		}
	}
	return Value{}, false
}

// Int returns the value of the number id, or otherwise when it is absent.
func (p Properties) Int(id Property, otherwise uint32) uint32 {
	if v, ok := p.Find(id); ok {
		return v.Int
	}
	return otherwise
}

// Without returns the properties other than those named, in order: p itself if it has none of them.
func (p Properties) Without(ids ...Property) Properties {
	var kept Properties
	cut := false
	s := scanner{b: p}
	for len(s.b) > 0 {
		from := s.b
		id, _ := s.property()
		if slices.Contains(ids, id) {
			cut = true
		} else {
			kept = append(kept, from[:len(from)-len(s.b)]...)
		}
	}
	if !cut {
		return p
	}
	return kept
}

// WithInt returns p with the number id added; v must fit the property.
func (p Properties) WithInt(id Property, v uint32) Properties {
	p = append(p, byte(id))
	switch rules[id].kind {
	case flag:
		return append(p, byte(v))
	case u16, u16nonzero:
		return binary.BigEndian.AppendUint16(p, uint16(v))
	case varnonzero:
		return appendVarint(p, v)
	}
	return binary.BigEndian.AppendUint32(p, v)
}

// WithText returns p with the string or binary data id added.
func (p Properties) WithText(id Property, v string) Properties {
	return appendText(append(p, byte(id)), v)
}

// WithUser returns p with a user property added.
func (p Properties) WithUser(key, value string) Properties {
	return appendText(appendText(append(p, byte(UserProperty)), key), value)
}

// appendTo appends the properties with their length.
func (p Properties) appendTo(dst []byte) []byte {
	return append(appendVarint(dst, uint32(len(p))), p...)
}

// property takes one property, checking its value.
func (s *scanner) property() (id Property, v Value) {
	id = Property(s.byte())
	if int(id) >= len(rules) || rules[id].kind == 0 {
		s.fail(malformed("unknown property 0x%02X", byte(id)))
		return id, v
	}
	k := rules[id].kind
	switch k {
	case flag:
		if v.Int = uint32(s.byte()); v.Int > 1 {
			s.fail(protocolError("property 0x%02X is neither 0 nor 1", byte(id)))
		}
	case u16, u16nonzero:
		v.Int = uint32(s.uint16())
	case u32, u32nonzero:
		v.Int = s.uint32()
	case varnonzero:
		v.Int = s.varint()
	case text:
		v.Text = s.text()
	case binaryData:
		v.Text = s.bytes()
	case pair:
		v.Key = s.text()
		v.Text = s.text()
	}
	if id == ResponseTopic && bytes.ContainsAny(v.Text, wildcards) {
		s.fail(protocolError("response topic with a wildcard"))
	}
	if v.Int == 0 && (k == u16nonzero || k == u32nonzero || k == varnonzero) {
		s.fail(protocolError("property 0x%02X is zero", byte(id)))
	}
	return id, v
}

// properties takes a whole property list of a packet of type t and checks that such a packet may have each, and only once.
func (s *scanner) properties(t Type) Properties {
	all := s.take(int(s.varint()))
	if s.err != nil || len(all) == 0 {
		return nil
	}
	list, seen := scanner{b: all}, uint64(0)
	for len(list.b) > 0 {
		id, _ := list.property()
		switch {
		case list.err != nil:
			s.fail(list.err)
			return nil
		case rules[id].in&(1<<t) == 0:
			s.fail(protocolError("property 0x%02X does not belong into this packet", byte(id)))
			return nil
		case id != UserProperty && seen&(1<<id) != 0:
			s.fail(protocolError("property 0x%02X twice", byte(id)))
			return nil
		}
		seen |= 1 << id
	}
	if seen&(1<<AuthData) != 0 && seen&(1<<AuthMethod) == 0 {
		s.fail(protocolError("authentication data without a method"))
		return nil
	}
	return all
}

// optional takes properties where the packet may end before them.
func (s *scanner) optional(t Type) Properties {
	if len(s.b) == 0 {
		return nil
	}
	return s.properties(t)
}
