package rollout

import (
	"time"

	"github.com/muster-iot/muster"
)

// The limits of start and end time (jobs-lifecycle.md section 9.1).
const (
	aheadMinutes  = 30 // least distance from now to either, and from one to the other
	startYearsMax = 1  // most distance from now to the start
	endYearsMax   = 2  // most distance from now, or the start, to the end
)

// timeLayouts are the forms of a start or end time.
var timeLayouts = []string{
	"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05",
	"2006-01-02 15:04Z", "2006-01-02 15:04:05Z", "2006-01-02T15:04Z", "2006-01-02T15:04:05Z",
}

// ParseTime reads a startTime or endTime such as "2026-09-18 00:00", in UTC. A T
// between the two parts, seconds and a final Z are allowed (jobs-lifecycle.md
// J15). It fails with Invalid.
func ParseTime(text string) (muster.Instant, error) {
	for _, layout := range timeLayouts {
		// time.Parse takes a fraction that the layout does not have.
		if len(text) != len(layout) {
			continue
		}
		if t, err := time.Parse(layout, text); err == nil {
			return muster.At(t), nil
		}
	}
	return 0, muster.Errorf(muster.Invalid, "%q is not a time such as 2026-09-18 00:00", text)
}

// FormatTime writes a time as ParseTime reads it, in whole minutes.
func FormatTime(at muster.Instant) string { return at.Time().Format(timeLayouts[0]) }

// CheckSchedule returns an Invalid error unless s may be the schedule of a job
// that is created at the instant now (jobs-lifecycle.md section 9.1). Distances
// are counted from the beginning of the minute of now, since the times that
// clients write have no seconds.
func CheckSchedule(s muster.Schedule, selection muster.Selection, now muster.Instant) error {
	t, err := Compile(s)
	if err != nil {
		return err
	}
	switch s.EndBehavior {
	case "", muster.StopRollout, muster.CancelAtEnd, muster.ForceAtEnd:
	default:
		return muster.Errorf(muster.Invalid, "endBehavior must be STOP_ROLLOUT, CANCEL or FORCE_CANCEL; it is %q", s.EndBehavior)
	}
	now -= now % minute
	if s.StartTime != "" {
		if err := checkSpan("startTime", "now", now, t.start, startYearsMax); err != nil {
			return err
		}
	}
	if s.EndTime != "" {
		if err := checkSpan("endTime", "now", now, t.end, endYearsMax); err != nil {
			return err
		}
	}
	if s.StartTime != "" && s.EndTime != "" {
		if err := checkSpan("endTime", "startTime", t.start, t.end, endYearsMax); err != nil {
			return err
		}
	}
	return checkWindows(s, selection, t, now)
}

// checkWindows returns an error unless the windows are of a continuous job, and
// open at least once: a job that can never roll out is a mistake.
func checkWindows(s muster.Schedule, selection muster.Selection, t Timetable, now muster.Instant) error {
	if len(s.Windows) > 0 && selection != muster.Continuous {
		return muster.Errorf(muster.Invalid, "Only a CONTINUOUS job can have maintenanceWindows")
	}
	for i, w := range t.windows {
		if w.after(max(now-w.length, t.start-1)) == never {
			return muster.Errorf(muster.Invalid, "The maintenance window %q never opens again", s.Windows[i].StartTime)
		}
	}
	return nil
}

// checkSpan returns an error unless at is at least aheadMinutes and at most
// years after since.
func checkSpan(name, sinceName string, since, at muster.Instant, years int) error {
	latest := muster.At(since.Time().AddDate(years, 0, 0))
	if at >= since.Minutes(aheadMinutes) && at <= latest {
		return nil
	}
	return muster.Errorf(muster.Invalid, "%s must be at least %d minutes and at most %d years after %s; %s is not between %s and %s",
		name, aheadMinutes, years, sinceName, FormatTime(at), FormatTime(since.Minutes(aheadMinutes)), FormatTime(latest))
}
