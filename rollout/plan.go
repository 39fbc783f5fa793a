package rollout

import "github.com/muster-iot/muster"

// Spans of time in milliseconds.
const (
	second muster.Instant = 1000
	// minute is the span that rates are counted in.
	minute = 60 * second
	day    = 24 * 60 * minute
	// tick is the distance of the instants at which rollouts of 240 a minute and
	// more go on, and at which those of 60 and more begin to count. All jobs have
	// the same ticks, so that those which are due do their work together.
	tick = second / 4
)

// fastest is a rate that no engine keeps up with. Higher ones are taken for it,
// so that credit never overflows.
const fastest = 1 << 30

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
	// when only an event can tell. It holds once Queue is used up: a caller that
	// has done less, and has more to do, need not wait.
	Wake muster.Instant
	// Pace is to be stored, With what was queued, in the same transaction.
	Pace muster.Pace
}

// Plan says how many things a rollout may give executions at the instant now
// and when to ask again (jobs-lifecycle.md section 5.2, arbitration A8).
//
// A rate of n a minute is spread evenly: below 240, one execution every 60/n
// seconds, else what a quarter of a second brings at each quarter of the clock's
// seconds. The first slice, a second's worth and at least one, goes at once, in
// advance: what follows waits until its time has passed. Asked at each Wake,
// every minute since the start sees exactly n, and no span of s seconds more
// than n × s / 60 and one such slice.
//
// A caller that is less than a second late makes up for it. After more than
// that, after a stop or outside a maintenance window, the rollout begins again
// with a first slice: nothing is saved up. A new rate counts at once, with what
// was earned of the next execution; the exponential rate is raised where a
// minute begins and keeps its step. Should the clock be set back, the rollout
// goes on from where it was.
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
		p.At, p.Credit, p.Rate = 0, 0, 0
		return Decision{Queue: Unlimited, Wake: s.Schedule.Next, Pace: p}
	}
	grown := p.Step > s.Pace.Step && Rate(s.Config, s.Maximum, s.Pace.Step) == p.Rate
	p, ahead := earn(now, p, min(rate, fastest), grown)
	allowed := max(ahead, int(p.Credit/muster.ExecutionCredit), 0)
	wake := next(now, p.With(allowed))
	if s.Schedule.Next != 0 {
		wake = min(wake, s.Schedule.Next)
	}
	return Decision{Queue: allowed, Wake: wake, Pace: p}
}

// turn returns the pace in the minute that now belongs to.
func turn(now muster.Instant, s Snapshot) muster.Pace {
	p := s.Pace
	switch {
	case p.Minute == 0 || p.Minute > now:
		p.Minute = now
	case now >= p.Minute+minute:
		p.Minute += (now - p.Minute) / minute * minute
	default:
		return p
	}
	p.Step = advance(s.Config.Exponential, p.Step, p.Notified, s.Counts.Of(muster.Succeeded))
	return p
}

// earn returns the pace with what was earned by now, to go on at a rate; grown
// says that it is the same exponential one, a step higher. Where the rollout
// begins, or begins again, earn also returns the size of the first slice, which
// may be in advance. It is no more than was earned, at the rate in force until
// now, since something was given last.
func earn(now muster.Instant, p muster.Pace, rate int, grown bool) (_ muster.Pace, ahead int) {
	if p.Rate == 0 || now-p.At >= tooLate(p) {
		ahead = max(1, rate/60)
		if p.Rate > 0 {
			earned := p.Credit + int64(min(now-p.At, day))*int64(p.Rate)
			ahead = int(min(int64(ahead), earned/muster.ExecutionCredit))
		}
		p.At, p.Credit, p.Rate = aligned(now, rate), min(grain(rate), int64(ahead)*muster.ExecutionCredit), rate
		return p, ahead
	}
	if p.At > onTick(now) {
		p.At = now // the clock was set back
	}
	if now > p.At {
		p.Credit += int64(now-p.At) * int64(p.Rate)
		p.At = now
	}
	if p.Rate != rate {
		p = changed(now, p, rate, grown)
	}
	return p, 0
}

// tooLate returns how long after credit was counted the rollout has missed a
// second, and so begins again. A caller that asks once a second never does.
func tooLate(p muster.Pace) muster.Instant {
	r := int64(p.Rate)
	return muster.Instant((muster.ExecutionCredit + int64(second)*r - p.Credit + r - 1) / r)
}

// changed returns a pace as it goes on at another rate. It forgives what is left
// of an advance, which a lower rate would take too long to work off, and aligns
// the next execution.
func changed(now muster.Instant, p muster.Pace, rate int, grown bool) muster.Pace {
	if grown {
		p.Credit += grain(rate) - grain(p.Rate) // the minute begins with a tick of the new rate
	}
	if rate < p.Rate {
		p.Credit = min(p.Credit, grain(rate))
	}
	p.Credit, p.Rate = max(p.Credit, 0), rate
	if p.Credit < muster.ExecutionCredit {
		due := aligned(next(now, p), rate)
		p.Credit = muster.ExecutionCredit - int64(due-p.At)*int64(rate)
	}
	return p
}

// grain is the credit that a rollout waits for: one execution's or, where a
// tick brings more, that of a tick.
func grain(rate int) int64 { return max(muster.ExecutionCredit, int64(tick)*int64(rate)) }

// next returns when a rollout whose credit is used up has earned an execution.
func next(now muster.Instant, p muster.Pace) muster.Instant {
	r := int64(p.Rate)
	at := max(p.At+muster.Instant((muster.ExecutionCredit-p.Credit+r-1)/r), now+1)
	if grain(p.Rate) > muster.ExecutionCredit {
		return onTick(at)
	}
	return at
}

// aligned returns the first instant, not before at, at which a rollout of that
// rate begins to count: a tick, unless it gives less than an execution a second.
// Such a rollout begins exactly when it was asked for.
func aligned(at muster.Instant, rate int) muster.Instant {
	if rate < 60 {
		return at
	}
	return onTick(at)
}

// onTick returns the first tick that is not before an instant.
func onTick(at muster.Instant) muster.Instant { return (at + tick - 1) / tick * tick }
