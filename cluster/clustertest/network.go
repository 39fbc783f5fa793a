// Package clustertest has a cluster.Bus in memory, whose faults tests choose, and what every
// cluster.Bus must do, as tests.
package clustertest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster/cluster"
)

// Faults are what a Network does to each message on its way to each subscription.
type Faults struct {
	Lose   float64       // the share of messages that are lost, without a word
	Repeat float64       // the share of those that come twice
	Delay  time.Duration // they come up to that late, and so in another order
}

// Network connects the buses of several nodes. Its choices follow from a seed.
type Network struct {
	mu       sync.Mutex
	random   *rand.Rand
	faults   Faults
	buses    []*Bus
	parted   map[[2]*Bus]bool
	silenced func(subject string) bool
}

// NewNetwork returns a network without faults.
func NewNetwork(seed uint64) *Network {
	return &Network{random: rand.New(rand.NewPCG(seed, 17)), parted: map[[2]*Bus]bool{}}
}

// Set changes the faults from now on.
func (n *Network) Set(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
}

// Silence loses the messages whose subjects drop returns true for. Nil loses none.
func (n *Network) Silence(drop func(subject string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silenced = drop
}

// Part loses what a and b send to each other, or ends that. Both say that they are up.
func (n *Network) Part(a, b *Bus, parted bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parted[[2]*Bus{a, b}], n.parted[[2]*Bus{b, a}] = parted, parted
}

// Join returns the bus of one more node. Close it.
func (n *Network) Join() *Bus {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := &Bus{network: n}
	n.buses = append(n.buses, b)
	return b
}

// Bus is a cluster.Bus.
type Bus struct {
	network *Network

	// Guarded by network.mu:
	down          bool
	subscriptions []*subscription
	lost          []*func()
}

// waitingMax bounds the messages that wait for one subscription.
const waitingMax = 4096

type subscription struct {
	bus     *Bus
	subject []string
	queue   string
	waiting chan cluster.Delivered
	ended   chan struct{}
	end     func()
}

// Close ends the subscriptions of the bus and takes it off the network.
func (b *Bus) Close() {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	for _, s := range b.subscriptions {
		s.end()
	}
	b.subscriptions, b.down = nil, true
	b.network.buses = slices.DeleteFunc(b.network.buses, func(o *Bus) bool { return o == b })
}

// Cut takes the bus down, as when no server can be reached, or brings it back.
func (b *Bus) Cut(down bool) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	if b.down && !down {
		defer b.tellLost()
	}
	b.down = down
}

// tellLost is called with the lock of the network.
func (b *Bus) tellLost() {
	for _, tell := range b.lost {
		(*tell)()
	}
}

// Publish implements cluster.Bus.
func (b *Bus) Publish(subject string, data []byte) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	b.network.send(b, cluster.Delivered{Subject: subject, Data: bytes.Clone(data)})
}

// send brings a message on its way and returns how many it goes to. The network is locked.
func (n *Network) send(from *Bus, m cluster.Delivered) (to int) {
	if from.down {
		return 0
	}
	members := map[string][]*subscription{} // by pattern and queue
	for _, b := range n.buses {
		if b.down || n.parted[[2]*Bus{from, b}] {
			continue
		}
		for _, s := range b.subscriptions {
			switch {
			case !matches(s.subject, strings.Split(m.Subject, ".")):
			case s.queue != "":
				members[s.queue] = append(members[s.queue], s)
			default:
				n.carry(s, m)
				to++
			}
		}
	}
	for _, some := range members {
		n.carry(some[n.random.IntN(len(some))], m)
		to++
	}
	return to
}

// carry delivers a message to a subscription, or does what the faults say.
func (n *Network) carry(s *subscription, m cluster.Delivered) {
	if n.random.Float64() < n.faults.Lose || n.silenced != nil && n.silenced(m.Subject) {
		return
	}
	times := 1
	if n.random.Float64() < n.faults.Repeat {
		times = 2
	}
	for range times {
		if n.faults.Delay == 0 {
			s.put(m)
			continue
		}
		time.AfterFunc(time.Duration(n.random.Int64N(int64(n.faults.Delay))), func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			s.put(m)
		})
	}
}

// put is called with the lock of the network.
func (s *subscription) put(m cluster.Delivered) {
	select {
	case s.waiting <- m:
	default:
		s.bus.tellLost()
	}
}

func matches(pattern, subject []string) bool {
	for i, word := range pattern {
		switch {
		case word == ">":
			return len(subject) > i
		case i >= len(subject) || word != "*" && word != subject[i]:
			return false
		}
	}
	return len(pattern) == len(subject)
}

// Subscribe implements cluster.Bus.
func (b *Bus) Subscribe(subject, queue string, got func(cluster.Delivered)) (stop func()) {
	s := &subscription{
		bus: b, subject: strings.Split(subject, "."), queue: queue,
		waiting: make(chan cluster.Delivered, waitingMax), ended: make(chan struct{}),
	}
	s.end = sync.OnceFunc(func() { close(s.ended) })
	go func() {
		for {
			select {
			case m := <-s.waiting:
				got(m)
			case <-s.ended:
				return
			}
		}
	}()
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	b.subscriptions = append(b.subscriptions, s)
	return func() {
		s.end()
		b.network.mu.Lock()
		defer b.network.mu.Unlock()
		b.subscriptions = slices.DeleteFunc(b.subscriptions, func(o *subscription) bool { return o == s })
	}
}

// Ask implements cluster.Bus.
func (b *Bus) Ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	answered := make(chan []byte, 1)
	m := cluster.Delivered{Subject: subject, Data: bytes.Clone(data), Answer: func(data []byte) {
		select {
		case answered <- bytes.Clone(data):
		default: // only the first counts
		}
	}}
	b.network.mu.Lock()
	down, to := b.down, b.network.send(b, m)
	b.network.mu.Unlock()
	switch {
	case down:
		return nil, cluster.ErrDown
	case to == 0:
		return nil, cluster.ErrNobody
	}
	select {
	case data := <-answered:
		return data, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Flush implements cluster.Bus.
func (b *Bus) Flush(context.Context) error {
	if !b.Up() {
		return cluster.ErrDown
	}
	return nil
}

// Up implements cluster.Bus.
func (b *Bus) Up() bool {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	return !b.down
}

// Lost implements cluster.Bus. tell must not use the network.
func (b *Bus) Lost(tell func()) (stop func()) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	b.lost = append(b.lost, &tell)
	return func() {
		b.network.mu.Lock()
		defer b.network.mu.Unlock()
		b.lost = slices.DeleteFunc(b.lost, func(o *func()) bool { return o == &tell })
	}
}
