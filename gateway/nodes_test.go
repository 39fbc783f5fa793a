package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// lossy is a bus that loses some messages, repeats some, and delays them all by something between nothing and longest.
type lossy struct {
	lost, twice float64
	longest     time.Duration

	mu   sync.Mutex // guards what follows
	rng  *rand.Rand
	subs map[string]*lossySub
	cut  map[string]bool // subjects that nothing comes through to
	down bool
}

type lossySub struct {
	mu  sync.Mutex
	got func([]byte)
}

func newLossy(lost, twice float64, longest time.Duration) *lossy {
	return &lossy{lost: lost, twice: twice, longest: longest, rng: rand.New(rand.NewPCG(1, 2)), subs: map[string]*lossySub{}, cut: map[string]bool{}}
}

// from returns the bus as one node sees it.
func (l *lossy) from(node Node) Bus { return lossyEnd{l, subjectOf(node)} }

type lossyEnd struct {
	*lossy
	own string
}

func (l lossyEnd) Publish(subject string, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sub := l.subs[subject]
	if sub == nil || l.down || l.cut[subject] || l.cut[l.own] {
		return
	}
	copies := 1
	switch x := l.rng.Float64(); {
	case x < l.lost:
		copies = 0
	case x < l.lost+l.twice:
		copies = 2
	}
	for range copies {
		own := slices.Clone(data)
		time.AfterFunc(time.Duration(l.rng.Int64N(int64(l.longest)+1)), func() {
			sub.mu.Lock()
			defer sub.mu.Unlock()
			if sub.got != nil {
				sub.got(own)
			}
		})
	}
}

func (l lossyEnd) Subscribe(subject string, got func([]byte)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sub := &lossySub{got: got}
	l.subs[subject] = sub
	return func() {
		sub.mu.Lock()
		defer sub.mu.Unlock()
		sub.got = nil
	}
}

func (l *lossy) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *lossy) cutOff(node Node, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut[subjectOf(node)] = cut
}

// mortal is the store as one node sees it, as long as it lives.
type mortal struct {
	SharedSessions
	mu   sync.Mutex
	dead bool
}

var errDead = errors.New("this node is dead")

func (m *mortal) alive() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	return nil
}

func (m *mortal) Claim(ctx context.Context, by Node, claims []Claim) ([]Claimed, error) {
	time.Sleep(time.Millisecond)
	if err := m.alive(); err != nil {
		return nil, err
	}
	return m.SharedSessions.Claim(ctx, by, claims)
}

func (m *mortal) WriteAs(ctx context.Context, by Node, changes []Change) (Written, error) {
	time.Sleep(time.Millisecond)
	if err := m.alive(); err != nil {
		return Written{}, err
	}
	return m.SharedSessions.WriteAs(ctx, by, changes)
}

func (m *mortal) Holds(ctx context.Context, clients []string) ([]Hold, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	return m.SharedSessions.Holds(ctx, clients)
}

func (m *mortal) EachHold(ctx context.Context, each func(string, Hold) error) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.SharedSessions.EachHold(ctx, each)
}

// nodesBench is several servers on one store. Run it in a bubble.
type nodesBench struct {
	t     *testing.T
	bus   *lossy
	store SharedSessions
	all   []*nodeBench

	mu   sync.Mutex // guards what follows
	live map[Node]*nodeBench
}

type nodeBench struct {
	*bench
	node  Node
	store *mortal

	mu    sync.Mutex // guards what follows
	again []string
}

func newNodesBench(t *testing.T, n int, bus *lossy) *nodesBench {
	b := &nodesBench{t: t, bus: bus, store: NewMemorySessions(), live: map[Node]*nodeBench{}}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	for range n {
		b.start()
	}
	go every(ctx, time.Second, b.beat)
	time.Sleep(3 * time.Second) // until all know each other
	return b
}

// start starts one more node.
func (b *nodesBench) start() *nodeBench {
	n := &nodeBench{node: Node(len(b.all) + 1), store: &mortal{SharedSessions: b.store}}
	n.bench = newBench(b.t, Options{Log: quiet, Reserved: echo{}, Sessions: n.store, Nodes: &NodeOptions{
		Node: n.node, Bus: b.bus.from(n.node), Own: "$aws/things/",
		Outlives: func(filter string) bool { return strings.HasSuffix(filter, "/notify-next") },
		Again: func(filters []string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.again = append(n.again, filters...)
		},
	}})
	b.mu.Lock()
	b.all = append(b.all, n)
	b.live[n.node] = n
	b.mu.Unlock()
	b.beat()
	return n
}

// beat tells all live nodes who is there. The shards are divided among them.
func (b *nodesBench) beat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var nodes []Node
	for node := range b.live {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	newest := Node(len(b.all))
	gone := func(node Node) bool { return node <= newest && !slices.Contains(nodes, node) }
	for i, node := range nodes {
		if n := b.live[node]; n.store.alive() == nil {
			n.Members(nodes, gone, func(shard int) bool { return shard%len(nodes) == i })
		}
	}
}

// kill ends a node without a word. The others notice after a while.
func (b *nodesBench) kill(n *nodeBench) {
	n.store.mu.Lock()
	n.store.dead = true
	n.store.mu.Unlock()
	b.bus.cutOff(n.node, true)
	time.AfterFunc(6*time.Second, func() { b.gone(n) })
}

func (b *nodesBench) gone(n *nodeBench) {
	b.mu.Lock()
	delete(b.live, n.node)
	b.mu.Unlock()
}

func (n *nodeBench) heardAgain() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.again)
}

// inBubble runs a test with n nodes on a good bus and on a bad one.
func inBubble(t *testing.T, n int, test func(t *testing.T, b *nodesBench)) {
	for name, bus := range map[string]func() *lossy{
		"good bus": func() *lossy { return newLossy(0, 0, 100*time.Microsecond) },
		"bad bus":  func() *lossy { return newLossy(0.2, 0.2, 100*time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newNodesBench(t, n, bus())) })
		})
	}
}

func TestMessagesReachSubscribersOfOtherNodes(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, b *nodesBench) {
		exact, wild, all := b.all[0].connect(packet.V311, "exact"), b.all[1].connect(packet.V5, "wild"), b.all[2].connect(packet.V5, "all")
		exact.Subscribe(1, "a/b c/*/.>")
		wild.Subscribe(1, "a/+/#", "+/b c/#")
		all.Subscribe(0, "#")
		sender := b.all[1].connect(packet.V5, "sender")
		for i := range 20 {
			text := fmt.Sprint(i)
			sender.Publish("a/b c/*/.>", text)
			exact.ExpectMessage("a/b c/*/.>", text)
			wild.ExpectMessage("a/b c/*/.>", text)
			if m := all.ExpectMessage("a/b c/*/.>", text); m.QoS != 0 {
				t.Errorf("QoS %d to a subscriber at QoS 0", m.QoS)
			}
		}
		sender.Publish("//é", "1")
		all.ExpectMessage("//é", "1")
		exact.ExpectNothing()
		wild.ExpectNothing()
		all.ExpectNothing()
	})
}

func TestMessagesOfOneClientKeepTheirOrder(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, b *nodesBench) {
		var receivers []*mqtttest.Client
		for i, n := range b.all {
			c := n.resume(packet.V5, fmt.Sprint("receiver", i), false)
			c.Subscribe(1, "a/#")
			receivers = append(receivers, c)
		}
		sender := b.all[0].connect(packet.V5, "sender")
		for i := range 300 {
			sender.Send(&packet.Publish{Topic: "a/b", Payload: fmt.Append(nil, i), QoS: 1, ID: uint16(i%50 + 1)})
			if i%50 == 49 {
				for j := range 50 {
					sender.Expect(&packet.Puback{ID: uint16(j + 1)})
				}
			}
		}
		for _, c := range receivers {
			for i := range 300 {
				c.ExpectMessage("a/b", fmt.Sprint(i))
			}
			c.ExpectNothing()
		}
	})
}

func TestQoS0ReachesOtherNodes(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *nodesBench) {
		c := b.all[0].connect(packet.V5, "lamp")
		c.Subscribe(1, "a")
		b.all[1].Publish(Message{Topic: "a", Payload: []byte("x"), Expiry: time.Minute}, nil)
		if m := c.ExpectMessage("a", "x"); m.QoS != 0 || !m.HasExpiry || m.Expiry > 60 || m.Expiry < 59 {
			t.Errorf("QoS %d, expiry %d", m.QoS, m.Expiry)
		}
		b.all[1].connect(packet.V5, "other").Publish("b", "nobody")
		c.ExpectNothing()
	})
}

func TestASubscriptionCountsFromItsAcknowledgement(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *nodesBench) {
		sender := b.all[1].connect(packet.V5, "sender")
		for i := range 50 {
			topic := fmt.Sprint("a/", i)
			c := b.all[0].connect(packet.V5, fmt.Sprint("c", i))
			c.Subscribe(1, topic)
			sender.Publish(topic, "x")
			c.ExpectMessage(topic, "x")
			c.Send(&packet.Unsubscribe{ID: 1, Filters: []string{topic}})
			c.Next()
			sender.Publish(topic, "y")
			c.ExpectNothing()
		}
	})
}

// While the bus is down a QoS 1 message waits, since somebody elsewhere may be subscribed; what a SUBACK promises holds.
func TestNothingAcknowledgedIsLostWhileTheBusIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		b.bus.setDown(true)
		c := b.all[0].connect(packet.V5, "lamp")
		began := time.Now()
		c.Subscribe(1, "a")
		if took := time.Since(began); took < staleTime || took > forceTime+time.Second {
			t.Errorf("SUBACK came after %v", took)
		}
		sender := b.all[1].connect(packet.V5, "sender")
		sender.Send(&packet.Publish{Topic: "a", Payload: []byte("x"), QoS: 1, ID: 1})
		time.Sleep(5 * time.Second)
		if sender.Heard() {
			t.Error("acknowledged although it is not known whether the other node has taken it")
		}
		b.bus.setDown(false)
		sender.Expect(&packet.Puback{ID: 1})
		c.ExpectMessage("a", "x")
		b.bus.setDown(true)
		time.Sleep(staleTime + time.Second)
		sender.Send(&packet.Publish{Topic: "b", QoS: 1, ID: 2})
		time.Sleep(answerTime + time.Second)
		sender.ExpectDisconnect(packet.UnspecifiedError)
	})
}

func TestASessionMovesWithItsClient(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *nodesBench) {
		both := []*nodeBench{b.all[0], b.all[1]}
		sender := b.all[0].connect(packet.V5, "sender")
		old := b.all[0].resume(packet.V5, "lamp", false)
		old.Subscribe(1, "a", "$aws/things/lamp/jobs/notify")
		for i := range 20 {
			text := fmt.Sprint(i)
			sender.Publish("a", text)
			old.ExpectUnacknowledged("a", text)
			here := both[(i+1)%2]
			c := here.resume(packet.V5, "lamp", true)
			c.ExpectMessage("a", text)
			old.ExpectDisconnect(packet.SessionTakenOver)
			if got := here.heardAgain(); len(got) == 0 || got[0] != "$aws/things/lamp/jobs/notify" {
				t.Errorf("told again: %q", got)
			}
			old = c
		}
		old.ExpectNothing()
	})
}

// The devices of a node that dies must be served by another one at once.
func TestDevicesSubscribeWhileANodeIsSilent(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, b *nodesBench) {
		b.kill(b.all[2])
		c := b.all[0].connect(packet.V311, "lamp")
		began := time.Now()
		c.Subscribe(1, "$aws/things/lamp/jobs/notify-next", "$aws/things/lamp/jobs/start-next/+", "$aws/things/lamp/jobs/+/update/+")
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("a device waits %v for its SUBACK", took)
		}
		began = time.Now()
		c.Subscribe(1, "$aws/things/+/jobs/notify-next")
		if took := time.Since(began); took < time.Second {
			t.Errorf("fleet software waits %v, so the node that is silent cannot know of its subscription", took)
		}
	})
}

func TestAServerStopsWhileAnotherNodeIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newNodesBench(t, 2, newLossy(0, 0, time.Millisecond))
		b.all[1].connect(packet.V5, "lamp").Subscribe(1, "a")
		sender := b.all[0].connect(packet.V5, "sender")
		b.bus.setDown(true)
		for i := range 3 {
			sender.Send(&packet.Publish{Topic: "a", QoS: 1, ID: uint16(i + 1)})
		}
		time.Sleep(time.Second)
		began := time.Now()
		b.all[0].stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		b.gone(b.all[0])
	})
}
