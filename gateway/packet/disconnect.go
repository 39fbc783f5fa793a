package packet

// Disconnect is a DISCONNECT packet; 3.1.1 knows neither field.
type Disconnect struct {
	Reason     Reason
	Properties Properties
}

// ParseDisconnect decodes the body of a DISCONNECT.
func ParseDisconnect(body []byte, v byte) (*Disconnect, error) {
	s := scanner{b: body}
	d := &Disconnect{}
	if v == V5 && len(s.b) > 0 {
		d.Reason = s.reason(disconnectReasons)
		d.Properties = s.optional(DISCONNECT)
	}
	return d, s.done()
}

// Append appends the packet.
func (d *Disconnect) Append(dst []byte, v byte) []byte {
	switch {
	case v != V5 || d.Reason == Success && len(d.Properties) == 0:
		return append(dst, byte(DISCONNECT)<<4, 0)
	case len(d.Properties) == 0:
		return append(dst, byte(DISCONNECT)<<4, 1, byte(d.Reason))
	}
	return appendFrame(dst, DISCONNECT, d.Properties.appendTo([]byte{byte(d.Reason)}))
}

// Pingreq is a PINGREQ packet.
type Pingreq struct{}

// Append appends the packet.
func (Pingreq) Append(dst []byte, _ byte) []byte { return append(dst, byte(PINGREQ)<<4, 0) }

// Pingresp is a PINGRESP packet.
type Pingresp struct{}

// Append appends the packet.
func (Pingresp) Append(dst []byte, _ byte) []byte { return append(dst, byte(PINGRESP)<<4, 0) }
