package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/muster-iot/muster/store"
)

const (
	// ServeTime is how long a node serves and acts on its leases after it sent the last Beat
	// that succeeded. Others fence it no earlier than TermTime after that Beat was applied.
	ServeTime = store.TermTime - store.BeatTime
	// beatTimeout is how long a Beat may take before it is given up and sent again.
	beatTimeout = 2 * store.BeatTime
	// clockMax is how far the clock of the machine may be off that of the database: signatures
	// and certificates are judged by the former, deadlines by the latter.
	clockMax = time.Minute
)

// Options are the parts of a Node. Roster and Now are required.
type Options struct {
	Roster store.Roster
	Now    func() time.Time  // the clock of the machine
	Leases []string          // all that there are, the same on all nodes
	Load   func() store.Load // for people; nil is none
	// Watcher is told what becomes of the nodes. Nil is allowed.
	Watcher Watcher
	Log     *slog.Logger // nil discards
}

// Watcher is told what becomes of the nodes, by one goroutine. Its methods must not block.
type Watcher interface {
	// Heard is called with what the store says at each Beat, before anything else about it.
	Heard(roll store.Roll)
	// Serving is called with false when the store has not answered for ServeTime, so that
	// this node must end what it serves, and with true when it answers again.
	Serving(serving bool)
	// Members is called with the nodes that work, draining ones too, whenever another one does.
	Members(live []store.Member)
	// Gone is called once with each other node that commits nothing any more, be it that it
	// stopped or that it was fenced.
	Gone(node store.Incarnation)
	// Leases is called when this node begins to hold leases.
	Leases(gained []string)
	// Draining is called when this node begins to drain, or no longer does.
	Draining(draining bool)
}

// Node is this process among the others. Make it with New and keep Run running. Its other
// methods may be called by many goroutines.
type Node struct {
	o  Options
	me store.Incarnation

	mu       sync.Mutex
	roll     store.Roll
	until    time.Time        // it serves until then
	holds    map[string]*hold // the leases it acts on
	leaving  map[string]bool  // those it holds and does not act on any more
	users    map[string]int   // calls of While that have not returned from run
	changed  chan struct{}    // closed when holds change
	draining bool
	orders   []store.Drain // for the next Beat
	lapsed   bool          // until is over, and the watcher knows
	joined   chan struct{} // closed after the first Beat
	join     func()        // closes it
	clock    anchor
	figures  NodeFigures
}

// hold is a lease that is held: ctx ends with it.
type hold struct {
	ctx context.Context
	end context.CancelFunc
}

// NodeFigures are figures of a Node, for people.
type NodeFigures struct {
	RoundTrip time.Duration // of the last Beat that succeeded
	Failed    uint64        // beats that did not
	Fenced    uint64        // nodes that were fenced while this one ran
	Nodes     int           // that work
	Leases    int           // that this one holds
	Draining  bool
}

// New returns a node on o.
func New(o Options) *Node {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Load == nil {
		o.Load = func() store.Load { return store.Load{} }
	}
	if o.Watcher == nil {
		o.Watcher = blind{}
	}
	n := &Node{
		o: o, me: o.Roster.Me(), holds: map[string]*hold{}, leaving: map[string]bool{}, users: map[string]int{}, changed: make(chan struct{}), lapsed: true,
		joined: make(chan struct{}),
	}
	n.join = sync.OnceFunc(func() { close(n.joined) })
	return n
}

// blind is the Watcher of a Node without one.
type blind struct{}

func (blind) Heard(store.Roll)       {}
func (blind) Serving(bool)           {}
func (blind) Members([]store.Member) {}
func (blind) Gone(store.Incarnation) {}
func (blind) Leases([]string)        {}
func (blind) Draining(bool)          {}

// answer is what became of a Beat.
type answer struct {
	sent, got time.Time
	roll      store.Roll
	err       error
}

// Run beats until ctx ends. It fails with store.ErrFenced when other nodes have taken this
// one to be dead, and when the clock of the machine is wrong. The process must end then.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	answers := make(chan answer, 1)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer stop()
	defer n.letGo()
	next, lapse := time.NewTimer(0), time.NewTimer(ServeTime)
	defer next.Stop()
	defer lapse.Stop()
	soon := 0 // beats in a row that came earlier than BeatTime
	for {
		select {
		case <-next.C:
			beating.Go(func() { answers <- n.beat(ctx) })
		case a := <-answers:
			if ctx.Err() != nil {
				return nil
			}
			if err := n.heard(a); err != nil {
				return err
			}
			wait := max(0, store.BeatTime-a.got.Sub(a.sent))
			if a.err == nil {
				lapse.Reset(a.sent.Add(ServeTime).Sub(n.o.Now()))
				if earlier := n.situation().wait(); earlier < wait && soon < soonMax {
					wait, soon = earlier, soon+1
				} else {
					soon = 0
				}
			}
			next.Reset(wait)
		case <-lapse.C:
			n.lapse()
		case <-ctx.Done():
			return nil
		}
	}
}

// beat sends one Beat.
func (n *Node) beat(ctx context.Context) answer {
	b := n.next()
	a := answer{sent: n.o.Now()}
	bounded, end := context.WithTimeout(ctx, beatTimeout)
	defer end()
	if a.roll, a.err = n.o.Roster.Beat(bounded, b); a.err != nil {
		n.again(b.Drain)
	}
	a.got = n.o.Now()
	return a
}

// soonMax bounds the beats in a row that come earlier than others.
const soonMax = 5

// situation returns what this node knows now.
func (n *Node) situation() situation {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sees()
	s.leaving = maps.Clone(s.leaving)
	return s
}

// sees returns the same to who holds mu.
func (n *Node) sees() situation {
	return situation{me: n.me, roll: n.roll, leases: n.o.Leases, leaving: n.leaving, draining: n.draining}
}

// next returns the next Beat. What it drops is not acted on any more.
func (n *Node) next() store.Beat {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := store.Beat{Load: n.o.Load(), Draining: n.draining, Drain: n.orders}
	n.orders = nil
	if n.roll.Nodes == nil { // who else is there is not known yet
		return b
	}
	p := n.sees().next(func(all []string) {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	})
	for _, lease := range p.leave {
		n.leaving[lease] = true
		n.drop(lease)
	}
	for lease := range n.leaving {
		if n.users[lease] == 0 {
			b.Drop = append(b.Drop, lease)
		}
	}
	b.Take, b.Fence = p.take, p.fence
	return b
}

// again puts orders back that were not sent.
func (n *Node) again(orders []store.Drain) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.orders = append(orders, n.orders...)
}

// drop ends a hold, if there is one. The caller holds mu.
func (n *Node) drop(lease string) {
	if h := n.holds[lease]; h != nil {
		h.end()
		delete(n.holds, lease)
		n.tellHolds()
	}
}

// tellHolds wakes the calls of While. The caller holds mu.
func (n *Node) tellHolds() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// heard takes what became of a Beat.
func (n *Node) heard(a answer) error {
	switch {
	case errors.Is(a.err, store.ErrFenced):
		return fmt.Errorf("this node did not reach the database for %s, and the others do its work now; start it again: %w", store.TermTime, a.err)
	case a.err != nil:
		n.o.Log.Debug("no beat", "error", a.err)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.figures.Failed++
		return nil
	}
	if err := checkClock(a); err != nil {
		return err
	}
	n.adopt(a)
	return nil
}

// adopt takes a roll and tells the watcher what is new in it.
func (n *Node) adopt(a answer) {
	n.mu.Lock()
	old := n.roll
	n.roll, n.until = a.roll, a.sent.Add(ServeTime)
	n.clock = n.clock.with(a)
	wasLapsed := n.lapsed
	n.lapsed = false
	drain := n.ordered()
	turned := drain != n.draining
	n.draining = drain
	gained := n.hold()
	gone := goneSince(old, a.roll, n.me)
	for _, m := range gone {
		if !m.Expires.After(a.roll.Now) { // or else it left by itself
			n.figures.Fenced++
		}
	}
	n.figures.RoundTrip = a.got.Sub(a.sent)
	n.mu.Unlock()

	n.o.Watcher.Heard(a.roll)
	if nodes := live(a.roll); !sameNodes(live(old), nodes) {
		n.o.Log.Info("the nodes have changed", "nodes", names(nodes))
		n.o.Watcher.Members(nodes)
	}
	for _, m := range gone {
		n.o.Watcher.Gone(m.Incarnation)
	}
	if turned {
		n.o.Watcher.Draining(drain)
	}
	if len(gained) > 0 {
		n.o.Watcher.Leases(gained)
	}
	if wasLapsed {
		n.o.Watcher.Serving(true)
	}
	n.join()
}

// ordered reports whether this node is ordered to drain. The caller holds mu.
func (n *Node) ordered() bool {
	for _, m := range n.roll.Nodes {
		if m.Incarnation == n.me {
			return m.Drain
		}
	}
	return n.draining
}

// hold begins to act on the leases that the roll gives this node, ends it for others, and
// returns the former. The caller holds mu.
func (n *Node) hold() (gained []string) {
	for lease := range n.leaving {
		if n.roll.Leases[lease] != n.me {
			delete(n.leaving, lease)
		}
	}
	for lease := range n.holds {
		if n.roll.Leases[lease] != n.me {
			n.drop(lease)
		}
	}
	for lease, holder := range n.roll.Leases {
		if holder != n.me || n.leaving[lease] || n.holds[lease] != nil {
			continue
		}
		h := &hold{}
		h.ctx, h.end = context.WithCancel(context.Background())
		n.holds[lease] = h
		gained = append(gained, lease)
	}
	if len(gained) > 0 {
		n.tellHolds()
	}
	return gained
}

// goneSince returns the other nodes of the old roll that commit nothing any more.
func goneSince(old, roll store.Roll, me store.Incarnation) (gone []store.Member) {
	for _, m := range old.Nodes {
		if m.Incarnation != me && !m.Fenced && roll.Gone(m.Incarnation) {
			gone = append(gone, m)
		}
	}
	return gone
}

func sameNodes(a, b []store.Member) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Incarnation != b[i].Incarnation || a[i].Draining != b[i].Draining {
			return false
		}
	}
	return true
}

func names(nodes []store.Member) []string {
	all := make([]string, len(nodes))
	for i, m := range nodes {
		all[i] = m.Name
	}
	return all
}

// lapse ends what this node serves, as the store has not answered for too long.
func (n *Node) lapse() {
	n.mu.Lock()
	if n.lapsed || n.o.Now().Before(n.until) {
		n.mu.Unlock()
		return
	}
	n.lapsed = true
	n.mu.Unlock()
	n.letGo()
	n.o.Log.Error("the database has not answered for too long; this node serves nobody until it does", "after", ServeTime)
	n.o.Watcher.Serving(false)
}

// letGo ends all holds.
func (n *Node) letGo() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for lease := range n.holds {
		n.drop(lease)
	}
}

// Joined is closed when this node knows which others there are, and the watcher was told.
func (n *Node) Joined() <-chan struct{} { return n.joined }

// Me returns the incarnation of this process.
func (n *Node) Me() store.Incarnation { return n.me }

// Serving reports whether the store has answered lately, so that this node is not taken to be
// dead.
func (n *Node) Serving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.o.Now().Before(n.until)
}

// Draining reports whether this node was ordered to drain.
func (n *Node) Draining() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.draining
}

// Holds reports whether this node holds a lease, and may act on it.
func (n *Node) Holds(lease string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.holds[lease] != nil && n.o.Now().Before(n.until)
}

// While calls run whenever this node holds a lease, with a context that ends when it does no
// longer, until ctx ends. The lease is given up only when run has returned. While returns
// the first error of run, or nil if run returns although it could go on.
func (n *Node) While(ctx context.Context, lease string, run func(ctx context.Context) error) error {
	for {
		n.mu.Lock()
		h, changed := n.holds[lease], n.changed
		if h != nil {
			n.users[lease]++
		}
		n.mu.Unlock()
		if h == nil {
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
			continue
		}
		during, end := context.WithCancel(ctx)
		stop := context.AfterFunc(h.ctx, end)
		err := run(during)
		could := during.Err() == nil
		stop()
		end()
		n.mu.Lock()
		n.users[lease]--
		n.mu.Unlock()
		if err != nil || could || ctx.Err() != nil {
			return err
		}
	}
}

// Roll returns what the store knew at the last Beat. Nobody may change it.
func (n *Node) Roll() store.Roll {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.roll
}

// Live returns the nodes that work, draining ones too, by name.
func (n *Node) Live() []store.Member { return live(n.Roll()) }

// Sharing returns how many nodes share what devices and operators ask: those that work and do not
// drain, at least one.
func (n *Node) Sharing() int {
	count := 0
	for _, m := range n.Live() {
		if !m.Draining {
			count++
		}
	}
	return max(1, count)
}

// Gone reports whether a node commits nothing any more, as far as this one knows.
func (n *Node) Gone(node store.Incarnation) bool { return n.Roll().Gone(node) }

// Order has the node called name drain, or no longer. It reports whether there is one that works.
func (n *Node) Order(name string, stop bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range live(n.roll) {
		if m.Name == name {
			n.orders = append(n.orders, store.Drain{Name: name, Stop: stop})
			return true
		}
	}
	return false
}

// Figures returns the figures of this moment.
func (n *Node) Figures() NodeFigures {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.figures
	f.Nodes, f.Leases, f.Draining = len(live(n.roll)), len(n.holds), n.draining
	return f
}
