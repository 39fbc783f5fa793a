package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// peer is another node as this one sees it: a stream of frames in each direction, and what it is subscribed to.
//
// A node that is gone remains a peer until its sessions have found another node: what is published for them waits here.
type peer struct {
	node Node
	of   *nodes
	wake chan struct{} // 1 slot
	left chan struct{} // closed when the node is gone
	here *session      // stands for its clients that are connected, and for all subscriptions that are not shared
	away *session      // stands for those that are away

	wishing sync.Mutex // guards wishes
	wishes  map[string]*wished

	mu      sync.Mutex // guards what follows
	out     outbound
	in      inbound
	open    map[uint64]*outgoing // messages that the node has not answered, by the numbers of their frames
	bytes   int                  // in open
	gone    bool
	closed  bool          // gone, and what waited for it is on other ways
	echo    time.Duration // what the clock of the last datagram was
	current time.Duration // all that the node had said at this time of our clock is known; negative: never yet
	sent    time.Time     // when a datagram was last sent
	hasty   bool          // it is to be answered at once
	waiting []awaited
}

// wished are the subscriptions in the index that stand for a wish.
type wished struct{ here, away []*subscription }

// outgoing is a message of QoS 1 on its way.
type outgoing struct {
	*carried
	since time.Time
	done  *commit
}

// awaited is somebody who waits until a frame was received.
type awaited struct {
	number uint64
	done   chan struct{}
}

func newPeer(n *nodes, node Node) *peer {
	p := &peer{node: node, of: n, wake: make(chan struct{}, 1), left: make(chan struct{}), wishes: map[string]*wished{}, open: map[uint64]*outgoing{}, current: -1, echo: -1}
	p.here = &session{server: n.s, peer: p, serial: n.s.serials.Add(1)}
	p.away = &session{server: n.s, peer: p, serial: n.s.serials.Add(1)}
	p.away.away.Store(true)
	return p
}

// send puts a frame on the way.
func (p *peer) send(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.add(frame)
	signal(p.wake)
}

// carry sends a message. It returns a commit that is settled when the node has stored it where it must be, nil at QoS 0.
func (p *peer) carry(c *carried) *commit {
	now := time.Now()
	if c.born.IsZero() {
		c.born = now
	}
	frame := c.frame(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.qos == 0 && (p.gone || p.out.bytes > peerBytesQoS0):
		p.of.s.count.droppedSlow.Add(1)
		return nil
	case p.closed:
		return p.of.later(func(context.Context) *commit { return p.of.reroute(c) })
	case p.bytes+p.out.bytes > peerBytesMax:
		return &commit{done: closed, err: errFlood}
	}
	number := p.out.add(frame)
	signal(p.wake)
	if c.qos == 0 {
		return nil
	}
	if p.of.stopping.Load() { // it is sent, but nobody waits for the answer
		return &commit{done: closed, err: errStopped}
	}
	done := &commit{done: make(chan struct{})}
	p.open[number] = &outgoing{c, now, done}
	p.bytes += c.size()
	return done
}

// isCurrent reports whether all that the node said until a moment ago is known.
func (p *peer) isCurrent() bool {
	now := p.of.clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current >= 0 && now-p.current <= staleTime
}

// currentAt is the time, by this node's clock, until which all that the node said is known.
func (p *peer) currentAt() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *peer) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// behind reports whether the node has not received all frames.
func (p *peer) behind() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.gone && p.out.received < p.out.last
}

// reached returns a channel that is closed when the node has received a frame or is gone.
func (p *peer) reached(number uint64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.out.received >= number {
		return closed
	}
	w := awaited{number, make(chan struct{})}
	p.waiting = append(p.waiting, w)
	return w.done
}

// leave notes that the node is gone. It reports whether that is new.
func (p *peer) leave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return false
	}
	p.gone = true
	close(p.left)
	for _, w := range p.waiting {
		close(w.done)
	}
	p.waiting = nil
	return true
}

// giveUp settles the commits of messages that were sent before an instant, or of all with a zero one. The messages stay on their way.
func (p *peer) giveUp(err error, before time.Time) {
	p.mu.Lock()
	var late []*commit
	for _, o := range p.open {
		if before.IsZero() || o.since.Before(before) {
			late = append(late, o.done)
		}
	}
	p.mu.Unlock()
	for _, c := range late {
		p.of.s.journal.settle(c, err)
	}
}

// run talks to the node until it is gone or the server ends.
func (p *peer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time // for messages that were not answered in time
	for {
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.left:
			p.wait()
			return
		case <-p.of.ended:
			return
		}
		now := time.Now()
		for {
			b, next := p.compose(now)
			if b == nil {
				timer.Reset(next.Sub(now))
				break
			}
			p.of.o.Bus.Publish(subjectOf(p.node), b)
		}
		if now.Sub(looked) >= peerBeat {
			looked = now
			p.giveUp(errSilent, now.Add(-answerTime))
		}
	}
}

// wait bounds the waiting for what other nodes are to do in the place of one that is gone.
func (p *peer) wait() {
	beat := time.NewTicker(peerBeat)
	defer beat.Stop()
	for {
		p.mu.Lock()
		over := p.closed
		p.mu.Unlock()
		if over {
			return
		}
		select {
		case <-beat.C:
			p.giveUp(errSilent, time.Now().Add(-answerTime))
		case <-p.of.ended:
			return
		}
	}
}

// compose returns the next datagram, or nil and when there will be one if nothing happens until then.
func (p *peer) compose(now time.Time) (b []byte, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := datagram{from: p.of.o.Node, received: p.in.received, missing: p.in.missing, echo: p.echo, last: p.out.last}
	if d.first, d.frames = p.out.take(now, datagramSize); len(d.frames) == 0 && !p.hasty && now.Sub(p.sent) < peerBeat {
		next = p.sent.Add(peerBeat)
		if due := p.out.due(); !due.IsZero() {
			next = earlier(next, due)
		}
		return nil, next
	}
	d.sent = p.of.clock()
	p.sent, p.hasty = now, false
	return d.append(nil), next
}

// take takes a datagram from the bus. Those of nodes that are not known are dropped: they will be sent again.
func (n *nodes) take(b []byte) {
	d, err := readDatagram(b)
	if err != nil {
		n.s.log.Warn("message between nodes", "err", err)
		return
	}
	if p := n.peerOf(d.from); p != nil {
		p.hear(d)
	}
}

// hear acts on a datagram.
func (p *peer) hear(d datagram) {
	now := time.Now()
	p.mu.Lock()
	if p.gone {
		p.mu.Unlock()
		return
	}
	p.out.heard(d.received, d.missing, now)
	p.waiting = p.arrived()
	p.echo = max(p.echo, d.sent)
	first, frames := p.in.take(d.first, d.frames)
	p.hasty = p.hasty || len(d.frames) > 0
	complete := p.in.received == d.last
	signal(p.wake)
	p.mu.Unlock()

	answers := answers{p: p}
	for i, f := range frames {
		p.act(f, first+uint64(i), now, &answers)
	}
	answers.send()
	if complete && d.echo >= 0 {
		p.mu.Lock()
		first := p.current < 0
		p.current = max(p.current, d.echo)
		p.mu.Unlock()
		if first {
			signal(p.of.reload)
		}
	}
}

// answers gathers the answers to messages that need no waiting.
type answers struct {
	p *peer
	did
}

// add answers the message of a frame once wait, which may be nil, is settled.
func (a *answers) add(number uint64, wait *commit) {
	if wait != nil {
		a.p.of.s.journal.then(wait, func(err error) { a.p.send(did{number, number, err == nil}.frame()) })
		return
	}
	if !a.ok || a.to+1 != number {
		a.send()
		a.from = number
	}
	a.to, a.ok = number, true
}

func (a *answers) send() {
	if a.ok {
		a.p.send(a.frame())
		a.did = did{}
	}
}

// arrived returns those who still wait.
func (p *peer) arrived() (still []awaited) {
	for _, w := range p.waiting {
		if w.number <= p.out.received {
			close(w.done)
		} else {
			still = append(still, w)
		}
	}
	return still
}

// act does what a frame says.
func (p *peer) act(frame []byte, number uint64, now time.Time, answers *answers) {
	if len(frame) == 0 {
		return
	}
	r := &reader{b: frame[1:]}
	var err error
	switch frameKind(frame[0]) {
	case interestFrame:
		var w wish
		if w, err = readWish(r); err == nil {
			p.wishFor(w)
		}
	case messageFrame:
		var c *carried
		if c, err = readCarried(r, now); err != nil {
			break
		}
		if wait := p.of.receive(c); c.qos > 0 {
			answers.add(number, wait)
		}
	case didFrame:
		var d did
		if d, err = readDid(r); err == nil {
			p.answered(d)
		}
	case takenFrame:
		var t taken
		if t, err = readTaken(r); err == nil {
			p.of.lost(t.client, Hold{Node: p.node, Epoch: t.epoch, Since: t.epoch})
		}
	case disconnectFrame:
		var o order
		if o, err = readOrder(r); err == nil {
			found := p.of.s.disconnectHere(o.client, o.withWill, o.dropSession)
			p.of.s.journal.whenReleased(o.client, func() { p.send(answer{o.id, found}.frame()) })
		}
	case answerFrame:
		var a answer
		if a, err = readAnswer(r); err == nil {
			p.of.answered(a)
		}
	case retainedFrame:
		var news retainedNews
		if news, err = readRetained(frame[1:]); err == nil {
			p.of.s.retained.hear(news)
		}
	default: // of a later release
	}
	if err != nil {
		p.of.s.log.Warn("message between nodes", "node", int64(p.node), "err", err)
	}
}

// answered settles messages.
func (p *peer) answered(d did) {
	var err error
	if !d.ok {
		err = errSilent
	}
	p.mu.Lock()
	var done []*commit
	for number := d.from; number <= min(d.to, p.out.last); number++ {
		if o := p.open[number]; o != nil {
			delete(p.open, number)
			p.bytes -= o.size()
			done = append(done, o.done)
		}
	}
	p.mu.Unlock()
	for _, c := range done {
		p.of.s.journal.settle(c, err)
	}
}

// wishFor changes the subscriptions that stand for those of the node to one filter.
func (p *peer) wishFor(w wish) {
	p.wishing.Lock()
	defer p.wishing.Unlock()
	if p.wishes == nil { // it is gone
		return
	}
	old := p.wishes[w.filter]
	if old == nil {
		old = &wished{}
		p.wishes[w.filter] = old
	}
	old.here = p.stand(p.here, old.here, w.filter, w.here)
	old.away = p.stand(p.away, old.away, w.filter, w.away)
	if w.here == 0 && w.away == 0 {
		delete(p.wishes, w.filter)
	}
}

// stand makes n of the subscriptions of what stands for sessions of the node.
func (p *peer) stand(stands *session, now []*subscription, filter string, n int) []*subscription {
	for len(now) > n {
		p.of.remote.remove(now[len(now)-1])
		now = now[:len(now)-1]
	}
	for len(now) < n {
		sub := &subscription{session: stands, filter: filter, qos: byte(packet.GrantedQoS1)}
		p.of.remote.add(sub)
		now = append(now, sub)
	}
	return now
}
