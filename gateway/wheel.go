package gateway

import (
	"sync"
	"time"
)

// wheelSlots is how many ticks one turn of the wheel takes: a little more than half an hour, so that the longest keep-alive
// (1.5 x 1,200 s) needs no second turn.
const wheelSlots = 2048

// wheel fires timers at whole ticks. Setting, moving and stopping one costs the same for any number of timers, and a
// tick looks only at those that may be due. A timer never fires early and at most one tick late.
type wheel struct {
	tick  time.Duration
	start time.Time

	mu    sync.Mutex // guards what follows and the links of all timers; a leaf
	now   int64      // ticks since start that were handled
	slots [wheelSlots]*timer
}

// timer is a place on a wheel; embed it in what it belongs to. The zero timer is stopped.
type timer struct {
	owner      expirer
	due        int64 // tick
	next, prev *timer
	set        bool
}

// expirer is called when its timer fires, by the wheel's goroutine and with nothing locked.
type expirer interface{ expire(now time.Time) }

func newWheel(tick time.Duration, start time.Time) *wheel { return &wheel{tick: tick, start: start} }

// set makes t fire for owner at the instant due, instead of when it was to fire before.
func (w *wheel) set(t *timer, owner expirer, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(t)
	t.owner, t.set = owner, true
	t.due = max(int64((due.Sub(w.start)+w.tick-1)/w.tick), w.now+1)
	slot := &w.slots[t.due%wheelSlots]
	t.prev, t.next = nil, *slot
	if t.next != nil {
		t.next.prev = t
	}
	*slot = t
}

// stop makes sure that t does not fire any more; a call to its owner may be under way.
func (w *wheel) stop(t *timer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(t)
}

func (w *wheel) unlink(t *timer) {
	if !t.set {
		return
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[t.due%wheelSlots] = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	*t = timer{owner: t.owner}
}

// advance fires all timers due at now.
func (w *wheel) advance(now time.Time) {
	for _, owner := range w.due(now) {
		owner.expire(now)
	}
}

// due takes the timers due at now off the wheel and returns their owners.
func (w *wheel) due(now time.Time) (owners []expirer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := int64(now.Sub(w.start) / w.tick)
	if last-w.now > wheelSlots { // a long sleep: one turn sees every timer
		w.now = last - wheelSlots
	}
	for w.now < last {
		w.now++
		for t := w.slots[w.now%wheelSlots]; t != nil; {
			next := t.next
			if t.due <= last {
				owners = append(owners, t.owner)
				w.unlink(t)
			}
			t = next
		}
	}
	return owners
}
