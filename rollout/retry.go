package rollout

import "github.com/muster-iot/muster"

// Ending is an execution that has just ended, with what decides on its retry.
type Ending struct {
	Job      muster.JobStatus
	Schedule State // of the job's Timetable at the same instant; the zero State is always open
	Left     bool  // no target covers the thing any more
	Criteria []muster.RetryCriterion

	Status   muster.Status  // that it ended in
	Used     muster.Retries // that led to it
	QueuedAt muster.Instant
}

// Attempt is the execution that follows another one. It begins at version 1,
// QUEUED, without details or timers, under the next number.
type Attempt struct {
	Retries muster.Retries // to be stored with it; its Attempt() is the retryAttempt
	// QueuedAt is when it is to be queued: now, or the start of the next second
	// where the one before was queued in this (arbitration A9). Zero while the
	// job is outside its maintenance windows: when the next one opens, QueuedAfter
	// says.
	QueuedAt muster.Instant
}

// Retry reports whether an execution that ended at the instant now is followed
// by another, and by which (jobs-lifecycle.md section 10). An abort that the
// same ending causes comes first and is the caller's to look at (J22).
func Retry(now muster.Instant, e Ending) (Attempt, bool) {
	if !e.Job.Active() || e.Left || e.Schedule.Phase == Ended {
		return Attempt{}, false
	}
	for _, c := range e.Criteria {
		if c.Max <= used(c.Failure, e.Status, e.Used) {
			continue
		}
		next := Attempt{Retries: e.Used}
		if e.Status == muster.TimedOut {
			next.Retries.TimedOut++
		} else {
			next.Retries.Failed++
		}
		if e.Schedule.Phase == Open {
			next.QueuedAt = QueuedAfter(e.QueuedAt, now)
		}
		return next, true
	}
	return Attempt{}, false
}

// retriesMax is the most that a criterion may ask for, and all together.
const retriesMax = 10

// used returns how many retries count against a criterion for failure when an
// execution ended in status s; retriesMax when the criterion is not for s.
func used(failure muster.FailureType, s muster.Status, u muster.Retries) int {
	switch {
	case failure == muster.FailureFailed && s == muster.Failed:
		return u.Failed
	case failure == muster.FailureTimedOut && s == muster.TimedOut:
		return u.TimedOut
	case failure == muster.FailureAll && (s == muster.Failed || s == muster.TimedOut):
		return u.Attempt()
	}
	return retriesMax
}

// QueuedAfter returns the queuedAt of an execution that is queued now on a
// thing whose execution of the same job before it was queued at previous: now,
// but in a later whole second than previous (arbitration A9).
func QueuedAfter(previous, now muster.Instant) muster.Instant {
	return max(now, muster.Instant(previous.Seconds()+1)*1000)
}
