package door

import (
	"context"
	"sync"
)

// gate bounds how many handshakes compute at a time. They enter in the order in which they asked, except that those that have begun
// go before those that have not: under load, some then end in time instead of all ending late. A handshake that waits for its
// client is outside.
type gate struct {
	mu    sync.Mutex // guards what follows
	free  int
	begun []*turn
	fresh []*turn
}

// turn is a handshake that waits to enter.
type turn struct {
	come chan struct{} // closed when it may
	left bool          // it no longer wants to
}

// enter waits until there is room, or until ctx ends.
func (g *gate) enter(ctx context.Context, begun bool) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	t := &turn{come: make(chan struct{})}
	if begun {
		g.begun = append(g.begun, t)
	} else {
		g.fresh = append(g.fresh, t)
	}
	g.mu.Unlock()
	select {
	case <-t.come:
		return nil
	case <-ctx.Done():
		g.abandon(t)
		return ctx.Err()
	}
}

// abandon gives up a turn. If it has come in the meantime, the next handshake gets it.
func (g *gate) abandon(t *turn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.come:
		g.pass()
	default:
		t.left = true
	}
}

// leave makes room for the next.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
}

func (g *gate) pass() {
	for _, queue := range []*[]*turn{&g.begun, &g.fresh} {
		for len(*queue) > 0 {
			t := (*queue)[0]
			(*queue)[0] = nil
			*queue = (*queue)[1:]
			if !t.left {
				close(t.come)
				return
			}
		}
	}
	g.free++
}
