package rollout

import "github.com/muster-iot/muster"

// Ending is an execution that has just ended, and what its retry depends on.
type Ending struct {
	Job      muster.JobStatus
	Schedule State // of the job's Timetable at the same instant; the zero State is always open
	Left     bool  // the thing is in no target of the job any more
	Criteria []muster.RetryCriterion

	Status   muster.Status  // in which the execution ended
	Used     muster.Retries // the retries that led to it
	QueuedAt muster.Instant
}

// Attempt is the execution that retries another one. It begins at version 1, QUEUED,
// without details or timers, with the next number.
type Attempt struct {
	Retries muster.Retries // the retries that lead to it
	// QueuedAt is its queuedAt: now, or the start of the next second if the retried
	// execution was queued in this one (arbitration A9). It is zero while the job is
	// outside its maintenance windows: when the next one opens, use QueuedAfter.
	QueuedAt muster.Instant
}

// Retry reports whether an execution that ended at the instant now is retried, and
// returns the attempt (jobs-lifecycle.md section 10). The caller must call Abort
// first: a job that this execution aborts has no retries (J22).
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

// retriesMax bounds each criterion, and the sum of all criteria of a job.
const retriesMax = 10

// used returns how many of the retries u count against a criterion for failure when
// an execution ended in status s. It is retriesMax, which allows no retry, when the
// criterion does not apply to s.
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

// QueuedAfter returns the queuedAt of an execution that is queued now after another
// execution of the same job on the same thing, which was queued at previous: now, but
// at least in the next whole second after previous (arbitration A9).
func QueuedAfter(previous, now muster.Instant) muster.Instant {
	return max(now, muster.Instant(previous.Seconds()+1)*1000)
}
