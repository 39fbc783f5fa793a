// Package events tells fleet software what goes on: the life of jobs and of
// their executions (jobs-events.md), what changes in the registry (registry.md
// section 6.7), and who comes and goes (mqtt-broker.md section 10), as messages
// on the topics below $aws/events/.
//
// It makes messages of what it is told and decides nothing: whether something
// happened, and whether anybody enabled its event, is the engine's to know. It
// never talks to a device about its jobs; package dataplane does.
package events

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/gateway"
)

// Broker carries messages to whoever subscribed. *gateway.Server is one.
type Broker interface {
	// Wanted reports whether anybody would get a message on topic, now or when
	// it comes back. It must be quick.
	Wanted(topic string) bool
	// Publish sends m. Messages on one topic that come from one goroutine keep
	// their order. done may be nil.
	Publish(m gateway.Message, done func(error))
}

// Options are the parts of a Publisher. Broker and Account are required.
type Options struct {
	Broker  Broker
	Account muster.Account
	Log     *slog.Logger // nil discards
}

// Publisher publishes events that somebody subscribed to; the others cost no
// more than looking. Keep Run running.
type Publisher struct {
	o       Options
	queue   chan gateway.Message
	dropped atomic.Uint64 // life-cycle events that found the queue full
}

// queueMax bounds the messages on their way from who tells to Run.
const queueMax = 4096

// New returns a publisher on o.
func New(o Options) *Publisher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{o: o, queue: make(chan gateway.Message, queueMax)}
}

// Happened takes what a commit has to tell; it is what engine.Options.Happened
// wants. Events go out in that order, with QoS 1. When more come than Run can
// publish, it waits: nothing is lost, and the deletion of a large job is told
// at the broker's pace (jobs-events.md J8).
func (p *Publisher) Happened(all []engine.Happening) {
	for _, h := range all {
		if topic := topicOf(h); p.o.Broker.Wanted(topic) {
			p.queue <- gateway.Message{Topic: topic, Payload: encode(payloadOf(h, p.o.Account)), QoS: 1}
		}
	}
}

// topicOf returns where an event is published.
func topicOf(h engine.Happening) string {
	what := ""
	switch h.Type {
	case muster.EventJob:
		what = "job/" + string(h.Job.ID)
	case muster.EventJobExecution:
		what = "jobExecution/" + string(h.Execution.Job)
	default:
		what = registryTopic(h)
	}
	return "$aws/events/" + what + "/" + h.Operation
}

func payloadOf(h engine.Happening, account muster.Account) any {
	switch h.Type {
	case muster.EventJob:
		return jobEvent(h, account)
	case muster.EventJobExecution:
		return executionEvent(h, account)
	}
	return registryEvent(h, account)
}

// offer queues a life-cycle event, or drops it when the queue is full: a
// connection waits for nobody who watches it. Their QoS is 0.
func (p *Publisher) offer(topic string, payload any) {
	select {
	case p.queue <- gateway.Message{Topic: topic, Payload: encode(payload)}:
	default:
		p.dropped.Add(1)
	}
}

// Run publishes until ctx ends, and then what still waits. Whoever calls
// Happened must have ended before.
func (p *Publisher) Run(ctx context.Context) error {
	for {
		select {
		case m := <-p.queue:
			p.publish(m)
		case <-ctx.Done():
			for len(p.queue) > 0 {
				p.publish(<-p.queue)
			}
			return nil
		}
	}
}

func (p *Publisher) publish(m gateway.Message) {
	p.o.Broker.Publish(m, nil)
	if n := p.dropped.Swap(0); n > 0 {
		p.o.Log.Warn("life-cycle events were dropped: too many at once", "count", n)
	}
}

// encode writes a payload as compact JSON.
func encode(payload any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(payload) // cannot fail: payloads are structs of plain values
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
