package packet

import (
	"encoding/binary"
	"strings"
)

// Publish is a PUBLISH packet.
type Publish struct {
	Topic     string // empty only with an Alias
	Payload   []byte // a decoded one points into the packet
	QoS       byte   // 0-2
	Dup       bool
	Retain    bool
	ID        uint16     // 0 exactly for QoS 0
	Alias     uint16     // meaningful with HasAlias
	HasAlias  bool       // MQTT 5
	Expiry    uint32     // seconds the message lives; meaningful with HasExpiry
	HasExpiry bool       // MQTT 5
	Forward   Properties // the other properties: exactly those that travel unchanged to the receivers
}

const (
	publishRetain = 1 << iota
	publishQoS1
	publishQoS2
	publishDup
)

// ParsePublish decodes a PUBLISH. A topic with a wildcard is an Error with TopicNameInvalid; whether the topic is otherwise
// valid is for the caller to check.
func ParsePublish(f Frame, v byte) (*Publish, error) {
	p := new(Publish) // on the stack of a caller that does not keep it, as this function is inlined
	if err := p.parse(f, v); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Publish) parse(f Frame, v byte) error {
	p.QoS, p.Dup, p.Retain = f.Header>>1&3, f.Header&publishDup != 0, f.Header&publishRetain != 0
	switch {
	case p.QoS == 3:
		return malformed("PUBLISH with QoS 3")
	case p.QoS == 0 && p.Dup:
		return malformed("PUBLISH with DUP at QoS 0")
	}
	s := scanner{b: f.Body}
	p.Topic = string(s.text())
	if strings.ContainsAny(p.Topic, wildcards) {
		return &Error{TopicNameInvalid, "PUBLISH to a topic with a wildcard"}
	}
	if p.QoS > 0 {
		p.ID = s.id()
	}
	if v == V5 {
		p.takeProperties(s.properties(PUBLISH))
	}
	if p.Topic == "" && !p.HasAlias && s.err == nil {
		return protocolError("PUBLISH without a topic")
	}
	p.Payload = s.b
	return s.err
}

// takeProperties sorts out those that are not forwarded as they are.
func (p *Publish) takeProperties(all Properties) {
	for id, v := range all.All() {
		switch id {
		case TopicAlias:
			p.Alias, p.HasAlias = uint16(v.Int), true
		case MessageExpiry:
			p.Expiry, p.HasExpiry = v.Int, true
		}
	}
	p.Forward = all
	if p.HasAlias || p.HasExpiry {
		p.Forward = all.Without(TopicAlias, MessageExpiry)
	}
}

// sizes returns the lengths of the packet's properties and of its whole body.
func (p *Publish) sizes(v byte) (props, body int) {
	body = 2 + len(p.Topic) + len(p.Payload)
	if p.QoS > 0 {
		body += 2
	}
	if v != V5 {
		return 0, body
	}
	props = len(p.Forward)
	if p.HasAlias {
		props += 3
	}
	if p.HasExpiry {
		props += 5
	}
	return props, body + varintSize(props) + props
}

// Size returns the length of what Append appends.
func (p *Publish) Size(v byte) int {
	_, body := p.sizes(v)
	return 1 + varintSize(body) + body
}

// Append appends the packet.
func (p *Publish) Append(dst []byte, v byte) []byte {
	header := byte(PUBLISH)<<4 | p.QoS<<1
	if p.Dup {
		header |= publishDup
	}
	if p.Retain {
		header |= publishRetain
	}
	props, body := p.sizes(v)
	dst = appendVarint(append(dst, header), uint32(body))
	dst = appendText(dst, p.Topic)
	if p.QoS > 0 {
		dst = binary.BigEndian.AppendUint16(dst, p.ID)
	}
	if v == V5 {
		dst = appendVarint(dst, uint32(props))
		if p.HasAlias {
			dst = Properties(dst).WithInt(TopicAlias, uint32(p.Alias))
		}
		if p.HasExpiry {
			dst = Properties(dst).WithInt(MessageExpiry, p.Expiry)
		}
		dst = append(dst, p.Forward...)
	}
	return append(dst, p.Payload...)
}

// Puback is a PUBACK packet. 3.1.1 knows no Reason.
type Puback struct {
	ID         uint16
	Reason     Reason
	Properties Properties
}

// ParsePuback decodes the body of a PUBACK.
func ParsePuback(body []byte, v byte) (*Puback, error) {
	s := scanner{b: body}
	p := &Puback{ID: s.id()}
	if v == V5 && len(s.b) > 0 {
		p.Reason = s.reason(pubackReasons)
		p.Properties = s.optional(PUBACK)
	}
	return p, s.done()
}

// Append appends the packet.
func (p *Puback) Append(dst []byte, v byte) []byte {
	dst = append(dst, byte(PUBACK)<<4)
	switch {
	case v != V5 || p.Reason == Success && len(p.Properties) == 0:
		return binary.BigEndian.AppendUint16(append(dst, 2), p.ID)
	case len(p.Properties) == 0:
		return append(binary.BigEndian.AppendUint16(append(dst, 3), p.ID), byte(p.Reason))
	}
	dst = appendVarint(dst, uint32(3+varintSize(len(p.Properties))+len(p.Properties)))
	dst = append(binary.BigEndian.AppendUint16(dst, p.ID), byte(p.Reason))
	return p.Properties.appendTo(dst)
}
