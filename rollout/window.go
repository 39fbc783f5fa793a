package rollout

import (
	"iter"
	"math"

	"github.com/muster-iot/muster"
)

// windowMinutesMax is the longest maintenance window (jobs-lifecycle.md section 9.1).
const windowMinutesMax = 1430

// windowsMax bounds the windows of one job. The contract has no limit, but all of them
// are evaluated whenever the job is.
const windowsMax = 100

// Windows can overlap so that they never close. These bound how many occurrences spans
// joins to find the end of a span: nowMax is plenty for windows that do close, and
// upcomingMax is a week with an occurrence every minute.
const (
	nowMax      = 100
	upcomingMax = 7 * 24 * 60
)

// never is later than every occurrence.
const never = muster.Instant(math.MaxInt64)

// window is a parsed maintenance window.
type window struct {
	cron   Cron
	length muster.Instant
}

func compileWindows(given []muster.MaintenanceWindow) ([]window, error) {
	if len(given) > windowsMax {
		return nil, muster.Errorf(muster.Invalid, "A job may have at most %d maintenance windows; this one has %d", windowsMax, len(given))
	}
	windows := make([]window, len(given))
	for i, g := range given {
		if g.DurationMinutes < 1 || g.DurationMinutes > windowMinutesMax {
			return nil, muster.Errorf(muster.Invalid, "durationInMinutes must be 1 to %d; it is %d", windowMinutesMax, g.DurationMinutes)
		}
		cron, err := ParseCron(g.StartTime)
		if err != nil {
			return nil, err
		}
		windows[i] = window{cron, minute * muster.Instant(g.DurationMinutes)}
	}
	return windows, nil
}

// span is an interval during which at least one window is open without a gap. It does
// not include its end.
type span struct {
	start, end muster.Instant
	cut        bool // it continues after end, where the search stopped
}

// spans yields the spans that end after now, in order, and stops after one that is
// cut. Windows that overlap or touch are one span, of at most limit occurrences.
// Occurrences that begin before earliest are ignored. The first span may have begun
// earlier than its start says.
func spans(windows []window, earliest, now muster.Instant, limit int) iter.Seq[span] {
	return func(yield func(span) bool) {
		next := make([]muster.Instant, len(windows)) // the next occurrence of each window
		for i, w := range windows {
			next[i] = w.after(max(now-w.length, earliest-1))
		}
		s, merged := span{}, 0
		for {
			o := occurrence(windows, next)
			if merged > 0 && o.start <= s.end && merged < limit {
				s.end = max(s.end, o.end)
				merged++
				continue
			}
			s.cut = merged > 0 && o.start <= s.end
			if merged > 0 && (!yield(s) || s.cut) {
				return
			}
			if o.start == never {
				return
			}
			s, merged = o, 1
		}
	}
}

// occurrence returns the earliest occurrence in next, the longest if several windows
// open at the same time, and moves those windows to their following occurrence.
func occurrence(windows []window, next []muster.Instant) span {
	s := span{start: never}
	for _, at := range next {
		s.start = min(s.start, at)
	}
	if s.start == never {
		return s
	}
	for i, w := range windows {
		if next[i] == s.start {
			s.end = max(s.end, s.start+w.length)
			next[i] = w.after(s.start)
		}
	}
	return s
}

// after returns the first occurrence of w after t, or never.
func (w *window) after(t muster.Instant) muster.Instant {
	if at, ok := w.cron.After(t); ok {
		return at
	}
	return never
}
