package dataplane

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
)

// MQTT answers requests that devices publish. It is the gateway's
// gateway.Reserved for the topics below $aws/things/<thing>/jobs/.
type MQTT struct{ s *Service }

// MQTT returns the service for the gateway.
func (s *Service) MQTT() *MQTT { return &MQTT{s} }

// Use says what a client may do with a reserved topic by publishing to it
// (mqtt-broker.md MQ-71, MQ-72): requests are served, also those that name no
// operation, which are refused on their own rejected topic; answers are
// swallowed; the rest is forbidden.
func (m *MQTT) Use(topic string) gateway.Use {
	t, ok := ParseTopic(topic)
	switch {
	case !ok || t.Kind == NotifyList || t.Kind == NotifyNext:
		return gateway.Forbidden
	case t.Side != Request:
		return gateway.Ignored
	}
	return gateway.Served
}

// Request performs one request and replies once, on the request's topic followed
// by /accepted or /rejected. It returns after the reply: the requests of one
// connection are performed in order, and a connection that sends too many delays
// only itself. A change is durable before its reply, and the reply comes before
// the notifications of the change.
func (m *MQTT) Request(in gateway.Request, reply func(topic string, payload []byte)) {
	m.s.o.Turns.Asked()
	began := m.s.o.Now()
	topic, _ := ParseTopic(in.Topic)
	r := &request{Topic: topic}
	var a answer
	if a.err = r.read(in.Payload); a.err != nil {
		m.reply(in, r, a, reply)
	} else {
		replied := make(chan struct{})
		m.s.serve(context.Background(), r, func(got answer) {
			a = got
			m.reply(in, r, a, reply)
			close(replied)
		})
		<-replied
	}
	m.s.ended(source{overMQTT, in.Topic, in.ClientID}, r, a, m.s.o.Now().Sub(began))
}

// replySize is enough for most replies without a large document.
const replySize = 512

func (m *MQTT) reply(in gateway.Request, r *request, a answer, reply func(topic string, payload []byte)) {
	b := make([]byte, 0, replySize)
	if a.err == nil {
		reply(in.Topic+acceptedSuffix, appendAccepted(b, overMQTT, r, a))
		return
	}
	reply(in.Topic+rejectedSuffix, appendRejected(b, overMQTT, r, refusalOf(a.err), muster.At(m.s.o.Now())))
}
