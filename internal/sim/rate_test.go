package sim

import (
	"math"

	"github.com/muster-iot/muster"
)

// rates checks a rollout against its rate, independently of how the service
// counts: in s seconds, for any s, there may be at most rate × s / 60 executions
// and one slice, which is a second's worth and at least one execution. That holds
// if a token bucket of the size of one slice never runs empty while the rate fills
// it and each execution takes a token. A step that is late may also give what was
// due before: then the bucket may hold that much more, and less than one execution
// beyond that.
type rates struct {
	begun bool
	at    muster.Instant // when it was filled last
	held  int64          // in parts of which one execution takes a minute's milliseconds
	rate  int            // in force since at
	step  int            // of an exponential rate; it never falls

	last  muster.Instant // when something was given
	pause muster.Instant // before that
}

// unlimited is a rate that no rollout reaches.
const unlimited = 1 << 30

// fill brings the bucket to an instant, at which the rate may have grown.
func (r *rates) fill(at muster.Instant, c muster.RolloutConfig, limit int, notified, succeeded int64) {
	r.step = max(r.step, stepAt(c.Exponential, notified, succeeded))
	now := min(rateAt(c, limit, r.step), unlimited)
	if r.begun && at > r.at {
		r.held += min(int64(at-r.at), int64(day)) * int64(max(r.rate, now))
		r.held = min(r.held, slice(unlimited))
	}
	r.at, r.rate = max(r.at, at), now
}

// give takes n executions out at an instant, in a step that came so late, and
// reports whether the rate allows it.
func (r *rates) give(at muster.Instant, n int, late muster.Instant, c muster.RolloutConfig, limit int, notified, succeeded int64) bool {
	r.fill(at, c, limit, notified, succeeded)
	room := slice(r.rate) + int64(late+1)*int64(r.rate) // the last millisecond is a whole one
	room = min(room, int64(second)*int64(r.rate)+int64(minute))
	if !r.begun || r.held > room {
		r.held = room
	}
	if at > r.last {
		r.last, r.pause = at, at-r.last
	}
	r.begun = true
	r.held -= int64(n) * int64(minute)
	return r.held >= 0 || r.rate == unlimited
}

// rested returns how long nothing had been given before an instant.
func (r *rates) rested(at muster.Instant) muster.Instant {
	if at == r.last {
		return r.pause
	}
	return at - r.last
}

// slice is what a rollout may give in one go.
func slice(rate int) int64 { return int64(max(1, rate/60)) * int64(minute) }

// stepAt is how often an exponential rate has grown.
func stepAt(x *muster.ExponentialRate, notified, succeeded int64) int {
	step := 0
	if x != nil && x.NotifiedThings > 0 {
		step = max(step, int(notified/int64(x.NotifiedThings)))
	}
	if x != nil && x.SucceededThings > 0 {
		step = max(step, int(succeeded/int64(x.SucceededThings)))
	}
	return step
}

// rateAt is the most that a minute may see: the job's own maximum, or else the
// server's limit, if there is one; below that an exponential rate.
func rateAt(c muster.RolloutConfig, limit, step int) int {
	if c.MaximumPerMinute > 0 {
		limit = c.MaximumPerMinute
	}
	if limit == 0 {
		limit = math.MaxInt
	}
	if c.Exponential == nil {
		return limit
	}
	rate := float64(c.Exponential.BasePerMinute)
	for range step {
		if rate *= c.Exponential.Factor; rate > float64(limit) {
			return limit
		}
	}
	return min(limit, max(1, int(math.Floor(rate+1e-6))))
}
