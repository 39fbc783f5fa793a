package muster

// Pace is how far a rollout has come in time: all that the planner of package
// rollout must remember to keep a rate across restarts. It is stored in the
// transaction that queues the executions which it counts. The zero Pace is that
// of a rollout which has not begun.
type Pace struct {
	Minute   Instant `json:"minute,omitzero"`    // when the minute in work began; zero before the first
	Queued   int     `json:"queued,omitempty"`   // executions queued in that minute
	Notified int64   `json:"notified,omitempty"` // executions queued by the rollout so far; no retries, and late joiners only where they are paced
	Step     int     `json:"step,omitempty"`     // increases of the exponential rate so far; only grows
}

// With returns p after the rollout queued n executions.
func (p Pace) With(n int) Pace {
	p.Queued += n
	p.Notified += int64(n)
	return p
}
