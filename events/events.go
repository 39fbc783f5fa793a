// Package events publishes events to fleet software, as messages on the topics
// below $aws/events/: of jobs and executions (jobs-events.md), of the registry
// (registry.md section 6.7), and the life-cycle events of connections
// (mqtt-broker.md section 10).
//
// It turns events into messages and decides nothing: the event log holds an event
// only when events of its type are enabled. What a device is told of
// its own jobs comes from package dataplane.
package events

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/plainjson"
)

// Broker carries messages to their subscribers; *gateway.Server implements it.
type Broker interface {
	// Wanted reports whether topic has a subscriber, connected or with a
	// persistent session. It must be quick.
	Wanted(topic string) bool
	// Publish sends m. Messages that one goroutine publishes on one topic keep
	// their order. done is called when m is safe with its subscribers, or with the
	// reason why it is not; it may be nil.
	Publish(m gateway.Message, done func(error))
}

// Log holds events until every sink has taken them; *eventlog.Log implements it.
type Log interface {
	// Events returns at most limit events for sink, the oldest that the sink has not
	// taken.
	Events(ctx context.Context, sink eventlog.Sink, limit int) ([]eventlog.Event, error)
	// Taken says that sink is done with events. It does not wait.
	Taken(sink eventlog.Sink, events []eventlog.Event)
}

// Options are the parts of a Publisher. Broker, Events and Account are
// required.
type Options struct {
	Broker  Broker
	Events  Log
	Account muster.Account
	// While calls run while the log is for this process to publish, and has its context end
	// when it is not, until ctx ends. Nil is all the time.
	While func(ctx context.Context, run func(context.Context) error) error
	Log   *slog.Logger // nil discards
}

// Publisher publishes the events that have a subscriber; an event without one
// costs a look-up of its topic. Make it with New and keep Run running.
//
// The events of jobs, executions and the registry are published at least once,
// with QoS 1 and in the order in which they happened. Those that were not safe
// with their subscribers when the process was killed are published again, with
// the same eventId (jobs-events.md section 1). Life-cycle events are published at
// most once and not after a crash, which ended the connections that they are
// about.
type Publisher struct {
	o        Options
	recorded chan struct{}        // holds a token when the log may have more
	queue    chan gateway.Message // life-cycle events
	dropped  atomic.Uint64        // life-cycle events that found the queue full
}

const (
	// queueMax bounds the life-cycle events that wait for Run.
	queueMax = 4096
	// chunkMax bounds the events that are published before the first of them is
	// known to be safe.
	chunkMax = 256
	// retryAfter is the pause after events could not be read or delivered.
	retryAfter = time.Second
	// drainMax is how long Run goes on publishing after its context ended.
	drainMax = time.Second
)

// New returns a publisher on o.
func New(o Options) *Publisher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.While == nil {
		o.While = func(ctx context.Context, run func(context.Context) error) error { return run(ctx) }
	}
	return &Publisher{o: o, recorded: make(chan struct{}, 1), queue: make(chan gateway.Message, queueMax)}
}

// Recorded says that the log has more. It never blocks: it is for the method of
// that name of eventlog.Watcher.
func (p *Publisher) Recorded() {
	select {
	case p.recorded <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends, and then, for a second at most, the events that
// are there by then. The service must still be running.
func (p *Publisher) Run(ctx context.Context) error {
	var running sync.WaitGroup
	var err error
	running.Go(func() { err = p.o.While(ctx, p.follow) })
	running.Go(func() { p.forward(ctx) })
	running.Wait()
	return err
}

// follow publishes the events of the log, beginning with those that an earlier
// process left there.
func (p *Publisher) follow(ctx context.Context) error {
	for {
		err := p.drain(ctx)
		more, again := p.recorded, (<-chan time.Time)(nil)
		if err != nil && ctx.Err() == nil {
			p.o.Log.Error("events could not be published; trying again", "error", err)
			more, again = nil, time.After(retryAfter)
		}
		select {
		case <-more:
		case <-again:
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
			_ = p.drain(last) // the next process publishes the rest
			stop()
			return nil
		}
	}
}

// drain publishes the events that are in the log.
func (p *Publisher) drain(ctx context.Context) error {
	for {
		events, err := p.o.Events.Events(ctx, eventlog.Subscribers, chunkMax)
		if err != nil || len(events) == 0 {
			return err
		}
		if err := p.publishAll(ctx, events); err != nil {
			return err
		}
		p.o.Events.Taken(eventlog.Subscribers, events)
	}
}

// publishAll publishes events and waits until they are safe with their
// subscribers, so that the many events of a large job's deletion go out at the
// broker's pace (jobs-events.md J8).
func (p *Publisher) publishAll(ctx context.Context, events []eventlog.Event) error {
	safe := make(chan error, len(events))
	n := 0
	for _, e := range events {
		if topic := topicOf(e); p.o.Broker.Wanted(topic) {
			n++
			p.o.Broker.Publish(gateway.Message{Topic: topic, Payload: plainjson.Encode(Payload(e, p.o.Account)), QoS: 1}, func(err error) { safe <- err })
		}
	}
	for ; n > 0; n-- {
		if err := await(ctx, safe); err != nil {
			return err
		}
	}
	return nil
}

// await returns the next error from answer, and prefers it when ctx has ended as
// well.
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

// topicOf returns the topic of an event.
func topicOf(e eventlog.Event) string {
	what := ""
	switch e.Type {
	case muster.EventJob:
		what = "job/" + string(e.Job.ID)
	case muster.EventJobExecution:
		what = "jobExecution/" + string(e.Execution.Job)
	default:
		what = registryTopic(e)
	}
	return "$aws/events/" + what + "/" + string(e.Operation)
}

// Payload returns the payload of an event, to be encoded as JSON (jobs-events.md
// sections 2 and 3, registry.md section 6.7).
func Payload(e eventlog.Event, account muster.Account) any {
	switch e.Type {
	case muster.EventJob:
		return jobEvent(e, account)
	case muster.EventJobExecution:
		return executionEvent(e, account)
	}
	return registryEvent(e, account)
}

// offer queues a life-cycle event, or drops it when the queue is full: a
// connection does not wait for those who watch it. Life-cycle events have QoS 0.
func (p *Publisher) offer(topic string, payload any) {
	select {
	case p.queue <- gateway.Message{Topic: topic, Payload: plainjson.Encode(payload)}:
	default:
		p.dropped.Add(1)
	}
}

// forward publishes life-cycle events until ctx ends, and then those still queued.
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
