package packet

import "encoding/binary"

// Connect is a CONNECT packet.
type Connect struct {
	Version     byte // as the client says; not necessarily one we speak
	Clean       bool
	KeepAlive   uint16 // seconds
	ClientID    string
	Username    string
	HasUsername bool
	Password    []byte
	HasPassword bool
	Will        *Will
	Properties  Properties
}

// Will is the will inside a CONNECT.
type Will struct {
	Topic      string
	Payload    []byte
	QoS        byte // 0-2
	Retain     bool
	Properties Properties
}

const (
	flagReserved = 1 << iota
	flagClean
	flagWill
	_ // two bits of will QoS
	_
	flagWillRetain
	flagPassword
	flagUsername
)

// ParseConnect decodes the body of a CONNECT. For a protocol level other than 4 and 5 the rest of the packet is unknown: the
// error is UnsupportedVersion and Version is set. The result shares no memory with body.
func ParseConnect(body []byte) (*Connect, error) {
	s := scanner{b: body}
	name := string(s.bytes())
	c := &Connect{Version: s.byte()}
	switch {
	case s.err != nil:
		return nil, s.err
	case name == "MQIsdp", name == "MQTT" && c.Version != V311 && c.Version != V5:
		return c, &Error{UnsupportedVersion, "protocol level is neither 4 nor 5"}
	case name != "MQTT":
		return nil, malformed("protocol name is not MQTT")
	}
	flags := s.byte()
	c.Clean = flags&flagClean != 0
	c.KeepAlive = s.uint16()
	if flags&flagReserved != 0 {
		return nil, malformed("reserved connect flag is set")
	}
	if c.Version == V5 {
		c.Properties = append(Properties(nil), s.properties(CONNECT)...)
	}
	c.ClientID = string(s.text())
	qos := flags >> 3 & 3
	if flags&flagWill != 0 {
		w := &Will{QoS: qos, Retain: flags&flagWillRetain != 0}
		if c.Version == V5 {
			w.Properties = append(Properties(nil), s.properties(will)...)
		}
		w.Topic = string(s.text())
		w.Payload = append([]byte(nil), s.bytes()...)
		c.Will = w
	} else if flags&flagWillRetain != 0 || qos != 0 {
		return nil, malformed("will flags without a will")
	}
	if qos == 3 {
		return nil, malformed("will QoS 3")
	}
	if c.HasUsername = flags&flagUsername != 0; c.HasUsername {
		c.Username = string(s.text())
	}
	if c.HasPassword = flags&flagPassword != 0; c.HasPassword {
		c.Password = append([]byte(nil), s.bytes()...)
	}
	if c.HasPassword && !c.HasUsername && c.Version == V311 {
		return nil, malformed("password without user name")
	}
	return c, s.done()
}

// Append writes the packet in the version the Connect names, whatever v says.
func (c *Connect) Append(dst []byte, _ byte) []byte {
	var flags byte
	set := func(on bool, f byte) {
		if on {
			flags |= f
		}
	}
	set(c.Clean, flagClean)
	set(c.HasUsername, flagUsername)
	set(c.HasPassword, flagPassword)
	if c.Will != nil {
		flags |= flagWill | c.Will.QoS<<3
		set(c.Will.Retain, flagWillRetain)
	}
	b := append(appendText(nil, "MQTT"), c.Version, flags)
	b = binary.BigEndian.AppendUint16(b, c.KeepAlive)
	if c.Version == V5 {
		b = c.Properties.appendTo(b)
	}
	b = appendText(b, c.ClientID)
	if w := c.Will; w != nil {
		if c.Version == V5 {
			b = w.Properties.appendTo(b)
		}
		b = appendBytes(appendText(b, w.Topic), w.Payload)
	}
	if c.HasUsername {
		b = appendText(b, c.Username)
	}
	if c.HasPassword {
		b = appendBytes(b, c.Password)
	}
	return appendFrame(dst, CONNECT, b)
}

// Connack is a CONNACK packet.
type Connack struct {
	SessionPresent bool
	Reason         Reason // in 3.1.1 the byte is a return code: see Reason.Return311
	Properties     Properties
}

// ParseConnack decodes the body of a CONNACK. In 3.1.1 Reason holds the plain return code.
func ParseConnack(body []byte, v byte) (*Connack, error) {
	s := scanner{b: body}
	flags := s.byte()
	c := &Connack{SessionPresent: flags&1 != 0, Reason: Reason(s.byte())}
	if flags > 1 {
		return nil, malformed("reserved connack flags are set")
	}
	if v == V5 {
		c.Properties = s.properties(CONNACK)
	}
	return c, s.done()
}

// Append writes the packet; in 3.1.1 Reason is written as it is, so it must be a return code.
func (c *Connack) Append(dst []byte, v byte) []byte {
	b := []byte{0, byte(c.Reason)}
	if c.SessionPresent {
		b[0] = 1
	}
	if v == V5 {
		b = c.Properties.appendTo(b)
	}
	return appendFrame(dst, CONNACK, b)
}
