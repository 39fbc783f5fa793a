package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bus carries messages between the nodes of one deployment. It may lose, repeat, delay and reorder them. Its methods may be
// called by many goroutines.
type Bus interface {
	// Publish sends data to the subscribers of subject on all nodes. It does not wait for them.
	Publish(subject string, data []byte)
	// Subscribe calls got with each message on subject, one after the other; data is valid during the call only. Calling
	// stop ends it.
	Subscribe(subject string, got func(data []byte)) (stop func())
}

// NodeOptions are the parts of a Server that is one of several nodes, which serve the same clients from the same SharedSessions. Node
// and Bus are required.
type NodeOptions struct {
	Node Node // of this process; no other one ever has it
	Bus  Bus
	// Own is what the topics begin with whose messages are published on every node by itself, and so are not carried to
	// others; "" for none. What a subscriber to them may have missed because its session moved is for Again.
	Own string
	// Outlives reports whether a filter below Own with wildcards may be for messages that must outlive the node which publishes
	// them (Kept). Other nodes are told of such ones only. It must be quick; nil is true of all.
	Outlives func(filter string) bool
	// Again is called with filters below Own of a session that has come here from another node: what is published on them may have
	// been missed. It must be quick; nil is allowed.
	Again func(filters []string)
}

// SessionShards is how many parts the clients are divided into, to share the sessions of a node that is gone among the others.
const SessionShards = 32

// ShardOf returns the part that a client is in, 0 to SessionShards-1. It depends on nothing else.
func ShardOf(client string) int {
	h := uint32(2166136261)
	for i := range len(client) {
		h = (h ^ uint32(client[i])) * 16777619
	}
	return int(h % SessionShards)
}

// Times between nodes.
const (
	peerBeat   = 500 * time.Millisecond // at least so often a node hears of another
	staleTime  = 2500 * time.Millisecond
	forceTime  = 5 * time.Second         // how long a SUBACK waits for a node that does not answer
	answerTime = 20 * time.Second        // how long a PUBACK does
	epochTime  = 5 * time.Second         // how often a node asks whether it still has the sessions of its clients
	adoptTime  = time.Second             // how often it looks for sessions of nodes that are gone
	idleScan   = time.Minute             // how often when it knows of none
	ghostTime  = forceTime + time.Second // how long after a session has moved it may not be known everywhere
	freshTime  = 15 * time.Second        // how long a session remembers what it got since it came
	lastFrames = time.Second             // for what others have not heard yet when a server ends
)

// Bounds of what waits for a node that does not answer, in bytes: above the first, messages of QoS 0 are dropped, above the second no
// message is taken.
const (
	peerBytesQoS0 = 8 << 20
	peerBytesMax  = 64 << 20
)

// membersMax bounds the subscriptions to one shared filter that a node tells others about; more make no difference to how often it is chosen.
const membersMax = 16

var (
	errSilent = errors.New("gateway: another node has not taken the message in time")
	errFlood  = errors.New("gateway: too much waits for another node")
)

// nodes is what a Server has in addition when it is one of several.
//
// Its locks are leaves below those of sessions, in this order: mu, then that of one peer, then the wheel and the journal.
type nodes struct {
	s      *Server
	o      NodeOptions
	store  SharedSessions
	began  time.Time
	remote *index // of subscriptions of other nodes; their sessions stand for peers
	claims claimer
	origin atomic.Uint64 // number of the last message of QoS 1 published here
	asked  atomic.Uint64 // number of the last order

	stopping atomic.Bool   // nobody is to wait for other nodes any more
	ended    chan struct{} // closed when the server ends
	talking  sync.WaitGroup

	mu      sync.Mutex      // guards what follows
	gone    func(Node) bool // nil before the first call of Members
	mine    func(shard int) bool
	peers   []*peer
	filters map[string]*wish // that sessions here are subscribed to, and that others are told of
	orders  map[uint64]chan bool
	scan    chan struct{} // 1 slot: sessions of others may have to be adopted
	reload  chan struct{} // 1 slot: retained messages may have been missed
	turn    chan struct{} // closed when the last that was to be done in turn is done; nil before the first
	clean   bool          // no session is held by a node that is gone, as far as was looked
}

func newNodes(s *Server, o NodeOptions, store SharedSessions) *nodes {
	n := &nodes{
		s: s, o: o, store: store, began: time.Now(),
		remote: newIndex(s.o.Limits.ParentWildcard), ended: make(chan struct{}),
		filters: map[string]*wish{}, orders: map[uint64]chan bool{},
		scan: make(chan struct{}, 1), reload: make(chan struct{}, 1),
	}
	if n.o.Again == nil {
		n.o.Again = func([]string) {}
	}
	n.claims.init(n)
	return n
}

// joinNodes makes s one of several servers.
func (s *Server) joinNodes(o NodeOptions, store SharedSessions) {
	s.nodes = newNodes(s, o, store)
	s.journal.nodes, s.journal.releases = s.nodes, map[string]*commit{}
	s.retained.nodes, s.retained.races = s.nodes, map[string]*race{}
}

// clock is the time of this process, for what others echo.
func (n *nodes) clock() time.Duration { return time.Since(n.began) }

func subjectOf(node Node) string { return fmt.Sprintf("gateway.%d", node) }

// Members tells a server that is one of several which nodes there are, this one among them. Of any other, gone reports whether it will write
// nothing to the store any more; it must be false for one that may have come since. mine says of which shards (ShardOf) this node takes over
// the sessions of nodes that are gone. Call it before clients are served, and then about every second. It is quick.
func (s *Server) Members(nodes []Node, gone func(Node) bool, mine func(shard int) bool) {
	n := s.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.ended:
		return
	default:
	}
	first := n.gone == nil
	n.gone, n.mine = gone, mine
	for _, node := range nodes {
		if node != n.o.Node && !gone(node) && n.peer(node) == nil {
			n.meet(node)
		}
	}
	for _, p := range n.peers {
		if gone(p.node) && p.leave() {
			n.clean = false
		}
	}
	if first || !n.clean {
		signal(n.scan)
	}
}

// meet makes a peer of a node that was not known. It is told all that those known before were told.
func (n *nodes) meet(node Node) {
	p := newPeer(n, node)
	for _, w := range n.filters {
		p.send(w.frame())
	}
	n.peers = append(n.peers, p)
	n.talking.Go(p.run)
}

// peer returns the peer of a node, nil if there is none.
func (n *nodes) peer(node Node) *peer {
	if i := slices.IndexFunc(n.peers, func(p *peer) bool { return p.node == node }); i >= 0 {
		return n.peers[i]
	}
	return nil
}

// peerOf is peer for callers without the lock.
func (n *nodes) peerOf(node Node) *peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peer(node)
}

// others returns all peers.
func (n *nodes) others() []*peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.peers)
}

// tell sends a frame to all peers.
func (n *nodes) tell(frame []byte) {
	for _, p := range n.peers {
		p.send(frame)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (n *nodes) run(ctx context.Context) {
	stop := n.o.Bus.Subscribe(subjectOf(n.o.Node), n.take)
	defer stop()
	var working sync.WaitGroup
	working.Go(func() { n.claims.run(ctx) })
	working.Go(func() { n.checkEpochs(ctx) })
	working.Go(func() { n.adoptAll(ctx) })
	working.Go(func() { n.reloadRetained(ctx) })
	<-ctx.Done()
	working.Wait()
}

// hurry ends all waiting for other nodes because the server stops.
func (n *nodes) hurry() {
	n.stopping.Store(true)
	for _, p := range n.others() {
		p.giveUp(errStopped, time.Time{})
	}
}

// end waits a moment for others to hear what they have not heard yet, and ends the conversation with them.
func (n *nodes) end() {
	for until := time.Now().Add(lastFrames); time.Now().Before(until) && slices.ContainsFunc(n.others(), (*peer).behind); {
		time.Sleep(lastFrames / 20)
	}
	n.mu.Lock()
	close(n.ended)
	n.mu.Unlock()
	n.talking.Wait()
}

// every calls fn at once and then at intervals, until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) {
	beat := time.NewTicker(interval)
	defer beat.Stop()
	for {
		fn()
		select {
		case <-beat.C:
		case <-ctx.Done():
			return
		}
	}
}
