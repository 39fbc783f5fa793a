package clustertest

import (
	"testing"
	"time"

	"github.com/muster-iot/muster/cluster"
)

func TestTheBusInMemory(t *testing.T) {
	n := NewNetwork(1)
	RunBus(t, func(t *testing.T) cluster.Bus {
		b := n.Join()
		t.Cleanup(b.Close)
		return b
	})
}

func TestFaults(t *testing.T) {
	n := NewNetwork(1)
	a, b := n.Join(), n.Join()
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	got := inbox(t, b, "news", "")
	publish := func(many int) (come int) {
		for range many {
			a.Publish("news", []byte("x"))
		}
		for {
			select {
			case <-got:
				come++
			case <-time.After(50 * time.Millisecond):
				return come
			}
		}
	}
	n.Set(Faults{Lose: 0.5, Delay: time.Millisecond})
	if come := publish(1000); come < 300 || come > 700 {
		t.Errorf("%d of 1000 messages came, of which a half should be lost", come)
	}
	n.Set(Faults{Repeat: 1})
	if come := publish(10); come != 20 {
		t.Errorf("10 messages came %d times, want 20", come)
	}
	n.Set(Faults{})
	n.Part(a, b, true)
	if come := publish(10); come != 0 || !a.Up() || !b.Up() {
		t.Errorf("%d messages came between nodes that are parted", come)
	}
	n.Part(a, b, false)
	n.Silence(func(subject string) bool { return subject == "news" })
	if come := publish(10); come != 0 {
		t.Errorf("%d messages came of a subject that is silenced", come)
	}
	n.Silence(nil)
	lost := 0
	b.Lost(func() { lost++ })
	b.Cut(true)
	if come := publish(10); come != 0 || b.Up() {
		t.Errorf("%d messages came to a node that is cut off, which says that it is up: %v", come, b.Up())
	}
	b.Cut(false)
	if come := publish(10); come != 10 || lost != 1 {
		t.Errorf("%d messages came after the cut, and %d losses were reported; want 10 and 1", come, lost)
	}
}
