package pgstore

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The pauses between tries while the database is not there.
const (
	pauseMin = 20 * time.Millisecond
	pauseMax = 500 * time.Millisecond
)

// outage is a time during which the database is not there. All calls share it: those that
// begin when it has lasted for long do not wait for another outageMax each.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero while the database is there, as far as is known
}

// over says that the database has answered.
func (o *outage) over(log *slog.Logger) {
	o.mu.Lock()
	since := o.since
	o.since = time.Time{}
	o.mu.Unlock()
	if !since.IsZero() {
		log.Info("the database is there again", "after", time.Since(since).Round(time.Millisecond))
	}
}

// tries returns the tries of one call.
func (o *outage) tries() *tries { return &tries{outage: o, pause: pauseMin} }

type tries struct {
	outage *outage
	pause  time.Duration
}

// again waits a little and reports true, unless the outage has lasted for outageMax or
// ctx ends: then the call must fail with err.
func (t *tries) again(ctx context.Context, log *slog.Logger, err error) bool {
	t.outage.mu.Lock()
	first := t.outage.since.IsZero()
	if first {
		t.outage.since = time.Now()
	}
	lasted := time.Since(t.outage.since)
	t.outage.mu.Unlock()
	if first {
		log.Warn("the database is not there; trying again", "error", err)
	}
	if lasted >= outageMax {
		return false
	}
	timer := time.NewTimer(t.pause)
	defer timer.Stop()
	t.pause = min(2*t.pause, pauseMax)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fullEvery is how often it is logged that the database has no room: many transactions may
// fail for that each second, and the log may be on the same disk.
const fullEvery = time.Minute

// noRoom is that the database has none.
type noRoom struct {
	mu   sync.Mutex
	said time.Time // when that was logged last
}

// say logs err, which says that there is no room, unless that was done not long ago.
func (n *noRoom) say(log *slog.Logger, err error) {
	n.mu.Lock()
	due := time.Since(n.said) >= fullEvery
	if due {
		n.said = time.Now()
	}
	n.mu.Unlock()
	if due {
		log.Error("what needs room in the database is not stored", "error", err)
	}
}
