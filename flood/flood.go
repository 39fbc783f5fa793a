// Package flood bounds what callers cost who do not prove who they are: how many
// lines they leave in the log, and how much of the processors it takes to find
// out. It turns nobody away, since one address may stand for a flood and for ten
// thousand devices: where many proofs have failed, the next ones are checked a
// few at a time, and those of other addresses do not wait for them.
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
	// linesMax is how many failures of one address are logged, and allLinesMax
	// how many of all addresses.
	linesMax, allLinesMax = 20, 300
	// suspectAfter is how many failures make an address wait in the lane.
	suspectAfter = 100

	window = time.Minute
)

// cellsMax is how many addresses are told apart at best. Those that share a cell
// share its count.
const cellsMax = 1024

// Guard counts failed proofs of identity by address. An IPv6 address counts with
// its network of 64 bits, which one customer has. A nil Guard limits nothing.
// Its methods may be called by many goroutines.
type Guard struct {
	now   func() time.Time
	lines *loglimit.Limiter
	lane  chan struct{} // holds a token for each proof of a suspect that is being checked
	// suspectedUntil is when the last suspicion ends, in nanoseconds since the epoch.
	suspectedUntil atomic.Int64
	seed           maphash.Seed

	mu    sync.Mutex // guards what follows
	cells [cellsMax]cell
}

// cell is how often proofs have failed in a window.
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

// Enter must be called before a proof from addr, a host with or without a port,
// is checked, and leave after it. It returns at once unless many proofs from
// there have failed; then it waits until few are being checked, or fails with the
// error of ctx.
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

// Log writes the one event that a request from addr leaves. Of requests whose
// sender is not proven some are left out, and counted in the next line about
// that address; those with level error are all written.
func (g *Guard) Log(ctx context.Context, log *slog.Logger, level slog.Level, text, addr string, proven bool, attrs ...slog.Attr) {
	if g != nil && !proven {
		left, ok := g.failed(addr)
		if !ok && level < slog.LevelError {
			return
		}
		attrs = append(attrs, loglimit.LeftOut(left))
	}
	log.LogAttrs(ctx, level, text, attrs...)
}

// failed notes a failure. It reports whether that is to be logged, and how many
// were not before it.
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

// suspect reports whether many proofs from addr have failed within a window.
func (g *Guard) suspect(addr string) bool {
	now := g.now()
	if now.UnixNano() > g.suspectedUntil.Load() { // no source is suspected, as nearly always
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
