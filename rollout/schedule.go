package rollout

import "github.com/muster-iot/muster"

// Phase is where a job is in its schedule.
type Phase uint8

// The phases. Open is the zero Phase, which a job without a schedule is always in.
const (
	Open   Phase = iota // it may roll out
	Early               // its start time has not been reached
	Closed              // it is outside its maintenance windows
	Ended               // its end time has been reached
)

var phaseNames = [...]string{"open", "early", "closed", "ended"}

func (p Phase) String() string { return phaseNames[p] }

// State is where a job is in its schedule at an instant. The Phase does not change
// before Next, and may be the same then; zero means that it never changes.
type State struct {
	Phase Phase
	Next  muster.Instant
}

// Timetable is a parsed Schedule. The zero Timetable is always open. It is immutable,
// so goroutines may share it.
type Timetable struct {
	start, end muster.Instant // zero when not given
	windows    []window       // none: open from start to end
}

// Compile parses s. It fails with Invalid when a time or a window is malformed.
// CheckSchedule has the further rules, which apply only when a job is created.
func Compile(s muster.Schedule) (Timetable, error) {
	var t Timetable
	var err error
	if s.StartTime != "" {
		if t.start, _, err = parseStored(s.StartTime); err != nil {
			return Timetable{}, err
		}
	}
	if s.EndTime != "" {
		if t.end, _, err = parseStored(s.EndTime); err != nil {
			return Timetable{}, err
		}
	}
	if len(s.Windows) > 0 {
		t.windows, err = compileWindows(s.Windows)
	}
	return t, err
}

// End returns the end time, zero without one.
func (t Timetable) End() muster.Instant { return t.end }

// At returns the state of the schedule at the instant now (jobs-lifecycle.md
// sections 2 and 9): early, then open, alternating with closed where there are
// windows, then ended. A window that opens before the start time is ignored. A window
// includes its start but not its end.
func (t Timetable) At(now muster.Instant) State {
	switch {
	case t.end != 0 && now >= t.end:
		return State{Phase: Ended}
	case now < t.start:
		return State{Early, t.start}
	case len(t.windows) == 0:
		return State{Open, t.end}
	}
	for s := range spans(t.windows, t.start, now, nowMax) {
		if s.start <= now {
			return State{Open, t.orEnd(s.end)}
		}
		return State{Closed, t.orEnd(s.start)}
	}
	return State{Closed, t.end}
}

// Upcoming returns the next n or fewer instants after now at which the windows open,
// for the scheduledJobRollouts of DescribeJob; nil for a job without windows. Windows
// that overlap open once, and none opens at or after the end time (jobs-lifecycle.md
// section 9.2).
func (t Timetable) Upcoming(now muster.Instant, n int) []muster.Instant {
	if len(t.windows) == 0 || n <= 0 {
		return nil
	}
	var starts []muster.Instant
	for s := range spans(t.windows, t.start, now, upcomingMax) {
		if len(starts) == n || (t.end != 0 && s.start >= t.end) {
			break
		}
		if s.start > now {
			starts = append(starts, s.start)
		}
	}
	return starts
}

// UpcomingShown is how many openings DescribeJob shows.
const UpcomingShown = 7

// orEnd returns the earlier of at and the end time.
func (t Timetable) orEnd(at muster.Instant) muster.Instant {
	if t.end != 0 {
		return min(at, t.end)
	}
	return at
}
