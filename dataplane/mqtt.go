package dataplane

import (
	"context"
	"sync"

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
	x := &exchange{of: m.s, topic: in.Topic, reply: reply}
	x.Topic, _ = ParseTopic(in.Topic)
	if err := x.read(in.Payload); err != nil {
		x.end(answer{err: err})
	} else {
		x.replied.Add(1)
		m.s.serve(context.Background(), &x.request, func(a answer) {
			x.end(a)
			x.replied.Done()
		})
		x.replied.Wait()
	}
	m.s.ended(source{overMQTT, in.Topic, in.ClientID}, &x.request, x.answer, m.s.o.Now().Sub(began))
}

// exchange is a request and its reply. It is one object, because every request makes one.
type exchange struct {
	request
	of      *Service
	topic   string // of the request
	reply   func(topic string, payload []byte)
	answer  answer
	replied sync.WaitGroup // until the reply is given to the gateway
}

func (x *exchange) end(a answer) {
	x.answer = a
	b := make([]byte, 0, replySize(&x.request, a))
	if a.err == nil {
		x.reply(x.topic+acceptedSuffix, appendAccepted(b, overMQTT, &x.request, a))
		return
	}
	x.reply(x.topic+rejectedSuffix, appendRejected(b, overMQTT, &x.request, refusalOf(a.err), muster.At(x.of.o.Now())))
}
