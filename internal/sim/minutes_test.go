package sim

import (
	"math"
	"slices"

	"github.com/muster-iot/muster"
)

// minutes holds a rollout's pace against its rate without knowing when the
// service begins to count: it keeps every way to cut the time so far into
// minutes, none shorter than 60 seconds, in which no minute saw more than the
// rate. When none is left, the rate was exceeded.
type minutes struct {
	cuts []cut
	last muster.Instant // when something was given last
	step int            // of an exponential rate; it never falls
}

// cut is a way in which the minute in work may have begun.
type cut struct {
	begun muster.Instant
	given int
	step  int // of the exponential rate, for all of the minute
}

// give adds n executions at an instant, and reports whether the rate allows it.
func (m *minutes) give(at muster.Instant, n int, c muster.RolloutConfig, limit int, notified, succeeded int64) bool {
	first := m.last == 0
	m.step = max(m.step, stepAt(c.Exponential, notified, succeeded))
	var next []cut
	add := func(begun muster.Instant, given, step int) {
		if given+n <= rateAt(c, limit, step) {
			next = append(next, cut{begun, given + n, step})
		}
	}
	if first {
		add(at, 0, m.step)
	}
	for _, x := range m.cuts {
		add(x.begun, x.given, x.step)
		if begins := max(x.begun+minute, m.last+1); begins <= at {
			add(begins, 0, m.step)
		}
	}
	m.last = at
	m.cuts = slices.DeleteFunc(next, func(x cut) bool {
		return slices.ContainsFunc(next, func(y cut) bool {
			return x != y && y.begun <= x.begun && y.given <= x.given && y.step >= x.step
		})
	})
	m.cuts = slices.Compact(m.cuts)
	return len(m.cuts) > 0
}

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
