// Package loglimit bounds the log lines that clients can cause: refused connections, failed signatures, denied requests.
// Each address, principal or device may have a few lines a minute (or an hour), and all together some more; the lines left out are
// counted, and the next line has their number. The memory does not grow with the number of clients.
package loglimit

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"time"
)

// cellsMax is the number of cells, into which keys are hashed. Keys that share a cell share its lines.
const cellsMax = 1024

// Limiter bounds the lines of one kind. Its methods may be called from any goroutine.
type Limiter struct {
	window    time.Duration // how long a line counts
	each, all int
	seed      maphash.Seed

	mu    sync.Mutex // guards what follows
	total bucket
	cells [cellsMax]cell
}

// bucket counts lines in a window.
type bucket struct {
	began time.Time
	lines int
}

type cell struct {
	bucket
	left uint64 // out since the last line
}

// New returns a Limiter that lets each key have the given number of lines a minute, and all keys together another. Both are at
// least 1.
func New(each, all int) *Limiter { return newLimiter(time.Minute, each, all) }

// NewHourly is New with an hour in place of the minute: for what a device does again and again until its owner changes it.
func NewHourly(each, all int) *Limiter { return newLimiter(time.Hour, each, all) }

func newLimiter(window time.Duration, each, all int) *Limiter {
	return &Limiter{window: window, each: each, all: all, seed: maphash.MakeSeed()}
}

// Take reports whether a line about key may be written at the instant now. left is how many were left out before it, since the
// last one about the same key.
func (l *Limiter) Take(key string, now time.Time) (left uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.cells[maphash.String(l.seed, key)%cellsMax]
	if !c.room(now, l.window, l.each) || !l.total.room(now, l.window, l.all) {
		c.left++
		return 0, false
	}
	c.lines++
	l.total.lines++
	left, c.left = c.left, 0
	return left, true
}

// room reports whether the window that now is in takes one more line. The clock may be set back.
func (b *bucket) room(now time.Time, window time.Duration, most int) bool {
	if age := now.Sub(b.began); age >= window || age < 0 {
		*b = bucket{began: now}
	}
	return b.lines < most
}

// LeftOut is the attribute of a line that tells how many were left out before it; for none it is empty, and not shown.
func LeftOut(n uint64) slog.Attr {
	if n == 0 {
		return slog.Attr{}
	}
	return slog.Uint64("left_out", n)
}
