package dataplane

import (
	"sync"
	"time"
)

// throttle lets through so many requests a second, and after a pause as many at
// once. Nil lets all through.
type throttle struct {
	interval time.Duration // between two requests at full rate
	burst    time.Duration

	mu   sync.Mutex
	next time.Time // when the request after those let through would be on time
}

// newThrottle returns a throttle of perSecond, nil when that is not positive.
func newThrottle(perSecond float64) *throttle {
	if perSecond <= 0 {
		return nil
	}
	interval := time.Duration(float64(time.Second) / perSecond)
	return &throttle{interval: interval, burst: max(time.Second, interval) - interval}
}

// allow reports whether a request at the instant now may pass, and counts it.
func (t *throttle) allow(now time.Time) bool {
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
