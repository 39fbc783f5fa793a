package explain

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rollout"
)

const minute muster.Instant = 60_000

// Bounds of what is played.
const (
	stepsMax   = 5_000  // steps of a rollout
	minutesMax = 50_000 // minutes of a rate that grows
)

// given returns when, after now, the rollout gives the thing the job, and whether that is only likely: it is not if the rate is
// constant and what is ahead was counted. The instant is zero if it cannot be told, or is now.
func (m *matter) given() (at muster.Instant, likely bool) {
	switch {
	case m.rate() == rollout.Unlimited || m.Target.AtLeast:
	case m.job.Config.Rollout.Exponential != nil:
		at, likely = m.growing(), true
	default:
		at, likely = m.played(), m.Target.About
	}
	if at <= m.Now {
		return 0, false
	}
	return at, likely
}

// played plays the steps of a rollout at a constant rate until the thing's turn.
func (m *matter) played() muster.Instant {
	s := rollout.Snapshot{Status: muster.JobInProgress, Config: m.job.Config.Rollout, Maximum: m.Job.Maximum, Pace: m.job.Rollout.Pace}
	left := m.Target.Ahead
	at := max(m.Now, m.Job.Wake)
	for range stepsMax {
		s.Schedule = m.times.At(at)
		d := rollout.Plan(at, s)
		if d.Queue > left {
			return at
		}
		left -= d.Queue
		s.Pace = d.Pace.With(d.Queue)
		at, s.Pace, left = skip(at, s.Pace, s.Schedule.Next, left, d.Wake)
		if at == 0 {
			return 0
		}
	}
	return 0
}

// skip returns the next step after the one at an instant, and what is left then. Where it can, it skips whole minutes: each of
// them is like the one before, and gives as many things the job as the rate says.
func skip(at muster.Instant, p muster.Pace, until muster.Instant, left int, wake muster.Instant) (muster.Instant, muster.Pace, int) {
	if p.Rate <= 0 || p.At != at {
		return wake, p, left // it is closed, or begins to earn later
	}
	n := left / p.Rate
	if until != 0 {
		n = min(n, int((until-at)/minute)-1)
	}
	if n <= 0 {
		return wake, p, left
	}
	by := muster.Instant(n) * minute
	p.At, p.Minute, p.Notified = p.At+by, p.Minute+by, p.Notified+int64(n*p.Rate)
	return wake + by, p, left - n*p.Rate
}

// growing estimates the same for a rate that grows, by whole minutes, as if no more succeeded than has.
func (m *matter) growing() muster.Instant {
	x, p := m.job.Config.Rollout.Exponential, m.job.Rollout.Pace
	left, notified, step := m.Target.Ahead, p.Notified, p.Step
	for n := range minutesMax {
		rate := rollout.Rate(m.job.Config.Rollout, m.Job.Maximum, step)
		if left < rate {
			return m.Now + muster.Instant(n)*minute + minute*muster.Instant(left)/muster.Instant(rate)
		}
		left, notified = left-rate, notified+int64(rate)
		if x.NotifiedThings > 0 {
			step = max(step, int(notified/int64(x.NotifiedThings)))
		}
	}
	return 0
}
