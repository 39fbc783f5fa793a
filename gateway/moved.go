package gateway

import (
	"context"
	"maps"
	"slices"
	"time"
)

// This file is about sessions that move between nodes. The store decides who has one. The node that had it before is told, is refused at its
// next write, and asks now and then.
//
// A session that has moved stays here for a while as a ghost: it hands on what comes for it, since publishers may have
// sent it before they knew of the new place.

// heldBy notes the hold by which this node has the session.
func (s *session) heldBy(h Hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = h.Epoch
}

// heldSince returns the epoch of the session, 0 if another node has it.
func (s *session) heldSince() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved != nil {
		return 0
	}
	return s.epoch
}

// cameSince reports whether the session came here after an instant, or so shortly before it that messages of that instant may not have been
// sent here yet. If it has gone on since, it hands on.
func (s *session) cameSince(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came != nil && s.came.at.Add(ghostTime).After(at)
}

// inherit returns the session that a claim has got to continue, nil if there is none: what is in memory, or what is stored. stale is the
// connection of another session that was in memory and has ended, or was lost without this node knowing, late its will. ok is false
// if a later claim has come first. The caller holds the lock of the shard.
func (n *nodes) inherit(sh *registryShard, old *session, client string, got *Claimed) (sess *session, stale *conn, late *will, ok bool) {
	if old != nil {
		epoch := old.heldSince()
		switch {
		case epoch > got.Hold.Epoch:
			return nil, nil, nil, false
		case epoch != 0 && got.Former.By(n.o.Node, epoch) && !got.Fresh:
			return old, nil, nil, true
		}
		stale, late = old.yield(got.Hold)
		delete(sh.sessions, client)
	}
	if got.Stored != nil {
		if sess = n.revive(got, time.Now()); sess != nil {
			sh.sessions[client] = sess
		}
	}
	return sess, stale, late, true
}

// revive makes a session of what a claim found. It returns nil if its time is over.
func (n *nodes) revive(got *Claimed, now time.Time) *session {
	sess := n.s.restore(*got.Stored, now)
	sess.mu.Lock()
	defer sess.mu.Unlock()
	sess.epoch = got.Hold.Epoch
	sess.came = &came{at: now}
	if sess.absence.expires.After(now) {
		return sess
	}
	sess.discard(true)
	return nil
}

// yield ends the session here without writing anything, since another hold than that of the session is in force. It returns its connection and
// its delayed will.
func (s *session) yield(h Hold) (c *conn, late *will) {
	s.mu.Lock()
	s.moved = &place{Hold: h}
	s.mu.Unlock()
	return s.vacate(false)
}

// lost makes the session of a client a ghost, if this node does not hold it any more.
func (n *nodes) lost(client string, h Hold) {
	sh := n.s.registry.shard(client)
	sh.mu.Lock()
	var c *conn
	if sess := sh.sessions[client]; sess != nil {
		var over bool
		if c, over = sess.move(h); over {
			delete(sh.sessions, client)
		}
	}
	sh.mu.Unlock()
	c.takenOver()
}

// place is where a session is that has moved.
type place struct {
	Hold
	since time.Duration // the clock of this node when it found out
}

// move makes s a ghost if another hold is in force. It returns its connection, which is to end. over says that there is nothing to hand on.
func (s *session) move(h Hold) (c *conn, over bool) {
	n := s.server.nodes
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved != nil || h.By(n.o.Node, s.epoch) || h.Node != 0 && h.Epoch < s.epoch {
		return nil, false
	}
	if c = s.conn; c != nil {
		s.rest()
		if s.persistent() {
			c.spareWill()
		}
	}
	s.moved = &place{h, n.clock()}
	if over = !s.persistent() || h.Node == 0; over {
		s.discard(false)
		return c, true
	}
	s.queue, s.queued = nil, 0
	s.endAbsence()
	s.absence = &absence{expires: time.Now().Add(ghostTime)}
	s.wind()
	return c, false
}

// linger reports whether a ghost is still needed: something that was sent here before its sender knew of the new place may be on its way.
func (s *session) linger(now time.Time) bool {
	if s.moved == nil {
		return false
	}
	for _, p := range s.server.nodes.others() {
		if p.currentAt() < s.moved.since+ghostTime && !p.isGone() {
			s.absence.expires = now.Add(adoptTime)
			return true
		}
	}
	return false
}

// took tells the node that had the session of a client before that it has moved.
func (n *nodes) took(sess *session, got Claimed) {
	if got.Former.Node == 0 || got.Former.Node == n.o.Node {
		return
	}
	if got.Stored != nil {
		n.again(sess)
	}
	p := n.peerOf(got.Former.Node)
	if p == nil {
		return
	}
	p.send(taken{sess.client, got.Hold.Epoch}.frame())
}

// again has sessions that have come here told what they may have missed of the own messages of each node.
func (n *nodes) again(all ...*session) {
	if n.o.Own == "" {
		return
	}
	var filters []string
	for _, sess := range all {
		sess.mu.Lock()
		for _, sub := range sess.subs {
			if !n.carries(sub.filter) {
				filters = append(filters, sub.filter)
			}
		}
		sess.mu.Unlock()
	}
	if len(filters) > 0 {
		n.o.Again(filters)
	}
}

// checkEpochs asks from time to time whether this node still has the sessions of its clients.
func (n *nodes) checkEpochs(ctx context.Context) {
	every(ctx, epochTime, func() {
		var clients []string
		for _, c := range n.s.registry.conns() {
			clients = append(clients, c.session.client)
		}
		if len(clients) == 0 {
			return
		}
		holds, err := n.store.Holds(ctx, clients)
		if err != nil {
			return // the store is asked again, and whoever else needs it says so
		}
		for i, client := range clients {
			n.lost(client, holds[i])
		}
	})
}

// written acts on what the journal has written. It returns a commit to wait for before those are answered who wait for it: messages
// for sessions that were lost are taken by those who have them now.
func (n *nodes) written(batch []Change, w Written) *commit {
	for client, h := range w.Lost {
		n.lost(client, h)
	}
	var waits []*commit
	retained := false
	for _, c := range batch {
		switch c.Kind {
		case AddMessage:
			if h, lost := w.Lost[c.Client]; lost {
				m := restored(c.Message)
				m.origin = c.origin
				waits = append(waits, n.handOn(c.Client, h, m, c.Message.Retain))
			}
		case PutRetained, DropRetained:
			n.s.retained.settle(c, w.Retained[c.Message.Topic])
			retained = true
		}
	}
	if retained { // who subscribes elsewhere, once the publisher was answered, gets it
		waits = append(waits, n.heard())
	}
	return n.s.journal.all(waits)
}

// adoptAll takes over the sessions of nodes that are gone, of those clients that this node is to take over.
func (n *nodes) adoptAll(ctx context.Context) {
	beat := time.NewTicker(adoptTime)
	defer beat.Stop()
	var last time.Time // when it was looked
	for {
		select {
		case <-n.scan:
		case <-beat.C:
		case <-ctx.Done():
			return
		}
		n.mu.Lock()
		gone, mine, clean := n.gone, n.mine, n.clean
		n.mu.Unlock()
		if gone == nil || clean && time.Since(last) < idleScan {
			continue
		}
		last = time.Now()
		abandoned, held, err := n.abandoned(ctx, gone, mine)
		if err == nil {
			n.settleGone(held)
			if err = n.adopt(ctx, abandoned); err == nil && len(abandoned) > 0 {
				signal(n.scan) // is it all?
			}
		}
		if err != nil && ctx.Err() == nil {
			n.s.log.Error("sessions of a node that is gone cannot be taken over and are asked for again", "err", err)
		}
	}
}

// abandoned returns the holds of nodes that are gone, of the clients that this node takes over, and which nodes hold a session at all. Node 0
// holds those that a server stored which was alone.
func (n *nodes) abandoned(ctx context.Context, gone func(Node) bool, mine func(int) bool) (found map[string]Hold, held map[Node]bool, err error) {
	found, held = map[string]Hold{}, map[Node]bool{}
	err = n.store.EachHold(ctx, func(client string, h Hold) error {
		held[h.Node] = true
		if (h.Node == 0 || h.Node != n.o.Node && gone(h.Node)) && mine(ShardOf(client)) {
			found[client] = h
		}
		return nil
	})
	return found, held, err
}

// settleGone closes the peers that are gone and hold nothing any more.
func (n *nodes) settleGone(held map[Node]bool) {
	n.mu.Lock()
	var over []*peer
	n.peers = slices.DeleteFunc(n.peers, func(p *peer) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.gone && !held[p.node] {
			over = append(over, p)
			return true
		}
		return false
	})
	n.clean = true
	for node := range held {
		n.clean = n.clean && (node == n.o.Node || node != 0 && !n.gone(node))
	}
	n.mu.Unlock()
	for _, p := range over {
		p.close()
		signal(n.reload)
	}
}

// adopt claims sessions that are still held as candidates says.
func (n *nodes) adopt(ctx context.Context, candidates map[string]Hold) error {
	for some := range slices.Chunk(slices.Sorted(maps.Keys(candidates)), claimsMax) {
		if err := n.adoptSome(ctx, some, candidates); err != nil {
			return err
		}
	}
	return nil
}

func (n *nodes) adoptSome(ctx context.Context, clients []string, holds map[string]Hold) error {
	defer n.claims.begin()()
	claims := make([]Claim, len(clients))
	for i, client := range clients {
		claims[i] = Claim{Client: client, Adopt: true, From: holds[client]}
	}
	all, err := n.store.Claim(ctx, n.o.Node, claims)
	if err != nil {
		return err
	}
	var came []*session
	for i, got := range all {
		if got.Hold.Node == 0 {
			continue
		}
		if sess := n.settle(clients[i], &got); sess != nil {
			came = append(came, sess)
		}
	}
	n.again(came...)
	return nil
}

// settle gives a session that was claimed without its client its place, and returns it. If there is none to keep, the hold is released.
func (n *nodes) settle(client string, got *Claimed) *session {
	sh := n.s.registry.shard(client)
	sh.mu.Lock()
	sess, stale, late, ok := n.inherit(sh, sh.sessions[client], client, got)
	if ok && sess == nil {
		n.s.journal.add(Change{Kind: Release, Client: client, Epoch: got.Hold.Epoch})
	}
	sh.mu.Unlock()
	n.s.publishWill(late)
	stale.takenOver()
	return sess
}
