package gateway

import (
	"errors"
	"runtime/debug"
	"time"
)

var errPanicked = errors.New("the authoriser failed")

// guarded recovers from panics of a Grant and answers "not permitted": it is asked in the middle of deliveries to and from
// many clients, which a panic would end.
type guarded struct {
	server    *Server
	unguarded Grant
}

func (g *guarded) catch() {
	if p := recover(); p != nil {
		g.server.count.panics.Add(1)
		g.server.log.Error("panic in an authority", "panic", p, "stack", string(debug.Stack()))
	}
}

func (g *guarded) Principal() string { return g.unguarded.Principal() }

func (g *guarded) Publish(name string, retain bool) (err error) {
	defer g.catch()
	err = errPanicked
	return g.unguarded.Publish(name, retain)
}

func (g *guarded) Subscribe(filter string) (err error) {
	defer g.catch()
	err = errPanicked
	return g.unguarded.Subscribe(filter)
}

func (g *guarded) Receive(name string) bool {
	defer g.catch()
	return g.unguarded.Receive(name)
}

// until returns the instant at which the grant's connection must end, zero for never.
func (g *guarded) until() (at time.Time) {
	defer g.catch()
	if b, ok := g.unguarded.(Bounded); ok {
		at = b.Until()
	}
	return at
}

// over reports whether that instant has come.
func (g *guarded) over(now time.Time) bool {
	at := g.until()
	return !at.IsZero() && !now.Before(at)
}
