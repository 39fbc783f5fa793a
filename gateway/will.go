package gateway

import (
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// will is the last will of a client, ready to be published (MQ-62).
type will struct {
	message message
	qos     byte
	retain  bool
	delay   time.Duration
	expiry  uint32 // seconds from its publication on; meaningful with expires
	expires bool
}

func newWill(w *packet.Will) *will {
	ready := &will{message: message{topic: w.Topic, payload: w.Payload}, qos: w.QoS, retain: w.Retain}
	for id, v := range w.Properties.All() {
		switch id {
		case packet.WillDelay:
			ready.delay = time.Duration(v.Int) * time.Second
		case packet.MessageExpiry:
			ready.expiry, ready.expires = v.Int, true
		}
	}
	ready.message.forward = w.Properties.Without(packet.WillDelay, packet.MessageExpiry)
	return ready
}

// publishWill publishes w; nil is no will.
func (s *Server) publishWill(w *will) {
	if w == nil {
		return
	}
	m := w.message
	if w.expires {
		m.expires = expiryTime(time.Now(), w.expiry)
	}
	s.route(&m, w.qos, w.retain, nil)
}
