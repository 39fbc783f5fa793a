package rollout

import "github.com/muster-iot/muster"

// turnLooks bounds the calls of Plan by which Turn looks ahead.
const turnLooks = 20_000

// Turn returns when a rollout queues the n-th execution from now on, n from 1: it plays Plan ahead on a timetable as if
// nothing changed and each call came in time. s.Schedule is not looked at. It is zero if that is never, or is too far
// ahead to tell.
func Turn(now muster.Instant, s Snapshot, t Timetable, n int) muster.Instant {
	for range turnLooks {
		if s.Schedule = t.At(now); s.Schedule.Phase == Ended || !s.Status.Active() {
			return 0
		}
		if s.Schedule.Phase == Open {
			s.Status = muster.JobInProgress
		}
		d := Plan(now, s)
		if d.Queue >= n {
			return now
		}
		n -= d.Queue
		s.Pace = d.Pace.With(d.Queue)
		if d.Wake == 0 {
			return 0
		}
		now = d.Wake
	}
	return 0
}
