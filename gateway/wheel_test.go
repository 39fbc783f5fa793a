package gateway

import (
	"math/rand/v2"
	"testing"
	"time"
)

// bell remembers when it rang.
type bell struct {
	timer timer
	due   time.Time
	rang  []time.Time
}

func (b *bell) expire(now time.Time) { b.rang = append(b.rang, now) }

// timers returns how many timers are set.
func (w *wheel) timers() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.slots {
		for ; t != nil; t = t.next {
			n++
		}
	}
	return n
}

func TestWheelFiresEachTimerOnceAndInTime(t *testing.T) {
	start := time.Unix(1_790_000_000, 0)
	w := newWheel(time.Second, start)
	rnd := rand.New(rand.NewPCG(3, 4))
	var bells, stopped []*bell
	for i := range 2000 {
		b := &bell{due: start.Add(time.Duration(rnd.Int64N(int64(3 * time.Hour))))}
		w.set(&b.timer, b, start.Add(time.Duration(rnd.Int64N(int64(3*time.Hour)))))
		w.set(&b.timer, b, b.due) // the last setting counts
		if i%10 == 0 {
			w.stop(&b.timer)
			w.stop(&b.timer) // twice does no harm
			stopped = append(stopped, b)
			continue
		}
		bells = append(bells, b)
	}
	for now := start; now.Before(start.Add(4 * time.Hour)); now = now.Add(time.Duration(rnd.Int64N(int64(5 * time.Second)))) {
		w.advance(now)
		for _, b := range bells {
			if len(b.rang) == 0 && now.Sub(b.due) > 2*time.Second {
				t.Fatalf("at %v a timer due at %v has not fired", now.Sub(start), b.due.Sub(start))
			}
		}
	}
	for _, b := range bells {
		if len(b.rang) != 1 || b.rang[0].Before(b.due) {
			t.Fatalf("timer due at %v fired at %v", b.due, b.rang)
		}
	}
	for _, b := range stopped {
		if len(b.rang) != 0 {
			t.Fatalf("a stopped timer fired at %v", b.rang)
		}
	}
}

func TestWheelCatchesUpAfterALongSleep(t *testing.T) {
	start := time.Unix(1_790_000_000, 0)
	w := newWheel(time.Second, start)
	var near, far bell
	w.set(&near.timer, &near, start.Add(time.Minute))
	w.set(&far.timer, &far, start.Add(30*24*time.Hour))
	w.advance(start.Add(24 * time.Hour))
	if len(near.rang) != 1 || len(far.rang) != 0 {
		t.Errorf("after a day: near fired %d times, far %d; want 1 and 0", len(near.rang), len(far.rang))
	}
	w.advance(start.Add(31 * 24 * time.Hour))
	if len(far.rang) != 1 {
		t.Errorf("after a month: far fired %d times, want 1", len(far.rang))
	}
}
