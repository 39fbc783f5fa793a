package rollout

import "github.com/muster-iot/muster"

// Durations, in milliseconds.
const (
	second muster.Instant = 1000
	// minute is the unit of rates.
	minute = 60 * second
	day    = 24 * 60 * minute
	// tick is the interval at which rollouts of 240 per minute or more continue, and
	// to which those of 60 per minute or more align their start. Ticks are the same
	// for all jobs, so that the work of those that are due shares a transaction.
	tick = second / 4
)

// fastest caps rates, so that credit cannot overflow. No server reaches it.
const fastest = 1 << 30

// Snapshot is the input of Plan.
type Snapshot struct {
	Status   muster.JobStatus
	Schedule State // of the job's Timetable at the same instant; the zero State is always open
	Config   muster.RolloutConfig
	Maximum  int // the server's maximumPerMinute for jobs that set none; zero is Unlimited
	Pace     muster.Pace
	Counts   muster.Counts // only the count of SUCCEEDED is used
}

// Decision is what a rollout should do now.
type Decision struct {
	// Queue is how many executions may be queued now: 0 to Unlimited.
	Queue int
	// Wake is when more may be queued or the schedule changes; zero when only an
	// event can change the decision. It is right after all of Queue was queued: a
	// caller that queued fewer, and has more, need not wait for it.
	Wake muster.Instant
	// Pace must be stored in the same transaction, updated by Pace.With for the
	// executions that were queued.
	Pace muster.Pace
}

// Plan returns how many executions a rollout may queue at the instant now and when
// to call Plan again (jobs-lifecycle.md section 5.2, arbitration A8).
//
// A rate of n per minute is spread evenly: below 240, one execution every 60/n
// seconds; from 240 on, every quarter of a second the share of that quarter. The
// first slice, one second's share and at least one execution, is queued at once, in
// advance, and the next one only when its time has passed. When Plan is called at
// each Wake, exactly n executions are queued in every minute since the start, and in
// s seconds at most n × s / 60 plus one first slice.
//
// A caller that is less than a second late catches up. One that is later, because
// the server was stopped or the job was outside its maintenance windows, starts
// again with a first slice: unused rate is not saved. A changed rate takes effect at
// once and keeps the part of an execution that was earned. The exponential rate is
// raised only when a minute of the rollout begins. When the clock is set back, the
// rollout continues from where it was.
func Plan(now muster.Instant, s Snapshot) Decision {
	switch {
	case !s.Status.Active():
		return Decision{Pace: s.Pace}
	case s.Status != muster.JobInProgress || s.Schedule.Phase != Open:
		return Decision{Pace: s.Pace, Wake: s.Schedule.Next}
	}
	p := inMinute(now, s)
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

// inMinute returns the pace in the rollout's minute that contains now. Where that is a
// new minute, it raises the step of the exponential rate.
func inMinute(now muster.Instant, s Snapshot) muster.Pace {
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

// earn returns the pace with the credit that was earned by now, continuing at rate;
// grown says that rate is the same exponential rate, one or more steps higher. When
// the rollout starts, or starts again, earn also returns the size of the first slice,
// which is queued in advance. When it starts again, that slice is limited to the
// credit of p and what the old rate has earned since then.
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

// tooLate returns how long after credit was counted a caller is more than a second
// late, so that the rollout starts again. It is not reached by a caller that calls
// Plan once a second.
func tooLate(p muster.Pace) muster.Instant {
	r := int64(p.Rate)
	return muster.Instant((muster.ExecutionCredit + int64(second)*r - p.Credit + r - 1) / r)
}

// changed returns a pace that continues at another rate. It cancels the rest of an
// advance, which a lower rate would take too long to make up for, and aligns the next
// execution.
func changed(now muster.Instant, p muster.Pace, rate int, grown bool) muster.Pace {
	if grown {
		p.Credit += grain(rate) - grain(p.Rate) // the minute begins with a tick's share at the new rate
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

// grain is the credit for which a rollout waits before it queues: that of one
// execution or, if that is more, what the rate earns in a tick.
func grain(rate int) int64 { return max(muster.ExecutionCredit, int64(tick)*int64(rate)) }

// next returns when a rollout has earned its next execution, after now.
func next(now muster.Instant, p muster.Pace) muster.Instant {
	r := int64(p.Rate)
	at := max(p.At+muster.Instant((muster.ExecutionCredit-p.Credit+r-1)/r), now+1)
	if grain(p.Rate) > muster.ExecutionCredit {
		return onTick(at)
	}
	return at
}

// aligned returns the first instant, not before at, at which a rollout with that rate
// begins to earn credit: at itself below one execution per second, otherwise a tick.
func aligned(at muster.Instant, rate int) muster.Instant {
	if rate < 60 {
		return at
	}
	return onTick(at)
}

// onTick returns the first tick that is not before at.
func onTick(at muster.Instant) muster.Instant { return (at + tick - 1) / tick * tick }
