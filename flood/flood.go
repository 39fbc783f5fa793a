// Package flood bounds the cost of failed authentications: the log lines that they
// write and the processor time that checking them takes. It never refuses a caller,
// since one address may be the source of a flood and of ten thousand devices at
// once. Instead, requests from an address with many failures are checked a few at a
// time, while those of other addresses are checked at once.
package flood

import (
	"context"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/internal/loglimit"
)

// Limits of one minute.
const (
	// linesMax and allLinesMax bound the failures that are logged: of one address,
	// and of all together.
	linesMax, allLinesMax = 20, 300
	// suspectAfter is the number of failures after which an address must wait for
	// the lane.
	suspectAfter = 100

	window = time.Minute
)

// cellsMax is the number of counters. Addresses are hashed to them; those that share
// one share its count.
const cellsMax = 1024

// Guard counts failed authentications by address. An IPv6 address counts as its /64
// network, which usually belongs to one customer. A nil Guard limits nothing. Its
// methods may be called by many goroutines.
type Guard struct {
	now   func() time.Time
	lines *loglimit.Limiter
	lane  chan struct{} // holds a token for each request of a suspect address that is being checked
	// suspectedUntil is the instant after which no address is suspect, in
	// nanoseconds since the epoch.
	suspectedUntil atomic.Int64
	seed           maphash.Seed

	mu    sync.Mutex // guards what follows
	cells [cellsMax]cell
}

// cell counts the failures of one window.
type cell struct {
	began  time.Time
	failed int
}

// New returns a Guard that reads the clock with now.
func New(now func() time.Time) *Guard {
	return &Guard{
		now: now, lines: loglimit.New(linesMax, allLinesMax), seed: maphash.MakeSeed(),
		lane: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/4)),
	}
}

// Enter must be called before a request from addr, a host with or without a port,
// is authenticated, and leave after that. It returns at once unless many have failed
// from there within a minute; then it waits for its turn, or fails with the error of
// ctx.
func (g *Guard) Enter(ctx context.Context, addr string) (leave func(), err error) {
	if g == nil || !g.suspect(addr) {
		return func() {}, nil
	}
	select {
	case g.lane <- struct{}{}:
		return func() { <-g.lane }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Log writes the log event of a request from addr. When its sender is not
// authenticated, some events are left out and counted in the next one of that
// address; those of level error are always written.
func (g *Guard) Log(ctx context.Context, log *slog.Logger, level slog.Level, text, addr string, authenticated bool, attrs ...slog.Attr) {
	if g != nil && !authenticated {
		left, ok := g.failed(addr)
		if !ok && level < slog.LevelError {
			return
		}
		attrs = append(attrs, loglimit.LeftOut(left))
	}
	log.LogAttrs(ctx, level, text, attrs...)
}

// failed counts a failure. It reports whether to log it, and how many were left out
// before it.
func (g *Guard) failed(addr string) (left uint64, log bool) {
	network, now := loglimit.Network(addr), g.now()
	g.mu.Lock()
	c := g.cell(network)
	if age := now.Sub(c.began); age >= window || age < 0 { // the clock may be set back
		*c = cell{began: now}
	}
	if c.failed++; c.failed > suspectAfter {
		g.suspectedUntil.Store(now.Add(window).UnixNano())
	}
	g.mu.Unlock()
	return g.lines.Take(network, now)
}

// suspect reports whether many requests from addr have failed within a window.
func (g *Guard) suspect(addr string) bool {
	now := g.now()
	if now.UnixNano() > g.suspectedUntil.Load() { // the usual case, without the lock
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.cell(loglimit.Network(addr))
	return c.failed > suspectAfter && now.Sub(c.began) < window
}

func (g *Guard) cell(network string) *cell {
	return &g.cells[maphash.String(g.seed, network)%cellsMax]
}
