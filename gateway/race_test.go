package gateway

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

func (b *nodesBench) retain(n *nodeBench, topic, payload string) {
	b.t.Helper()
	stored := make(chan error, 1)
	n.Publish(Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: true}, func(err error) { stored <- err })
	if err := <-stored; err != nil {
		b.t.Fatal(err)
	}
}

// expectRetained fails the test unless all nodes that are given know the message, or none of topic if it is empty.
func (b *nodesBench) expectRetained(topic, payload string, nodes ...*nodeBench) {
	b.t.Helper()
	for _, n := range nodes {
		if m, ok := n.Retained(topic); string(m.Payload) != payload || ok != (payload != "") {
			b.t.Errorf("node %d has %q retained on %s, want %q", n.node, m.Payload, topic, payload)
		}
	}
}

func TestRetainedMessagesAreThoseOfAllNodes(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *nodesBench) {
		b.retain(b.all[0], "a", "1")
		b.expectRetained("a", "1", b.all...)
		c := b.all[1].connect(packet.V5, "lamp")
		c.Subscribe(1, "a")
		c.ExpectMessage("a", "1")
		b.retain(b.all[1], "a", "2")
		c.ExpectMessage("a", "2")
		time.Sleep(3 * time.Second)
		b.expectRetained("a", "2", b.all...)
		b.retain(b.all[0], "a", "")
		time.Sleep(3 * time.Second)
		b.expectRetained("a", "", b.all...)
		b.retain(b.all[0], "a", "3")
		late := b.start()
		time.Sleep(3 * time.Second)
		b.expectRetained("a", "3", b.all...)
		b.retain(late, "a", "4")
		time.Sleep(3 * time.Second)
		b.expectRetained("a", "4", b.all...)
	})
}

// Messages that were retained on several nodes at the same time end up the same everywhere, and as they are stored.
func TestNodesAgreeOnRetainedMessages(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			b := newNodesBench(t, 3, newLossy(0.2, 0.2, 50*time.Millisecond))
			topics := []string{"a", "b"}
			for i := range 150 {
				payload := fmt.Sprint(i)
				if rnd.IntN(4) == 0 {
					payload = ""
				}
				m := Message{Topic: topics[rnd.IntN(2)], Payload: []byte(payload), Retain: true}
				if rnd.IntN(8) == 0 {
					m.Expiry = time.Second
				}
				b.all[rnd.IntN(3)].Publish(m, nil)
				if rnd.IntN(3) > 0 {
					time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
				}
			}
			time.Sleep(10 * time.Second)
			stored := map[string]string{}
			if err := b.store.LoadRetained(t.Context(), func(m MessageRecord) error {
				stored[m.Topic] = string(m.Payload)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for _, topic := range topics {
				b.expectRetained(topic, stored[topic], b.all...)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// A node that dies after it has stored a message and before it has told the others leaves it to them.
func TestARetainedMessageOfANodeThatDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		b.retain(b.all[0], "gone", "1")
		b.bus.cutOff(b.all[1].node, true)
		b.all[1].retained.mu.Lock()
		b.all[1].retained.messages = map[string]*retainedMessage{} // as if it had not heard of it
		b.all[1].retained.mu.Unlock()
		b.all[1].Publish(Message{Topic: "a", Payload: []byte("1"), Retain: true}, nil)
		b.all[1].Publish(Message{Topic: "gone", Retain: true}, nil)
		time.Sleep(time.Second)
		b.expectRetained("a", "", b.all[0])
		b.kill(b.all[1])
		time.Sleep(10 * time.Second)
		b.expectRetained("a", "1", b.all[0])
		b.expectRetained("gone", "", b.all[0])
	})
}

func TestTheLimitOfRetainedMessagesHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		for _, n := range b.all {
			n.retained.max = 2
		}
		for i := range 3 {
			b.retain(b.all[i%2], fmt.Sprint(i), "x")
			time.Sleep(time.Second)
		}
		b.expectRetained("1", "x", b.all...)
		b.expectRetained("2", "", b.all...)
	})
}
