package rollout

import (
	"time"

	"github.com/muster-iot/muster"
)

// The limits of start and end time (jobs-lifecycle.md section 9.1).
const (
	aheadMinutes  = 30 // at least from now to either, and from start to end
	startYearsMax = 1  // at most from now to the start
	endYearsMax   = 2  // at most from now, and from the start, to the end
)

// timeLayouts are the formats of a start or end time.
var timeLayouts = []string{
	"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05",
	"2006-01-02 15:04Z", "2006-01-02 15:04:05Z", "2006-01-02T15:04Z", "2006-01-02T15:04:05Z",
}

// ParseTime parses a startTime or endTime such as "2026-09-18 00:00", in UTC. It also
// accepts a T between date and time, seconds, and a Z at the end (jobs-lifecycle.md
// J15). It fails with Invalid.
func ParseTime(text string) (muster.Instant, error) {
	at, layout, err := parseStored(text)
	if err == nil && at.Time().Format(layout) != text { // time.Parse also takes two spaces, and an hour of one digit
		err = errNoTime(text)
	}
	return at, err
}

// parseStored parses the time of a stored job, and returns its layout. Earlier releases
// took all that it takes, which is more than ParseTime does.
func parseStored(text string) (at muster.Instant, layout string, err error) {
	for _, layout := range timeLayouts {
		// time.Parse accepts a fraction of a second even if the layout has none.
		if len(text) != len(layout) {
			continue
		}
		if t, err := time.Parse(layout, text); err == nil {
			return muster.At(t), layout, nil
		}
	}
	return 0, "", errNoTime(text)
}

func errNoTime(text string) error {
	return muster.Errorf(muster.Invalid, "%q is not a time such as 2026-09-18 00:00", text)
}

// FormatTime formats a time so that ParseTime can parse it, rounded down to minutes.
func FormatTime(at muster.Instant) string { return at.Time().Format(timeLayouts[0]) }

// CheckSchedule returns an Invalid error unless s is valid for a job that is created
// at the instant now (jobs-lifecycle.md section 9.1). Durations are measured from the
// beginning of the minute of now, since clients usually give times without seconds.
func CheckSchedule(s muster.Schedule, selection muster.Selection, now muster.Instant) error {
	t, err := Compile(s)
	if err != nil {
		return err
	}
	for _, text := range []string{s.StartTime, s.EndTime} {
		if _, err := ParseTime(text); text != "" && err != nil {
			return err
		}
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

// checkWindows returns an error for windows of a job that is not continuous, and for a
// window that never opens: a job that can never roll out is a mistake.
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

// checkSpan returns an error unless at is at least aheadMinutes and at most that many
// years after since.
func checkSpan(name, sinceName string, since, at muster.Instant, years int) error {
	latest := muster.At(since.Time().AddDate(years, 0, 0))
	if at >= since.Minutes(aheadMinutes) && at <= latest {
		return nil
	}
	return muster.Errorf(muster.Invalid, "%s must be at least %d minutes and at most %d years after %s; %s is not between %s and %s",
		name, aheadMinutes, years, sinceName, FormatTime(at), FormatTime(since.Minutes(aheadMinutes)), FormatTime(latest))
}
