package rollout

import "github.com/muster-iot/muster"

// minute is the span, in milliseconds, that rates are counted in.
const minute muster.Instant = 60_000

// spreadBelow is the rate from which a minute's executions are queued in one
// batch at its start. Lower rates are spread evenly (arbitration A8).
const spreadBelow = 60

// Snapshot is what the planner looks at.
type Snapshot struct {
	Status   muster.JobStatus
	Schedule State // of the job's Timetable at the same instant; the zero State is always open
	Config   muster.RolloutConfig
	Maximum  int // the server's maximumPerMinute for jobs that set none; zero is Unlimited
	Pace     muster.Pace
	Counts   muster.Counts // only the succeeded are looked at
}

// Decision is what a rollout should do now.
type Decision struct {
	// Queue is how many executions may be queued now: zero up to Unlimited.
	Queue int
	// Wake is when there will be more to queue, or the schedule changes; zero
	// when only an event can tell. It holds whether or not Queue is used up: who
	// has done less, and has more to do, need not wait.
	Wake muster.Instant
	// Pace is to be stored, With what was queued, in the same transaction.
	Pace muster.Pace
}

// Plan says how many things a rollout may give executions at the instant now
// and when to ask again (jobs-lifecycle.md section 5.2).
//
// The rollout is counted in minutes. The first begins with the rollout, each
// other 60 seconds after the one before it or, if nobody asked then, when
// somebody does: after a stop or outside a maintenance window nothing is saved
// up. No minute sees more than the rate. The exponential rate is raised where a
// minute begins; a new configuration counts at once, for the minute in work
// too, and keeps the step. Should the clock be set back, the minute in work
// begins again and keeps its count.
func Plan(now muster.Instant, s Snapshot) Decision {
	switch {
	case !s.Status.Active():
		return Decision{Pace: s.Pace}
	case s.Status != muster.JobInProgress || s.Schedule.Phase != Open:
		return Decision{Pace: s.Pace, Wake: s.Schedule.Next}
	}
	p := turn(now, s)
	rate := Rate(s.Config, s.Maximum, p.Step)
	if rate == Unlimited {
		return Decision{Queue: Unlimited, Wake: s.Schedule.Next, Pace: p}
	}
	due := rate
	if rate < spreadBelow {
		due = min(rate, int((now-p.Minute)*muster.Instant(rate)/minute)+1)
	}
	wake := p.Minute + minute
	if next := max(due, p.Queued); next < rate {
		wake = p.Minute + nth(next, rate)
	}
	if s.Schedule.Next != 0 {
		wake = min(wake, s.Schedule.Next)
	}
	return Decision{Queue: max(due-p.Queued, 0), Wake: wake, Pace: p}
}

// turn returns the pace in the minute that now belongs to.
func turn(now muster.Instant, s Snapshot) muster.Pace {
	p := s.Pace
	switch {
	case p.Minute == 0 || now >= p.Minute+minute:
		p.Minute, p.Queued = now, 0
		p.Step = advance(s.Config.Exponential, p.Step, p.Notified, s.Counts.Of(muster.Succeeded))
	case now < p.Minute:
		p.Minute = now
	}
	return p
}

// nth returns how long after the start of a minute the execution with index n
// is due at a rate that is spread: the first is 0.
func nth(n, rate int) muster.Instant {
	r := muster.Instant(rate)
	return (muster.Instant(n)*minute + r - 1) / r
}
