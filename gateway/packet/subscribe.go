package packet

import "encoding/binary"

// FiltersMax is how many topic filters one SUBSCRIBE or UNSUBSCRIBE may carry (MQ-35). More is an Error with QuotaExceeded.
const FiltersMax = 8

// Subscription is one filter of a SUBSCRIBE with its options; 3.1.1 knows only QoS.
type Subscription struct {
	Filter            string
	QoS               byte // requested, 0-2
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte // 0-2
}

// Subscribe is a SUBSCRIBE packet.
type Subscribe struct {
	ID            uint16
	Subscriptions []Subscription // 1-8
	Properties    Properties
}

// ParseSubscribe decodes the body of a SUBSCRIBE. Whether a filter is valid is for the caller to check.
func ParseSubscribe(body []byte, v byte) (*Subscribe, error) {
	s := scanner{b: body}
	p := &Subscribe{ID: s.id(), Subscriptions: make([]Subscription, 0, 4)} // room for what devices ask for at once
	if v == V5 {
		p.Properties = s.properties(SUBSCRIBE)
	}
	for s.err == nil && len(s.b) > 0 {
		if len(p.Subscriptions) == FiltersMax {
			return nil, tooManyFilters()
		}
		filter, o := string(s.text()), s.byte()
		sub := Subscription{Filter: filter, QoS: o & 3, NoLocal: o&4 != 0, RetainAsPublished: o&8 != 0, RetainHandling: o >> 4 & 3}
		if sub.QoS == 3 || o&0xC0 != 0 || v == V311 && o > 2 {
			s.fail(malformed("bad subscription options 0x%02X", o))
		}
		if sub.RetainHandling == 3 {
			s.fail(protocolError("retain handling 3"))
		}
		p.Subscriptions = append(p.Subscriptions, sub)
	}
	if s.err == nil && len(p.Subscriptions) == 0 {
		return nil, protocolError("SUBSCRIBE without a filter")
	}
	return p, s.err
}

func tooManyFilters() error {
	return &Error{QuotaExceeded, "more than 8 topic filters in one packet"}
}

// Append appends the packet.
func (p *Subscribe) Append(dst []byte, v byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, p.ID)
	if v == V5 {
		b = p.Properties.appendTo(b)
	}
	for _, sub := range p.Subscriptions {
		o := sub.QoS
		if v == V5 {
			o |= sub.RetainHandling << 4
			if sub.NoLocal {
				o |= 4
			}
			if sub.RetainAsPublished {
				o |= 8
			}
		}
		b = append(appendText(b, sub.Filter), o)
	}
	return appendFrame(dst, SUBSCRIBE, b)
}

// Suback is a SUBACK packet: one reason per filter, in order.
type Suback struct {
	ID         uint16
	Reasons    []Reason
	Properties Properties
}

// ParseSuback decodes the body of a SUBACK.
func ParseSuback(body []byte, v byte) (*Suback, error) {
	id, reasons, props, err := parseReasons(body, v, SUBACK)
	return &Suback{id, reasons, props}, err
}

// Append appends the packet. In 3.1.1 every failure is written as 0x80, the only one it knows.
func (p *Suback) Append(dst []byte, v byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, p.ID)
	if v == V5 {
		b = p.Properties.appendTo(b)
	}
	for _, r := range p.Reasons {
		if v == V311 && r >= UnspecifiedError {
			r = UnspecifiedError
		}
		b = append(b, byte(r))
	}
	return appendFrame(dst, SUBACK, b)
}

// Unsubscribe is an UNSUBSCRIBE packet.
type Unsubscribe struct {
	ID         uint16
	Filters    []string // 1-8
	Properties Properties
}

// ParseUnsubscribe decodes the body of an UNSUBSCRIBE.
func ParseUnsubscribe(body []byte, v byte) (*Unsubscribe, error) {
	s := scanner{b: body}
	p := &Unsubscribe{ID: s.id()}
	if v == V5 {
		p.Properties = s.properties(UNSUBSCRIBE)
	}
	for s.err == nil && len(s.b) > 0 {
		if len(p.Filters) == FiltersMax {
			return nil, tooManyFilters()
		}
		p.Filters = append(p.Filters, string(s.text()))
	}
	if s.err == nil && len(p.Filters) == 0 {
		return nil, protocolError("UNSUBSCRIBE without a filter")
	}
	return p, s.err
}

// Append appends the packet.
func (p *Unsubscribe) Append(dst []byte, v byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, p.ID)
	if v == V5 {
		b = p.Properties.appendTo(b)
	}
	for _, f := range p.Filters {
		b = appendText(b, f)
	}
	return appendFrame(dst, UNSUBSCRIBE, b)
}

// Unsuback is an UNSUBACK packet; 3.1.1 knows no Reasons.
type Unsuback struct {
	ID         uint16
	Reasons    []Reason
	Properties Properties
}

// ParseUnsuback decodes the body of an UNSUBACK.
func ParseUnsuback(body []byte, v byte) (*Unsuback, error) {
	if v == V311 {
		s := scanner{b: body}
		return &Unsuback{ID: s.id()}, s.done()
	}
	id, reasons, props, err := parseReasons(body, v, UNSUBACK)
	return &Unsuback{id, reasons, props}, err
}

// Append appends the packet.
func (p *Unsuback) Append(dst []byte, v byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, p.ID)
	if v == V5 {
		b = p.Properties.appendTo(b)
		for _, r := range p.Reasons {
			b = append(b, byte(r))
		}
	}
	return appendFrame(dst, UNSUBACK, b)
}

func parseReasons(body []byte, v byte, t Type) (id uint16, reasons []Reason, props Properties, err error) {
	s := scanner{b: body}
	id = s.id()
	if v == V5 {
		props = s.properties(t)
	}
	for _, r := range s.b {
		reasons = append(reasons, Reason(r))
	}
	return id, reasons, props, s.err
}
