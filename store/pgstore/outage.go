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
