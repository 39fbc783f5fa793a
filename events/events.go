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
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/plainjson"
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

// Log is where events are kept until they are taken. *engine.Engine is one.
type Log interface {
	Events(ctx context.Context, sink engine.Sink, after uint64, most int) ([]engine.Happening, uint64, error)
	Taken(sink engine.Sink, through uint64)
}

// Options are the parts of a Publisher. Broker, Events and Account are
// required.
type Options struct {
	Broker  Broker
	Events  Log
	Account muster.Account
	Log     *slog.Logger // nil discards
}

// Publisher publishes events that somebody subscribed to; the others cost no
// more than looking. Keep Run running.
//
// The events of jobs, executions and the registry go out at least once, with QoS
// 1 and in the order in which they happened: what was not safe with its
// subscribers when the process was killed goes out again, with the same eventId
// (jobs-events.md section 1). Who comes and goes is told at most once and not
// after a crash: it is a view of connections that a crash has ended.
type Publisher struct {
	o        Options
	recorded chan struct{}        // holds a token when the log may have more
	queue    chan gateway.Message // life-cycle events
	dropped  atomic.Uint64        // those that found the queue full
}

const (
	// queueMax bounds the life-cycle events on their way to Run.
	queueMax = 4096
	// chunkMax bounds the events that are published before they are known to be
	// safe.
	chunkMax = 256
	// retryAfter is the pause after events could not be read or made safe.
	retryAfter = time.Second
	// lastWords is how long Run goes on after its context ended.
	lastWords = time.Second
)

// New returns a publisher on o.
func New(o Options) *Publisher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{o: o, recorded: make(chan struct{}, 1), queue: make(chan gateway.Message, queueMax)}
}

// Recorded says that the log has more. It never blocks; it fits
// engine.Options.Recorded.
func (p *Publisher) Recorded() {
	select {
	case p.recorded <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends, and then what is there by then. The engine must
// be running still.
func (p *Publisher) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { p.follow(ctx) })
	running.Go(func() { p.forward(ctx) })
	running.Wait()
	return nil
}

// follow publishes what is in the log, beginning with what a process before this
// one left there.
func (p *Publisher) follow(ctx context.Context) {
	after := uint64(0)
	for {
		through, err := p.drain(ctx, after)
		after = through
		more, again := p.recorded, (<-chan time.Time)(nil)
		if err != nil && ctx.Err() == nil {
			p.o.Log.Error("events could not be published; trying again", "error", err)
			more, again = nil, time.After(retryAfter)
		}
		select {
		case <-more:
		case <-again:
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			_, _ = p.drain(last, after) // what does not make it, the next process publishes
			stop()
			return
		}
	}
}

// drain publishes what is in the log behind a place, and returns how far it
// came.
func (p *Publisher) drain(ctx context.Context, after uint64) (uint64, error) {
	for {
		events, through, err := p.o.Events.Events(ctx, engine.Subscribers, after, chunkMax)
		if err != nil || through == after {
			return after, err
		}
		if err := p.publishAll(ctx, events); err != nil {
			return after, err
		}
		p.o.Events.Taken(engine.Subscribers, through)
		after = through
	}
}

// publishAll publishes events and waits until they are safe with whoever
// subscribed. So the deletion of a large job is told at the broker's pace
// (jobs-events.md J8).
func (p *Publisher) publishAll(ctx context.Context, events []engine.Happening) error {
	safe := make(chan error, len(events))
	n := 0
	for _, h := range events {
		if topic := topicOf(h); p.o.Broker.Wanted(topic) {
			n++
			p.o.Broker.Publish(gateway.Message{Topic: topic, Payload: plainjson.Encode(Payload(h, p.o.Account)), QoS: 1}, func(err error) { safe <- err })
		}
	}
	for ; n > 0; n-- {
		if err := await(ctx, safe); err != nil {
			return err
		}
	}
	return nil
}

// await returns what comes from answer, even if ctx ends at the same time.
func await(ctx context.Context, answer <-chan error) error {
	select {
	case err := <-answer:
		return err
	default:
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
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

// Payload returns what tells of an event, to be encoded as JSON (jobs-events.md
// sections 2 and 3, registry.md section 6.7).
func Payload(h engine.Happening, account muster.Account) any {
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
	case p.queue <- gateway.Message{Topic: topic, Payload: plainjson.Encode(payload)}:
	default:
		p.dropped.Add(1)
	}
}

// forward publishes life-cycle events until ctx ends, and then what still waits.
func (p *Publisher) forward(ctx context.Context) {
	for {
		select {
		case m := <-p.queue:
			p.publish(m)
		case <-ctx.Done():
			for len(p.queue) > 0 {
				p.publish(<-p.queue)
			}
			return
		}
	}
}

func (p *Publisher) publish(m gateway.Message) {
	p.o.Broker.Publish(m, nil)
	if n := p.dropped.Swap(0); n > 0 {
		p.o.Log.Warn("life-cycle events were dropped: too many at once", "count", n)
	}
}
