package limits

import (
	"sync"
	"time"
)

// Throttle lets through so many requests a second, and after a pause a second's
// worth at once. Nil lets all through. Its methods may be called by many
// goroutines.
type Throttle struct {
	interval time.Duration // between two requests at full rate
	burst    time.Duration

	mu   sync.Mutex
	next time.Time // when the request after those let through would be on time
}

// NewThrottle returns a throttle of perSecond, nil when that is not positive.
func NewThrottle(perSecond float64) *Throttle {
	if perSecond <= 0 {
		return nil
	}
	interval := time.Duration(float64(time.Second) / perSecond)
	return &Throttle{interval: interval, burst: max(time.Second, interval) - interval}
}

// Allow reports whether a request at the instant now may pass, and counts it if
// so.
func (t *Throttle) Allow(now time.Time) bool {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next.Before(now) {
		t.next = now
	}
	if t.next.Sub(now) > t.burst {
		return false
	}
	t.next = t.next.Add(t.interval)
	return true
}
