// Package flood bounds what callers cost who fail to prove who they are: how many
// lines they leave in the log, and how much of the processors it takes to find
// out. It turns nobody away, since one address may stand for a flood and for ten
// thousand devices: where many proofs have failed, the next ones are looked at a
// few at a time, and those of other addresses do not wait for them.
package flood

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of one minute.
const (
	// linesMax is how many failures of one address are logged one by one, and
	// allLinesMax how many of all addresses.
	linesMax, allLinesMax = 20, 300
	// suspectAfter is how many failures, of this minute and the one before, make
	// an address wait in the lane.
	suspectAfter = 100
	// addressesMax bounds the addresses told apart. Others share one count.
	addressesMax = 1024
	// namedMax is how many addresses the report at the end of a minute names.
	namedMax = 8

	window = time.Minute
	// reportEvery is how late the report of a minute may be.
	reportEvery = 10 * time.Second
)

// Options are the parts of a Guard. Now is required.
type Options struct {
	Now func() time.Time
	// Log is told once a minute how many failures were not logged one by one. Nil
	// discards it.
	Log *slog.Logger
}

// Guard counts failed proofs of identity by address. An IPv6 address counts with
// its network of 64 bits, which one customer has. A nil Guard limits nothing.
// Its methods may be called by many goroutines.
type Guard struct {
	o    Options
	lane chan struct{} // holds a token for each proof of a suspect that is looked at
	all  atomic.Int64  // failures in now and before

	mu          sync.Mutex // guards what follows
	end         time.Time  // of this minute
	lines       int        // logged in this minute
	now, before map[netip.Addr]*count
}

// count is what an address has done in a minute.
type count struct{ failed, logged int }

// New returns a Guard on o.
func New(o Options) *Guard {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Guard{o: o, lane: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/4)), now: map[netip.Addr]*count{}}
}

// Enter must be called before a proof from addr, a host with or without a port,
// is looked at, and leave after it. It returns at once unless many proofs from
// there have failed; then it waits until few are looked at, or fails with the
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

// Failed notes that addr failed to prove who it is. It reports whether that is
// to be logged; if not, it is part of the report at the end of the minute.
func (g *Guard) Failed(addr string) (log bool) {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn()
	c := g.now[g.place(addr)]
	if c == nil {
		c = &count{}
		g.now[g.place(addr)] = c
	}
	c.failed++
	g.all.Add(1)
	if c.logged >= linesMax || g.lines >= allLinesMax {
		return false
	}
	c.logged++
	g.lines++
	return true
}

// Run reports at the end of each minute, and when ctx ends, which ends it.
func (g *Guard) Run(ctx context.Context) {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			g.mu.Lock()
			g.turn()
			g.mu.Unlock()
		case <-ctx.Done():
			g.mu.Lock()
			defer g.mu.Unlock()
			g.report()
			return
		}
	}
}

func (g *Guard) suspect(addr string) bool {
	if g.all.Load() <= suspectAfter { // as nearly always
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn()
	place, failed := g.place(addr), 0
	for _, minute := range []map[netip.Addr]*count{g.now, g.before} {
		if c := minute[place]; c != nil {
			failed += c.failed
		}
	}
	return failed > suspectAfter
}

// place returns under what an address is counted: the zero address once there are
// too many.
func (g *Guard) place(addr string) netip.Addr {
	network := networkOf(addr)
	if _, known := g.now[network]; !known && len(g.now) >= addressesMax {
		return netip.Addr{}
	}
	return network
}

func networkOf(addr string) netip.Addr {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Addr{}
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip
	}
	network, _ := ip.WithZone("").Prefix(64) // which every IPv6 address has
	return network.Addr()
}

// turn begins the next minute when this one is over.
func (g *Guard) turn() {
	now := g.o.Now()
	if now.Before(g.end) {
		return
	}
	g.report()
	g.before = g.now
	if now.Sub(g.end) >= window { // a minute without a failure lies between
		g.before = nil
	}
	g.now, g.lines, g.end = map[netip.Addr]*count{}, 0, now.Add(window)
	all := 0
	for _, c := range g.before {
		all += c.failed
	}
	g.all.Store(int64(all))
}

// report logs what was not logged one by one.
func (g *Guard) report() {
	type row struct {
		addr  netip.Addr
		count int
	}
	var rows []row
	for addr, c := range g.now {
		if c.failed > c.logged {
			rows = append(rows, row{addr, c.failed - c.logged})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(b.count-a.count, a.addr.Compare(b.addr)) })
	rest := 0
	for i, r := range rows {
		if i >= namedMax || !r.addr.IsValid() {
			rest += r.count
			continue
		}
		g.o.Log.Warn("requests that proved no identity, not logged one by one", "remote", r.addr.String(), "count", r.count)
	}
	if rest > 0 {
		g.o.Log.Warn("requests that proved no identity, not logged one by one", "remote", "other addresses", "count", rest)
	}
}
