package events

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/gateway"
)

var _ Broker = (*gateway.Server)(nil)

var account = muster.Account{ID: "111122223333", Region: "eu-west-1"}

// board is a Broker that keeps what is published. It wants everything but the
// topics in unwanted.
type board struct {
	mu       sync.Mutex
	messages []gateway.Message
	unwanted string
	held     chan struct{} // when not nil, each Publish takes one
}

func (b *board) Wanted(topic string) bool { return topic != b.unwanted }

func (b *board) Publish(m gateway.Message, _ func(error)) {
	if b.held != nil {
		<-b.held
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, m)
}

// run runs p until the test has told what it has to tell, and returns what was
// published, each as "topic qos payload".
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
	b := &board{unwanted: "$aws/events/jobExecution/fw-12/failed"}
	p := New(Options{Broker: b, Account: account})
	got := b.run(t, p, func() {
		p.Happened([]engine.Happening{
			{Type: muster.EventJobExecution, Operation: "failed", Execution: &muster.Execution{Job: "fw-12"}},
			{Type: muster.EventJobExecution, Operation: "failed", Execution: &muster.Execution{Job: "fw-13"}},
		})
	})
	if len(got) != 1 || !strings.HasPrefix(got[0], "$aws/events/jobExecution/fw-13/failed 1 {") {
		t.Errorf("published %q, want only the event of fw-13", got)
	}
}

func TestWhatHappenedWaitsForRoomAndNoneIsLost(t *testing.T) {
	b := &board{}
	p := New(Options{Broker: b, Account: account})
	const n = 3 * queueMax
	got := b.run(t, p, func() {
		for i := range n {
			x := &muster.Execution{Job: "fw-12", Thing: muster.ThingName(fmt.Sprint(i))}
			p.Happened([]engine.Happening{{Type: muster.EventJobExecution, Operation: engine.Deleted, Execution: x}})
		}
	})
	if len(got) != n {
		t.Fatalf("%d events were published, want %d", len(got), n)
	}
	for i, line := range got {
		if want := fmt.Sprintf(`:thing/%d","status":"DELETED"}`, i); !strings.HasSuffix(line, want) {
			t.Fatalf("event %d is %s, want it to end %s", i, line, want)
		}
	}
}

func TestAConnectionWaitsForNobodyWhoWatchesIt(t *testing.T) {
	b := &board{held: make(chan struct{})}
	var log strings.Builder
	p := New(Options{Broker: b, Account: account, Log: slog.New(slog.NewTextHandler(&log, nil))})
	const over = 10
	for range queueMax + over { // before Run: none goes out
		p.Presence(gateway.Presence{Connected: true, Client: gateway.Connect{ClientID: "lamp"}, Authority: plain{}})
	}
	got := b.run(t, p, func() { close(b.held) })
	if len(got) != queueMax {
		t.Errorf("%d events were published, want %d", len(got), queueMax)
	}
	if !strings.Contains(log.String(), fmt.Sprintf("count=%d", over)) {
		t.Errorf("the log tells nothing of %d dropped events: %q", over, log.String())
	}
}
