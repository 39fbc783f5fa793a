package clustertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-iot/muster/cluster"
)

// patience is how long a message may take.
const patience = 5 * time.Second

// RunBus tests that buses do what cluster.Bus promises. join returns the bus of one more node
// of the same deployment, which loses nothing and ends with the test.
func RunBus(t *testing.T, join func(t *testing.T) cluster.Bus) {
	for name, test := range map[string]func(t *testing.T, a, b cluster.Bus){
		"a message reaches all nodes, its sender too": reachesAll,
		"words of a subject may be left open":         wildcards,
		"the messages of one sender keep their order": keepsOrder,
		"one of a queue gets each message":            oneOfAQueue,
		"who asks gets an answer":                     asks,
		"who asks nobody is told so":                  asksNobody,
		"a subscription ends":                         ends,
		"what comes too fast is lost and said so":     tooFast,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := join(t), join(t)
			test(t, a, b)
		})
	}
}

// inbox subscribes and returns what comes, as "subject data".
func inbox(t *testing.T, b cluster.Bus, subject, queue string) <-chan string {
	t.Helper()
	got := make(chan string, 1<<16)
	t.Cleanup(b.Subscribe(subject, queue, func(m cluster.Delivered) { got <- m.Subject + " " + string(m.Data) }))
	flush(t, b)
	return got
}

func flush(t *testing.T, b cluster.Bus) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := b.Flush(ctx); err != nil {
		t.Fatalf("Flush = %v", err)
	}
}

func want(t *testing.T, got <-chan string, message string) {
	t.Helper()
	select {
	case m := <-got:
		if m != message {
			t.Fatalf("got %q, want %q", m, message)
		}
	case <-time.After(patience):
		t.Fatalf("got nothing, want %q", message)
	}
}

func wantNothing(t *testing.T, got <-chan string) {
	t.Helper()
	select {
	case m := <-got:
		t.Fatalf("got %q, want nothing", m)
	case <-time.After(100 * time.Millisecond):
	}
}

func reachesAll(t *testing.T, a, b cluster.Bus) {
	atA, atB := inbox(t, a, "news", ""), inbox(t, b, "news", "")
	data := []byte("x")
	a.Publish("news", data)
	data[0] = 'y' // it is not kept
	want(t, atA, "news x")
	want(t, atB, "news x")
	a.Publish("other", nil)
	wantNothing(t, atB)
}

func wildcards(t *testing.T, a, b cluster.Bus) {
	one, rest := inbox(t, b, "m.*.c", ""), inbox(t, b, "m.>", "")
	a.Publish("m.b.c", []byte("1"))
	want(t, one, "m.b.c 1")
	want(t, rest, "m.b.c 1")
	a.Publish("m.b", []byte("2"))
	want(t, rest, "m.b 2")
	a.Publish("m", []byte("3"))
	wantNothing(t, rest)
	wantNothing(t, one)
}

func keepsOrder(t *testing.T, a, b cluster.Bus) {
	got := inbox(t, b, "order", "")
	const many = 1000
	for i := range many {
		a.Publish("order", fmt.Append(nil, i))
	}
	for i := range many {
		want(t, got, fmt.Sprint("order ", i))
	}
}

func oneOfAQueue(t *testing.T, a, b cluster.Bus) {
	atA, atB := inbox(t, a, "work", "share"), inbox(t, b, "work", "share")
	all := inbox(t, b, "work", "")
	const many = 200
	for range many {
		a.Publish("work", nil)
	}
	for range many {
		want(t, all, "work ")
	}
	for range many {
		select {
		case <-atA:
		case <-atB:
		case <-time.After(patience):
			t.Fatal("a message reached nobody of the queue")
		}
	}
	wantNothing(t, atA)
	wantNothing(t, atB)
}

func asks(t *testing.T, a, b cluster.Bus) {
	t.Cleanup(b.Subscribe("question", "", func(m cluster.Delivered) { m.Answer(append([]byte("re: "), m.Data...)) }))
	flush(t, b)
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if data, err := a.Ask(ctx, "question", []byte("why")); err != nil || string(data) != "re: why" {
		t.Errorf("Ask = %q, %v", data, err)
	}
	t.Cleanup(b.Subscribe("silence", "", func(cluster.Delivered) {}))
	flush(t, b)
	short, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	if _, err := a.Ask(short, "silence", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ask of somebody who does not answer = %v", err)
	}
	told := make(chan bool, 1)
	t.Cleanup(b.Subscribe("told", "", func(m cluster.Delivered) { told <- m.Answer == nil }))
	flush(t, b)
	a.Publish("told", nil)
	select {
	case nobodyAsks := <-told:
		if !nobodyAsks {
			t.Error("a message that nobody asks with has an Answer")
		}
	case <-time.After(patience):
		t.Error("the message did not come")
	}
}

func asksNobody(t *testing.T, a, _ cluster.Bus) {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if _, err := a.Ask(ctx, "nobody.here", nil); !errors.Is(err, cluster.ErrNobody) {
		t.Errorf("Ask = %v, want ErrNobody", err)
	}
}

func ends(t *testing.T, a, b cluster.Bus) {
	got := make(chan string, 1)
	stop := b.Subscribe("ends", "", func(m cluster.Delivered) { got <- string(m.Data) })
	flush(t, b)
	a.Publish("ends", []byte("1"))
	want(t, got, "1")
	stop()
	stop() // does no harm
	flush(t, b)
	a.Publish("ends", []byte("2"))
	wantNothing(t, got)
}

func tooFast(t *testing.T, a, b cluster.Bus) {
	lost, block := make(chan struct{}, 1), make(chan struct{})
	t.Cleanup(b.Lost(func() {
		select {
		case lost <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(b.Subscribe("flood", "", func(cluster.Delivered) { <-block }))
	t.Cleanup(func() { close(block) })
	flush(t, b)
	data := bytes.Repeat([]byte("x"), 1024)
	for range 100_000 {
		a.Publish("flood", data)
	}
	flush(t, a)
	select {
	case <-lost:
	case <-time.After(patience):
		t.Error("messages were lost, and Lost did not say so")
	}
}
