package gateway

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// This file carries messages to sessions of other nodes. A message of QoS 1 is acknowledged to its publisher when every node that has
// subscribers to it has answered that it is stored where it must be. For a node that is gone, those answer that have its sessions
// now.

// number gives a message its origin.
func (n *nodes) number(m *message) {
	if m.origin == (origin{}) {
		m.origin = origin{n.o.Node, n.origin.Add(1)}
	}
}

// carry sends a message to the peer that some matched subscriptions stand for.
func (n *nodes) carry(m *message, matched []*subscription, qos byte, retain bool, hops byte) *commit {
	c := &carried{message: m, qos: qos, retain: retain, hops: hops}
	for _, sub := range matched {
		if isShared(sub) {
			c.shares = append(c.shares, sub.filter)
		} else {
			c.plain = true
		}
	}
	return matched[0].session.peer.carry(c)
}

// unknown sends a message of QoS 1 to the nodes of which it is not known what they are subscribed to, but for those that are among matched,
// to which it was sent.
func (n *nodes) unknown(m *message, retain bool, matched []*subscription) (waits []*commit) {
	for _, p := range n.others() {
		if p.isCurrent() || slices.ContainsFunc(matched, func(sub *subscription) bool { return sub.session == p.here && !isShared(sub) }) {
			continue
		}
		c := &carried{message: m, qos: 1, retain: retain, plain: true, others: true}
		for _, sub := range matched {
			if isShared(sub) {
				c.shares = append(c.shares, sub.filter)
			}
		}
		waits = append(waits, p.carry(c))
	}
	return waits
}

// hopsMax bounds how often a message that finds its receiver gone is carried on.
const hopsMax = 5

// receive delivers a message that another node has carried here. It returns a commit to wait for before the other is answered.
func (n *nodes) receive(c *carried) *commit {
	switch {
	case c.client != "":
		return n.deliverTo(c)
	case c.late:
		return n.deliverLate(c)
	}
	var waits []*commit
	matched, _ := n.s.index.match(nil, c.topic)
	own := c.meant(matched)
	for _, share := range c.shares {
		if c.others {
			break
		}
		sub := n.member(share, c)
		if sub == nil {
			continue
		}
		if sub.session.peer != nil {
			waits = append(waits, n.carry(c.message, []*subscription{sub}, c.qos, c.retain, c.hops+1))
			continue
		}
		own = append(own, sub)
	}
	return n.s.journal.all(append(waits, n.s.deliverAll(bySession(own), c.message, c.qos, c.retain, nil)...))
}

// meant returns those of matched that a message is for, but for the shares that it names.
func (c *carried) meant(matched []*subscription) []*subscription {
	matched = slices.DeleteFunc(matched, func(sub *subscription) bool {
		if isShared(sub) {
			return !c.others || slices.Contains(c.shares, sub.filter)
		}
		return !c.plain
	})
	matched, _ = chooseShared(matched)
	return matched
}

// bySession sorts subscriptions so that those of one session are together.
func bySession(subs []*subscription) []*subscription {
	slices.SortFunc(subs, func(a, b *subscription) int { return cmp.Compare(a.session.serial, b.session.serial) })
	return subs
}

// member chooses one of those who are subscribed to a shared filter: one here if there is one, else one elsewhere, if the message has not been
// on its way for too long.
func (n *nodes) member(share string, c *carried) *subscription {
	others := func(sub *subscription) bool { return sub.filter != share }
	matched, _ := n.s.index.match(nil, c.topic)
	if matched = slices.DeleteFunc(matched, others); len(matched) == 0 && c.hops < hopsMax {
		matched, _ = n.remote.match(nil, c.topic)
		matched = slices.DeleteFunc(matched, others)
	}
	chosen, _ := chooseShared(matched)
	if len(chosen) == 0 {
		return nil
	}
	return chosen[0]
}

// deliverLate delivers a message that was for a node that is gone to sessions that have come here since. Whoever asks for it knows that no
// session is held by that node any more; some may still be on their way here from the store.
func (n *nodes) deliverLate(c *carried) *commit {
	return n.inTurn(func(context.Context) *commit {
		matched, _ := n.s.index.match(nil, c.topic)
		matched = slices.DeleteFunc(matched, func(sub *subscription) bool { return !sub.session.cameSince(c.born) })
		return n.s.journal.all(n.s.deliverAll(bySession(c.meant(matched)), c.message, c.qos, c.retain, nil))
	})
}

// deliverTo delivers a message to one client. If another node has its session by now, that one gets it.
func (n *nodes) deliverTo(c *carried) *commit {
	if sess := n.s.registry.find(c.client); sess != nil {
		if wait, here := sess.deliverDirected(c); here {
			return wait
		}
	}
	return n.later(func(ctx context.Context) *commit {
		for {
			wait, found := n.passOn(ctx, c)
			if found {
				return wait
			}
			if !sleep(ctx, adoptTime/2) {
				return &commit{done: closed, err: errSilent}
			}
		}
	})
}

// inTurn is later for what must be done in the order of the calls.
func (n *nodes) inTurn(fn func(context.Context) *commit) *commit {
	mine := make(chan struct{})
	n.mu.Lock()
	before := n.turn
	n.turn = mine
	n.mu.Unlock()
	return n.later(func(ctx context.Context) *commit {
		defer close(mine)
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
			}
		}
		return fn(ctx)
	})
}

// passOn gives a message to who holds the session of its client, as the store says. found is false if that node is not known: it has just come, or
// just gone.
func (n *nodes) passOn(ctx context.Context, c *carried) (wait *commit, found bool) {
	h, err := n.holder(ctx, c.client)
	switch {
	case err != nil:
		return &commit{done: closed, err: err}, true
	case h.Node == 0:
		return nil, true // it has ended
	case h.Node == n.o.Node:
		n.claims.wait(ctx) // it is on its way here, unless it has ended
		if sess := n.s.registry.find(c.client); sess != nil {
			wait, _ = sess.deliverDirected(c)
		}
		return wait, true
	case c.hops >= hopsMax:
		return &commit{done: closed, err: errSilent}, true
	}
	p := n.peerOf(h.Node)
	if p == nil {
		return nil, false
	}
	on := *c
	on.hops++
	return p.carry(&on), true
}

// holder returns who holds the session of a client.
func (n *nodes) holder(ctx context.Context, client string) (Hold, error) {
	for {
		holds, err := n.store.Holds(ctx, []string{client})
		if err == nil {
			return holds[0], nil
		}
		if !sleep(ctx, retryTime) {
			return Hold{}, err
		}
	}
}

// later runs fn when the claims that are under way are done with, on a goroutine of its own. What it returns is settled when what fn returns is.
func (n *nodes) later(fn func(context.Context) *commit) *commit {
	promise := &commit{done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	go func() {
		n.claims.wait(ctx)
		wait := fn(ctx)
		cancel()
		if wait == nil {
			n.s.journal.settle(promise, nil)
			return
		}
		n.s.journal.then(wait, func(err error) { n.s.journal.settle(promise, err) })
	}()
	return promise
}

// handOn gives a message for a session that was lost to the node that has it now. It may be called under the lock of the session.
func (n *nodes) handOn(client string, h Hold, m *message, retain bool) *commit {
	if !n.carries(m.topic) || h.Node == 0 {
		return nil // the other node publishes it itself; or the session has ended
	}
	c := &carried{message: m, qos: 1, retain: retain, client: client}
	if p := n.peerOf(h.Node); p != nil {
		return p.carry(c)
	}
	return n.later(func(context.Context) *commit { return n.deliverTo(c) })
}

// reroute sends a message that was for a node that is gone to those that may have its sessions now: all. Who gets it by a shared subscription
// is chosen again.
func (n *nodes) reroute(c *carried) *commit {
	on := *c
	if on.hops++; on.hops > hopsMax {
		return &commit{done: closed, err: errSilent}
	}
	if on.client != "" {
		return n.deliverTo(&on)
	}
	var waits []*commit
	if len(on.shares) > 0 && !on.others {
		shares := on
		shares.plain = false
		waits = append(waits, n.receive(&shares))
	}
	if !on.plain {
		return n.s.journal.all(waits)
	}
	if on.late = true; !on.others {
		on.shares = nil
	}
	waits = append(waits, n.receive(&on))
	for _, p := range n.others() {
		if !p.isGone() {
			waits = append(waits, p.carry(&on))
		}
	}
	return n.s.journal.all(waits)
}

// close ends what is remembered of a node that is gone and whose sessions are all held by others now. What waits for it goes to those.
func (p *peer) close() {
	p.mu.Lock()
	waiting := p.open
	p.open, p.bytes, p.closed = nil, 0, true
	p.mu.Unlock()
	p.wishing.Lock()
	for filter, w := range p.wishes {
		p.stand(p.here, w.here, filter, 0)
		p.stand(p.away, w.away, filter, 0)
	}
	p.wishes = nil
	p.wishing.Unlock()
	journal := p.of.s.journal
	for _, number := range slices.Sorted(maps.Keys(waiting)) {
		o := waiting[number]
		if wait := p.of.reroute(o.carried); wait != nil {
			journal.then(wait, func(err error) { journal.settle(o.done, err) })
		} else {
			journal.settle(o.done, nil)
		}
	}
}

// deliverDirected delivers a message that is for s alone, if s is here.
func (s *session) deliverDirected(c *carried) (wait *commit, here bool) {
	s.mu.Lock()
	var subs []*subscription
	for _, sub := range s.subs {
		if _, rest, _ := topic.Share(sub.filter); topic.Match(rest, c.topic, s.server.o.Limits.ParentWildcard) {
			subs = append(subs, sub)
		}
	}
	moved := s.moved != nil
	s.mu.Unlock()
	if moved || len(subs) == 0 {
		return nil, !moved
	}
	return s.deliver(c.message, subs, c.qos, c.retain, false), true
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
