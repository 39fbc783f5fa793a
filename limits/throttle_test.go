package limits

import (
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	start := time.Unix(1_790_000_000, 0)
	for _, tt := range []struct {
		name      string
		perSecond float64
		after     time.Duration // a pause, after all that could pass at once
		first     int           // how many pass at once
		then      int           // how many pass at once after the pause
	}{
		{"without a rate everything passes", 0, 0, 1000, 1000},
		{"a second's worth passes at once, then nothing", 10, 0, 10, 0},
		{"after a tenth of a second one more", 10, 100 * time.Millisecond, 10, 1},
		{"no more than a second's worth is saved up", 10, time.Hour, 10, 10},
		{"a rate below one a second", 0.5, time.Second, 1, 0},
		{"a rate below one a second, in time", 0.5, 2 * time.Second, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			th := NewThrottle(tt.perSecond)
			if got := passing(th, start); got != tt.first {
				t.Errorf("%d pass at once, want %d", got, tt.first)
			}
			if got := passing(th, start.Add(tt.after)); got != tt.then {
				t.Errorf("%d pass %v later, want %d", got, tt.after, tt.then)
			}
		})
	}
}

// passing returns how many of a thousand requests are allowed.
func passing(th *Throttle, at time.Time) (n int) {
	for range 1000 {
		if th.Allow(at) {
			n++
		}
	}
	return n
}

func TestARateIsDivided(t *testing.T) {
	th, now := NewThrottle(12), time.Unix(1_790_000_000, 0)
	for _, step := range []struct{ processes, pass int }{{1, 12}, {3, 4}, {4, 3}, {0, 12}} {
		th.Divide(step.processes)
		now = now.Add(time.Hour)
		if got := passing(th, now); got != step.pass {
			t.Errorf("of 12 requests a second %d of %d processes pass at one, want %d", got, step.processes, step.pass)
		}
	}
	(*Throttle)(nil).Divide(3) // which allows all
}
