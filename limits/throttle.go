package limits

import (
	"sync"
	"time"
)

// Throttle allows a number of requests per second and, after a pause, as many at once.
// A nil Throttle allows all. It is safe for concurrent use.
type Throttle struct {
	interval time.Duration // between two requests at full rate
	burst    time.Duration

	mu   sync.Mutex
	next time.Time // when the next request is due at full rate
}

// NewThrottle returns a throttle of perSecond requests, or nil, which allows all, when
// that is not positive.
func NewThrottle(perSecond float64) *Throttle {
	if perSecond <= 0 {
		return nil
	}
	interval := time.Duration(float64(time.Second) / perSecond)
	return &Throttle{interval: interval, burst: max(time.Second, interval) - interval}
}

// Allow reports whether a request at the time now is allowed, and counts it if so.
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
