package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/gateway/topic"
)

// This file tells other nodes what sessions here are subscribed to, so that they know which messages to carry here.
//
// A publisher that does not know of a subscription must not lose a message of QoS 1 for it. So a SUBACK waits until all other nodes have
// the filter, or for longer than one of them goes without a sign of life before it notices; and a node that has noticed takes it that
// the silent one is subscribed to everything (route).

// carries reports whether messages on a topic, or those that a filter is for, go from node to node.
func (n *nodes) carries(name string) bool {
	return n.o.Own == "" || !strings.HasPrefix(name, n.o.Own)
}

// told reports whether other nodes are told of a filter: not of those for the own messages of each node, unless they are wide, since those may be
// kept for one session while any node publishes them (Kept).
func (n *nodes) told(filter string) bool {
	_, rest, _ := topic.Share(filter)
	return n.carries(rest) || strings.ContainsAny(rest, "+#") && (n.o.Outlives == nil || n.o.Outlives(rest))
}

// want notes that there is a subscription more or less of a session that is away or not, and tells others if that makes a difference.
func (n *nodes) want(filter string, away bool, change int) {
	if !n.told(filter) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changeWish(filter, func(w *wish) {
		if away && shared(filter) {
			w.away += change
		} else {
			w.here += change
		}
	})
}

// moved notes that the session with these subscriptions has lost or got its client.
func (n *nodes) moved(subs []*subscription, away bool) {
	change := 1
	if away {
		change = -1
	}
	for _, sub := range subs {
		if !shared(sub.filter) || !n.told(sub.filter) {
			continue
		}
		n.mu.Lock()
		n.changeWish(sub.filter, func(w *wish) { w.here, w.away = w.here+change, w.away-change })
		n.mu.Unlock()
	}
}

func shared(filter string) bool {
	_, _, is := topic.Share(filter)
	return is
}

func (n *nodes) changeWish(filter string, change func(*wish)) {
	w := n.filters[filter]
	if w == nil {
		w = &wish{filter: filter}
		n.filters[filter] = w
	}
	before := w.shown()
	change(w)
	if w.here == 0 && w.away == 0 {
		delete(n.filters, filter)
	}
	if now := w.shown(); now != before {
		n.tell(now.frame())
	}
}

// shown is what others are told of a wish: no more than makes a difference.
func (w *wish) shown() wish {
	most := 1
	if shared(w.filter) {
		most = membersMax
	}
	return wish{w.filter, min(w.here, most), min(w.away, 1)}
}

// announce makes sure that other nodes know of filters that are about to be granted to c, and that they are stored, since another node may
// have the session right afterwards. What it returns must be called when they are.
func (n *nodes) announce(c *conn, filters []packet.Subscription, reasons []packet.Reason) (granted func()) {
	stored := c.session.storeAhead(c, filters, reasons)
	defer func() {
		if stored != nil {
			<-stored.done // if that has failed, the server stops
		}
	}()
	var told []string
	for i, want := range filters {
		if reasons[i] == packet.Success && n.told(want.Filter) && !slices.Contains(told, want.Filter) {
			told = append(told, want.Filter)
		}
	}
	if len(told) == 0 {
		return func() {}
	}
	for _, filter := range told {
		n.want(filter, true, +1)
	}
	n.await(forceTime)
	return func() {
		for _, filter := range told {
			n.want(filter, true, -1)
		}
	}
}

// await returns when all nodes have received all that they were told so far, and after longest at the latest.
func (n *nodes) await(longest time.Duration) {
	var over <-chan time.Time
	for _, p := range n.others() {
		p.mu.Lock()
		last := p.out.last
		p.mu.Unlock()
		reached := p.reached(last)
		select {
		case <-reached:
			continue
		default:
		}
		if over == nil {
			timer := time.NewTimer(longest)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-reached:
		case <-over:
			return
		case <-n.ended:
			return
		}
	}
}

// heard returns a commit that is settled when await returns, nil if that would be at once.
func (n *nodes) heard() *commit {
	for _, p := range n.others() {
		if p.behind() {
			c := &commit{done: make(chan struct{})}
			go func() {
				n.await(forceTime)
				n.s.journal.settle(c, nil)
			}()
			return c
		}
	}
	return nil
}

// certain reports whether it is known what all other nodes are subscribed to.
func (n *nodes) certain() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clean && !slices.ContainsFunc(n.peers, func(p *peer) bool { return !p.isCurrent() })
}

// Certain reports whether every session that is kept is held by a node, and it is known what other nodes are subscribed to. It is always
// true of a server that is alone. While it is false, nobody can tell that a topic has no subscriber.
func (s *Server) Certain() bool { return s.nodes == nil || s.nodes.certain() }

// wanted reports whether a message on a topic has, or may have, a receiver on another node.
func (n *nodes) wanted(name string) bool {
	return n.carries(name) && (n.remote.matches(name) || !n.certain())
}

// kept is Kept for several nodes. Subscribers to exact filters are told anew when another node gets their session (Again). A wide
// filter may be anybody's.
func (n *nodes) kept(name string) bool {
	if n.carries(name) || n.remote.matches(name) || !n.certain() {
		return true
	}
	matched, _ := n.s.index.match(nil, name)
	return slices.ContainsFunc(matched, func(sub *subscription) bool { return n.told(sub.filter) })
}
