package gateway

import (
	"context"
	"sync"
	"time"
)

// claimsMax bounds the claims of one transaction.
const claimsMax = 500

// claimer claims sessions in groups: what gathers while one group is written is the next one.
type claimer struct {
	n    *nodes
	wake chan struct{} // 1 slot

	mu      sync.Mutex // guards what follows
	pending []*pendingClaim
	next    uint64
	open    map[uint64]chan struct{} // of the claims whose sessions are not where they belong yet
	stopped bool
}

type pendingClaim struct {
	Claim
	ctx  context.Context
	got  Claimed
	err  error
	done chan struct{}
}

func (c *claimer) init(n *nodes) {
	c.n, c.wake, c.open = n, make(chan struct{}, 1), map[uint64]chan struct{}{}
}

// begin notes that sessions are about to be claimed. Call what it returns when they are where they belong.
func (c *claimer) begin() (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	id, done := c.next, make(chan struct{})
	c.open[id] = done
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, id)
		close(done)
	}
}

// wait returns when all claims that have begun are done with, or when ctx ends.
func (c *claimer) wait(ctx context.Context) {
	c.mu.Lock()
	var open []chan struct{}
	for _, done := range c.open {
		open = append(open, done)
	}
	c.mu.Unlock()
	for _, done := range open {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// claim claims one session. Between begin and its end.
func (c *claimer) claim(ctx context.Context, what Claim) (Claimed, error) {
	p := &pendingClaim{Claim: what, ctx: ctx, done: make(chan struct{})}
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return Claimed{}, errStopped
	}
	c.pending = append(c.pending, p)
	c.mu.Unlock()
	signal(c.wake)
	<-p.done // the store bounds its waiting itself, and what becomes of a claim must be known
	return p.got, p.err
}

// run writes groups of claims until ctx ends.
func (c *claimer) run(ctx context.Context) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			c.mu.Lock()
			c.stopped = true
			left := c.pending
			c.pending = nil
			c.mu.Unlock()
			for _, p := range left {
				p.err = errStopped
				close(p.done)
			}
			return
		}
		for c.group(ctx) {
		}
	}
}

// group writes the next group. It reports whether there was one.
func (c *claimer) group(ctx context.Context) bool {
	c.mu.Lock()
	taken := c.pending[:min(len(c.pending), claimsMax)]
	c.pending = c.pending[len(taken):]
	c.mu.Unlock()
	if len(taken) == 0 {
		return false
	}
	var claims []Claim
	for _, p := range taken {
		if p.err = p.ctx.Err(); p.err == nil {
			claims = append(claims, p.Claim)
		}
	}
	got, err := c.n.store.Claim(ctx, c.n.o.Node, claims)
	for _, p := range taken {
		switch {
		case p.err != nil:
		case err != nil:
			p.err = err
		default:
			p.got, got = got[0], got[1:]
		}
		close(p.done)
	}
	return true
}

// claim makes this node the holder of the session of a client that connects.
func (n *nodes) claim(ctx context.Context, hello *Connect, principal string) (Claimed, error) {
	what := Claim{Client: hello.ClientID, Clean: hello.Clean, Version: hello.Version, Principal: principal}
	if sess := n.s.registry.find(hello.ClientID); sess != nil {
		what.Known = sess.heldSince() != 0 && sess.suits(hello, principal)
	}
	if hello.Expiry > 0 {
		what.Begin = &SessionRecord{Version: hello.Version, Principal: principal, Expiry: hello.Expiry}
	}
	n.s.journal.released(ctx, hello.ClientID) // else what has ended would be found again
	return n.claims.claim(ctx, what)
}

// came remembers when a session came from another node, and for a while what it got since: messages may come by two ways.
type came struct {
	at   time.Time
	seen map[origin]struct{}
}

// had reports whether m has come before.
func (c *came) had(m *message, now time.Time) bool {
	switch {
	case now.Sub(c.at) > freshTime:
		c.seen = nil
		return false
	case m.origin == (origin{}):
		return false
	}
	if _, had := c.seen[m.origin]; had {
		return true
	}
	if c.seen == nil {
		c.seen = map[origin]struct{}{}
	}
	c.seen[m.origin] = struct{}{}
	return false
}
