package cluster

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

const (
	// digestMax bounds a digest, in bytes. What a commit leaves beyond it goes into another one.
	digestMax = 60 << 10
	// outgoingMax bounds the digests that wait for the bus. More are lost, which the others find
	// out by the sequence.
	outgoingMax = 256
	// waitingMax bounds the queues that wait to be read. If there are more, all are read.
	waitingMax = 16_384
	// quietTime is the time between two digests that only repeat the sequence.
	quietTime = time.Second
	// silenceMax is how long a node that works may say nothing before it is taken to be cut
	// off.
	silenceMax = 3 * time.Second
	// lookTime is the time between two looks into the store while news may be missing: so
	// nothing is learned more than two seconds late.
	lookTime = 1500 * time.Millisecond
	// pauseTime is the least time between two such looks, and retryTime that after one which
	// failed.
	pauseTime = 100 * time.Millisecond
	retryTime = time.Second
)

// digestSubject is where digests are published.
const digestSubject = "digest"

// Receiver is for whom the news of other nodes are. Wants, Rights, Recorded and WorkDue must be
// quick; CatchUp and Missed are called by one goroutine at a time.
type Receiver interface {
	// Wants reports whether somebody here would be told of a queue.
	Wants(QueueNews) bool
	// CatchUp reads queues and tells those who want to know.
	CatchUp(ctx context.Context, queues []QueueNews) error
	// Rights says that rights have changed.
	Rights(RightsNews)
	// Recorded says that there are more events.
	Recorded()
	// WorkDue says that there is background work from an instant on.
	WorkDue(wake muster.Instant)
	// Missed says that any of this may have been missed: everything that is held in memory is to be
	// looked up again.
	Missed(ctx context.Context) error
}

// NewsOptions are the parts of News. All are required but Log.
type NewsOptions struct {
	Bus  Bus
	Me   store.Incarnation
	Live func() []store.Member // the nodes that work
	// Receiver gets what other nodes say.
	Receiver Receiver
	Now      func() time.Time
	Log      *slog.Logger // nil discards
}

// News tells the other nodes of the commits of this one, and this one of theirs. It is told of
// a commit by Queues, Rights and Recorded, and then Committed, of one commit at a time. Make it with
// NewNews and keep Run running.
type News struct {
	o NewsOptions

	mu       sync.Mutex // guards what is to be sent
	next     Digest     // of the commit that it is being told of
	size     int        // of next, about
	sequence uint64
	outgoing chan []byte

	received sync.Mutex // guards what comes
	peers    map[store.Incarnation]*peer
	waiting  map[store.QueueKey]QueueNews
	arrived  chan struct{} // holds a token when waiting may not be empty
	missed   chan struct{} // holds a token when something may have been missed
	deaf     bool          // news are missing now
	figures  NewsFigures
}

// peer is another node as it is heard of.
type peer struct {
	sequence uint64
	heard    bool // at all
	at       time.Time
}

// NewsFigures are figures of News, for people.
type NewsFigures struct {
	Up       bool   // the bus is reached
	Deaf     bool   // or news of a node do not come, so that the store is looked into all the time
	Sent     uint64 // digests that say something
	Received uint64
	Lost     uint64 // digests of others, by their sequence
	Missed   uint64 // times that everything was looked up again
}

// NewNews returns News on o.
func NewNews(o NewsOptions) *News {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &News{
		o: o, next: Digest{Wake: Never}, outgoing: make(chan []byte, outgoingMax),
		peers: map[store.Incarnation]*peer{}, waiting: map[store.QueueKey]QueueNews{},
		arrived: make(chan struct{}, 1), missed: make(chan struct{}, 1),
	}
}

// Queue says that the commit has changed a queue.
func (n *News) Queue(q QueueNews) {
	n.mu.Lock()
	defer n.mu.Unlock()
	size := sizeOf(q)
	n.fit(size)
	n.next.Queues = append(n.next.Queues, q)
	n.size += size
}

// Rights says whose rights the commit may have changed.
func (n *News) Rights(r RightsNews) {
	size := 0
	for _, id := range r.Certificates {
		size += len(id) + 1
	}
	for _, thing := range r.Things {
		size += len(thing) + 1
	}
	if size > digestMax/2 {
		r, size = RightsNews{All: true}, 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fit(size)
	all := &n.next.Rights
	all.All = all.All || r.All
	all.Certificates = append(all.Certificates, r.Certificates...)
	all.Things = append(all.Things, r.Things...)
	n.size += size
}

// Recorded says that the commit has recorded events.
func (n *News) Recorded() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next.Recorded = true
}

// Committed says that all of the commit was told, and from which instant on it has left background
// work: zero is at once, Never that it has left none.
func (n *News) Committed(wake muster.Instant) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next.Wake = wake
	n.send()
}

// fit sends what there is so far if size more bytes do not fit beside it. The caller holds mu.
func (n *News) fit(size int) {
	if n.size+size > digestMax {
		n.send()
	}
}

// send has the next digest sent, if it says anything, and begins another one. The caller
// holds mu.
func (n *News) send() {
	if !n.next.empty() {
		n.sequence++
		n.put(n.next)
	}
	n.next, n.size = Digest{Queues: n.next.Queues[:0], Wake: Never}, 0
}

// put gives a digest to the goroutine that sends. The caller holds mu.
func (n *News) put(d Digest) {
	d.From, d.Sequence = n.o.Me, n.sequence
	select {
	case n.outgoing <- d.append(nil):
	default:
	}
}

// Miss says that this node may have missed news.
func (n *News) Miss() {
	select {
	case n.missed <- struct{}{}:
	default:
	}
}

// Run sends and receives until ctx ends. It begins by looking everything up, since it has missed all
// that came before.
func (n *News) Run(ctx context.Context) error {
	defer n.o.Bus.Lost(n.Miss)()
	defer n.o.Bus.Subscribe(digestSubject, "", n.receiver())()
	bounded, end := context.WithTimeout(ctx, silenceMax)
	if err := n.o.Bus.Flush(bounded); err != nil {
		n.o.Log.Debug("the bus does not answer", "error", err) // then news are missing, which is noticed
	}
	end()
	n.Miss()
	var running sync.WaitGroup
	running.Go(func() { n.publish(ctx) })
	running.Go(func() { n.watch(ctx) })
	running.Go(func() { n.tell(ctx) })
	running.Wait()
	return nil
}

// publish sends what is to be sent, and what is left of it when ctx ends.
func (n *News) publish(ctx context.Context) {
	for {
		select {
		case data := <-n.outgoing:
			n.o.Bus.Publish(digestSubject, data)
		case <-ctx.Done():
			for {
				select {
				case data := <-n.outgoing:
					n.o.Bus.Publish(digestSubject, data)
				default:
					return
				}
			}
		}
	}
}

// watch repeats the sequence, and looks whether the others are heard.
func (n *News) watch(ctx context.Context) {
	quiet, look := time.NewTicker(quietTime), time.NewTicker(lookTime)
	defer quiet.Stop()
	defer look.Stop()
	for {
		select {
		case <-quiet.C:
			n.mu.Lock()
			n.put(Digest{Wake: Never})
			n.mu.Unlock()
		case <-look.C:
			if n.hearsNot() {
				n.Miss()
			}
		case <-ctx.Done():
			return
		}
	}
}

// hearsNot reports whether news of a node that works do not come.
func (n *News) hearsNot() bool {
	now, up := n.o.Now(), n.o.Bus.Up()
	n.received.Lock()
	defer n.received.Unlock()
	live := map[store.Incarnation]bool{}
	var silent []string
	for _, m := range n.o.Live() {
		if live[m.Incarnation] = true; m.Incarnation == n.o.Me {
			continue
		}
		p := n.peers[m.Incarnation]
		if p == nil { // it has just come
			p = &peer{at: now}
			n.peers[m.Incarnation] = p
		}
		if now.Sub(p.at) > silenceMax {
			silent = append(silent, m.Name)
		}
	}
	for i, p := range n.peers {
		if !live[i] && now.Sub(p.at) > silenceMax {
			delete(n.peers, i)
		}
	}
	deaf := !up || len(silent) > 0
	switch {
	case deaf && !n.deaf:
		n.o.Log.Warn("news of other nodes do not come; this one looks into the database for them", "bus", up, "silent", silent, "every", lookTime)
	case !deaf && n.deaf:
		n.o.Log.Info("news of other nodes come again")
	}
	n.deaf = deaf
	return deaf
}

// receiver returns what the subscription calls with each digest.
func (n *News) receiver() func(Delivered) {
	var d Digest
	return func(m Delivered) {
		if err := d.decode(m.Data); err != nil {
			n.Miss() // it is of a release that says more, or less
			return
		}
		if d.From == n.o.Me {
			return
		}
		if n.follow(&d) {
			n.Miss()
		}
		n.take(&d)
	}
}

// follow notes the sequence of a digest, and reports whether one before it is missing.
func (n *News) follow(d *Digest) (missing bool) {
	n.received.Lock()
	defer n.received.Unlock()
	p := n.peers[d.From]
	if p == nil {
		p = &peer{}
		n.peers[d.From] = p
	}
	p.at = n.o.Now()
	expected := p.sequence
	if !d.empty() {
		n.figures.Received++
		expected++
	}
	if missing = d.Sequence > expected; missing && p.heard { // or else they were sent before this node listened
		n.figures.Lost += d.Sequence - expected
	}
	p.heard = true
	p.sequence = max(p.sequence, d.Sequence)
	return missing
}

// take hands on what a digest says.
func (n *News) take(d *Digest) {
	if d.Rights.Any() {
		n.o.Receiver.Rights(d.Rights)
	}
	if d.Recorded {
		n.o.Receiver.Recorded()
	}
	if d.Wake != Never {
		n.o.Receiver.WorkDue(d.Wake)
	}
	for _, q := range d.Queues {
		if n.o.Receiver.Wants(q) {
			n.Want(q)
		}
	}
}

// Want has a queue read, and those told of it who want to know.
func (n *News) Want(q QueueNews) {
	n.received.Lock()
	if old, ok := n.waiting[q.QueueKey]; ok {
		q.Change = q.Or(old.Change)
		q.Rev, q.HeadRev = max(q.Rev, old.Rev), max(q.HeadRev, old.HeadRev)
	}
	n.waiting[q.QueueKey] = q
	tooMany := len(n.waiting) > waitingMax
	if tooMany {
		clear(n.waiting)
	}
	n.received.Unlock()
	if tooMany {
		n.Miss()
		return
	}
	select {
	case n.arrived <- struct{}{}:
	default:
	}
}

// tell has the receiver catch up.
func (n *News) tell(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-n.missed:
			n.lookUp(ctx)
			continue
		default:
		}
		select {
		case <-n.missed:
			n.lookUp(ctx)
		case <-n.arrived:
			if err := n.o.Receiver.CatchUp(ctx, n.wanted()); err != nil && ctx.Err() == nil {
				n.o.Log.Debug("news could not be read", "error", err)
				n.Miss()
			}
		case <-ctx.Done():
		}
	}
}

// wanted returns the queues that are to be read.
func (n *News) wanted() []QueueNews {
	n.received.Lock()
	defer n.received.Unlock()
	all := make([]QueueNews, 0, len(n.waiting))
	for _, q := range n.waiting {
		all = append(all, q)
	}
	clear(n.waiting)
	return all
}

// lookUp has everything looked up again.
func (n *News) lookUp(ctx context.Context) {
	n.received.Lock()
	n.figures.Missed++
	n.received.Unlock()
	wait := pauseTime
	if err := n.o.Receiver.Missed(ctx); err != nil && ctx.Err() == nil {
		n.o.Log.Debug("news that were missed could not be read", "error", err)
		n.Miss()
		wait = retryTime
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// Figures returns the figures of this moment.
func (n *News) Figures() NewsFigures {
	n.mu.Lock()
	sent := n.sequence
	n.mu.Unlock()
	up := n.o.Bus.Up()
	n.received.Lock()
	defer n.received.Unlock()
	f := n.figures
	f.Up, f.Deaf, f.Sent = up, n.deaf, sent
	return f
}
