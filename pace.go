package muster

// Pace is what the planner of package rollout must remember to keep a rate across
// restarts. It is stored in the transaction that queues the executions that it
// counts. The zero Pace is that of a rollout that has not begun.
type Pace struct {
	Minute   Instant `json:"minute,omitzero"`    // when the current minute of the rollout began; zero before the first
	At       Instant `json:"at,omitzero"`        // when Credit was counted; zero before the first count, and without a rate
	Credit   int64   `json:"credit,omitempty"`   // earned by At and not used, in units of 1/ExecutionCredit execution; negative after an advance
	Rate     int     `json:"rate,omitempty"`     // in executions per minute, since At
	Notified int64   `json:"notified,omitempty"` // executions queued by the rollout so far, without retries; late joiners only where they are paced
	Step     int     `json:"step,omitempty"`     // how often the exponential rate has been raised; never decreases
}

// ExecutionCredit is the credit that one execution costs. A rate of n per minute
// earns a credit of n per millisecond, so that credit is a whole number and no
// fraction is lost.
const ExecutionCredit = 60_000

// With returns the pace after the rollout queued n executions.
func (p Pace) With(n int) Pace {
	if p.Rate > 0 {
		p.Credit -= int64(n) * ExecutionCredit
	}
	p.Notified += int64(n)
	return p
}
