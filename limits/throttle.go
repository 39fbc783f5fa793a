package limits

import (
	"sync"
	"time"
)

// Throttle allows a number of requests per second and, after a pause, as many at once.
// A nil Throttle allows all. It is safe for concurrent use.
type Throttle struct {
	whole time.Duration // between two requests at full rate of all processes

	mu       sync.Mutex
	interval time.Duration // between two requests at full rate
	burst    time.Duration
	next     time.Time // when the next request is due at full rate
}

// NewThrottle returns a throttle of perSecond requests, or nil, which allows all, when
// that is not positive.
func NewThrottle(perSecond float64) *Throttle {
	if perSecond <= 0 {
		return nil
	}
	t := &Throttle{whole: time.Duration(float64(time.Second) / perSecond)}
	t.Divide(1)
	return t
}

// Divide makes the rate a part of what it was made with: one of processes equal ones, between
// which requests are spread.
func (t *Throttle) Divide(processes int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interval = t.whole * time.Duration(max(1, processes))
	t.burst = max(time.Second, t.interval) - t.interval
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
