package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// state returns the content of a store as text.
func state(t *testing.T, s SessionStore) string {
	t.Helper()
	found := map[string]string{}
	err := s.Load(t.Context(), func(r StoredSession) error { found["session "+r.Client] = fmt.Sprint(r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	err = s.LoadRetained(t.Context(), func(m MessageRecord) error { found["retained "+m.Topic] = fmt.Sprint(m); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(found)
}

// somePast returns random changes of few clients and topics.
func somePast(rng *rand.Rand, n int) []Change {
	changes := make([]Change, n)
	for i := range changes {
		name := fmt.Sprint(rng.IntN(3))
		changes[i] = Change{Kind: ChangeKind(1 + rng.IntN(6)), Client: name, Number: uint64(rng.IntN(4))}
		switch changes[i].Kind {
		case PutSession:
			changes[i].Session = SessionRecord{Principal: fmt.Sprint(i)}
		case AddMessage:
			changes[i].Number = uint64(10 + i) // a number is given once
			changes[i].Message = MessageRecord{Topic: "t", Payload: []byte(fmt.Sprint(i))}
		case DropMessage:
			changes[i].Number = uint64(10 + rng.IntN(i+1))
		case PutRetained, DropRetained:
			changes[i].Client = ""
			changes[i].Message = MessageRecord{Topic: name, Payload: []byte(fmt.Sprint(i))}
		}
	}
	return changes
}

// Whatever the store held and whatever is compacted, the outcome is the same.
func TestCompactedChangesComeToTheSame(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		past := somePast(rng, rng.IntN(20))
		changes := somePast(rng, 1+rng.IntN(60))
		plain, compacted := NewMemorySessions(), NewMemorySessions()
		for _, s := range []SessionStore{plain, compacted} {
			if err := s.Write(t.Context(), past); err != nil {
				t.Fatal(err)
			}
		}
		if err := plain.Write(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		if err := compacted.Write(t.Context(), compact(append([]Change(nil), changes...))); err != nil {
			t.Fatal(err)
		}
		if got, want := state(t, compacted), state(t, plain); got != want {
			t.Fatalf("seed %d: compacted\n got %s\nwant %s\nof %v", seed, got, want, changes)
		}
	}
}

// refusing is a store whose writes fail.
type refusing struct{ *MemorySessions }

func (refusing) Write(context.Context, []Change) error { return fmt.Errorf("the disk is full") }

// While the store takes nothing, clients may come and go as often as they like.
func TestWhatAwaitsAFullStoreIsBounded(t *testing.T) {
	j := newJournal(refusing{NewMemorySessions()}, quiet)
	for i := range 20 * compactAbove {
		client := fmt.Sprint(i % 100)
		j.add(Change{Kind: PutSession, Client: client})
		j.add(Change{Kind: AddMessage, Client: client, Number: uint64(i)})
		j.add(Change{Kind: DropMessage, Client: client, Number: uint64(i)})
		j.add(Change{Kind: PutRetained, Message: MessageRecord{Topic: client}})
		if len(j.pending) > compactAbove {
			t.Fatalf("%d changes wait after %d rounds of 100 clients", len(j.pending), i)
		}
	}
}

// Without room, messages of clients are delivered and not kept; the service's own
// are, and what is retained already can be replaced.
func TestWithoutRoomMessagesOfClientsAreNotKept(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		var full atomic.Bool
		b := newBench(t, Options{Room: func() bool { return !full.Load() }})
		c := b.resume(v, "lamp", false)
		c.Subscribe(1, "a")
		c.Subscribe(1, "$aws/things/lamp/jobs/notify")
		b.leave(c)
		here := b.connect(v, "here")
		here.Subscribe(1, "a")
		pub := b.connect(v, "pub")
		retain(pub, "old", "x", 0)
		full.Store(true)
		pub.Publish("a", "missed")
		here.ExpectMessage("a", "missed")
		b.Publish(Message{Topic: "$aws/things/lamp/jobs/notify", Payload: []byte("news"), QoS: 1}, nil)
		retain(pub, "old", "y", 0)
		retain(pub, "new", "z", 0)
		if got := b.Stats().DroppedQueue; got != 1 {
			t.Errorf("%d drops counted, want 1", got)
		}
		full.Store(false)
		pub.Publish("a", "kept")
		here.ExpectMessage("a", "kept")
		c = b.resume(v, "lamp", true)
		c.ExpectMessage("$aws/things/lamp/jobs/notify", "news")
		c.ExpectMessage("a", "kept")
		c.ExpectNothing()
		b.expectRetained("old", "y")
		b.expectRetained("new", "")
	})
}
