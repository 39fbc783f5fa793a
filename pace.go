package muster

// Pace is how far a rollout has come in time: all that the planner of package
// rollout must remember to keep a rate across restarts. It is stored in the
// transaction that queues the executions which it counts. The zero Pace is that
// of a rollout which has not begun.
type Pace struct {
	Minute   Instant `json:"minute,omitzero"`    // when the minute in work began; zero before the first
	At       Instant `json:"at,omitzero"`        // when Credit was counted; zero before the first time, and without a rate
	Credit   int64   `json:"credit,omitempty"`   // what the rate had earned by then and the rollout not used, in parts of ExecutionCredit; below zero after an advance
	Rate     int     `json:"rate,omitempty"`     // executions a minute that are earned since At
	Notified int64   `json:"notified,omitempty"` // executions queued by the rollout so far; no retries, and late joiners only where they are paced
	Step     int     `json:"step,omitempty"`     // increases of the exponential rate so far; only grows
}

// ExecutionCredit is the credit that one execution costs. A rate of n a minute
// earns n in a millisecond, so that no fraction is ever lost.
const ExecutionCredit = 60_000

// With returns p after the rollout queued n executions.
func (p Pace) With(n int) Pace {
	if p.Rate > 0 {
		p.Credit -= int64(n) * ExecutionCredit
	}
	p.Notified += int64(n)
	return p
}
