package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/gateway"
)

var (
	_ Broker = (*gateway.Server)(nil)
	_ Log    = (*eventlog.Log)(nil)
)

var account = muster.Account{ID: "111122223333", Region: "eu-west-1"}

// board is a Broker that keeps what is published. All topics have a subscriber but
// those in unwanted.
type board struct {
	mu       sync.Mutex
	messages []gateway.Message
	unwanted string
	held     chan struct{} // when not nil, each Publish takes one
	fails    int           // so many messages are not made safe
}

func (b *board) Wanted(topic string) bool { return topic != b.unwanted }

func (b *board) Publish(m gateway.Message, done func(error)) {
	if b.held != nil {
		<-b.held
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails > 0 && done != nil {
		b.fails--
		done(errors.New("no disk"))
		return
	}
	b.messages = append(b.messages, m)
	if done != nil {
		done(nil)
	}
}

// notebook is a Log in memory.
type notebook struct {
	mu     sync.Mutex
	events []eventlog.Event
	taken  map[string]bool // places
}

// add appends events, each at the next place.
func (n *notebook) add(all ...eventlog.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range all {
		h.Place = fmt.Sprintf("%020d", len(n.events)+1)
		n.events = append(n.events, h)
	}
}

func (n *notebook) Events(_ context.Context, sink eventlog.Sink, most int) (all []eventlog.Event, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if sink != eventlog.Subscribers {
		return nil, errors.New("not ours")
	}
	for _, e := range n.events {
		if !n.taken[e.Place] && len(all) < most {
			all = append(all, e)
		}
	}
	return all, nil
}

func (n *notebook) Taken(_ eventlog.Sink, all []eventlog.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken == nil {
		n.taken = map[string]bool{}
	}
	for _, e := range all {
		n.taken[e.Place] = true
	}
}

// done returns how many events were taken.
func (n *notebook) done() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.taken)
}

// run runs p while tell runs, and returns what was published, each as "topic qos
// payload".
func (b *board) run(t *testing.T, p *Publisher, tell func()) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	tell()
	cancel()
	if err := <-ended; err != nil {
		t.Fatalf("Run: %v", err)
	}
	var lines []string
	for _, m := range b.messages {
		if m.Retain || m.Latest {
			t.Errorf("the message on %s is retained, or replaces others", m.Topic)
		}
		lines = append(lines, fmt.Sprintf("%s %d %s", m.Topic, m.QoS, m.Payload))
	}
	b.messages = nil
	return lines
}

// compact joins a sample that was written on several lines.
func compact(sample string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(sample, "\n") {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

func TestNobodyIsToldOfWhatNobodyWants(t *testing.T) {
	b, log := &board{unwanted: "$aws/events/jobExecution/fw-12/failed"}, &notebook{}
	p := New(Options{Broker: b, Events: log, Account: account})
	got := b.run(t, p, func() {
		log.add(
			eventlog.Event{Type: muster.EventJobExecution, Operation: "failed", Execution: &muster.Execution{Job: "fw-12"}},
			eventlog.Event{Type: muster.EventJobExecution, Operation: "failed", Execution: &muster.Execution{Job: "fw-13"}},
		)
		p.Recorded()
	})
	if len(got) != 1 || !strings.HasPrefix(got[0], "$aws/events/jobExecution/fw-13/failed 1 {") || log.done() != 2 {
		t.Errorf("published %q and took %d, want only the event of fw-13 and both taken", got, log.done())
	}
}

func TestAllThatIsInTheLogGoesOutInOrder(t *testing.T) {
	b, log := &board{}, &notebook{}
	const n = 3*chunkMax + 7
	for i := range n {
		log.add(eventlog.Event{
			Type: muster.EventJobExecution, Operation: eventlog.Deleted,
			Execution: &muster.Execution{Job: "fw-12", Thing: muster.ThingName(fmt.Sprint(i))},
		})
	}
	p := New(Options{Broker: b, Events: log, Account: account})
	got := b.run(t, p, func() {})
	if len(got) != n || log.done() != n {
		t.Fatalf("%d events were published and %d taken, want %d", len(got), log.done(), n)
	}
	for i, line := range got {
		if want := fmt.Sprintf(`:thing/%d","status":"DELETED"}`, i); !strings.HasSuffix(line, want) {
			t.Fatalf("event %d is %s, want it to end %s", i, line, want)
		}
	}
}

func TestWhatIsNotSafeIsPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := &board{fails: 1}, &notebook{}
		p := New(Options{Broker: b, Events: log, Account: account})
		got := b.run(t, p, func() {
			log.add(eventlog.Event{ID: "1", Type: muster.EventThing, Operation: eventlog.Created, Thing: &muster.Thing{Name: "lamp"}})
			p.Recorded()
			synctest.Wait()
			if log.done() != 0 {
				t.Error("an event that is not safe was taken")
			}
			time.Sleep(2 * retryAfter)
			synctest.Wait()
		})
		if len(got) != 1 || log.done() != 1 {
			t.Errorf("published %q and took %d, want the event once and taken", got, log.done())
		}
	})
}

func TestAConnectionWaitsForNobodyWhoWatchesIt(t *testing.T) {
	b := &board{held: make(chan struct{})}
	var log strings.Builder
	p := New(Options{Broker: b, Events: &notebook{}, Account: account, Log: slog.New(slog.NewTextHandler(&log, nil))})
	const over = 10
	for range queueMax + over { // before Run: none goes out
		p.Presence(gateway.Presence{Connected: true, Client: gateway.Connect{ClientID: "lamp"}, Grant: plain{}})
	}
	got := b.run(t, p, func() { close(b.held) })
	if len(got) != queueMax {
		t.Errorf("%d events were published, want %d", len(got), queueMax)
	}
	if !strings.Contains(log.String(), fmt.Sprintf("count=%d", over)) {
		t.Errorf("the log tells nothing of %d dropped events: %q", over, log.String())
	}
}

// Where several processes could publish the log, one does at a time; connections are told of by the
// process that has them.
func TestTheLogIsPublishedWhileItIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := &board{}, &notebook{}
		ours, lost := make(chan struct{}), make(chan struct{})
		p := New(Options{Broker: b, Events: log, Account: account, While: func(ctx context.Context, run func(context.Context) error) error {
			<-ours
			during, end := context.WithCancel(ctx)
			defer end()
			go func() { <-lost; end() }()
			err := run(during)
			<-ctx.Done()
			return err
		}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		count := func(want int, when string) {
			t.Helper()
			p.Recorded()
			synctest.Wait()
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.messages) != want {
				t.Errorf("%s: %d messages, want %d", when, len(b.messages), want)
			}
		}
		event := eventlog.Event{Type: muster.EventJob, Operation: "created", Job: &muster.Job{ID: "fw"}}
		log.add(event)
		count(0, "before it is ours")
		p.Presence(gateway.Presence{Connected: true, Client: gateway.Connect{ClientID: "lamp"}, Grant: plain{}})
		count(1, "of a connection, before it is ours")
		close(ours)
		count(2, "when it is ours")
		close(lost)
		synctest.Wait()
		log.add(event)
		count(2, "when it is ours no longer")
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
