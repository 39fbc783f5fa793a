package sim

import (
	"fmt"

	"github.com/muster-iot/muster"
)

const (
	second = muster.Instant(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// slack is how late the service may notice that a time has come
// (jobs-lifecycle.md section 8).
const slack = minute

// calendar is a job's schedule as the simulation ordered it, read by its own
// arithmetic.
type calendar struct {
	start, end muster.Instant // zero when there is none
	behavior   muster.EndBehavior
	windows    []window
}

// window opens at minute past every so many hours, counted from midnight UTC,
// for so many minutes.
type window struct {
	past, every, lasts int
}

func (w window) order() muster.MaintenanceWindow {
	hours := "*"
	if w.every > 1 {
		hours = fmt.Sprintf("0/%d", w.every)
	}
	return muster.MaintenanceWindow{StartTime: fmt.Sprintf("cron(%d %s * * ? *)", w.past, hours), DurationMinutes: w.lasts}
}

// opened returns when the window opened last at or before an instant.
func (w window) opened(at muster.Instant) muster.Instant {
	past, every := muster.Instant(w.past)*minute, muster.Instant(w.every)*hour
	return (at-past)/every*every + past
}

func (c calendar) order() muster.Schedule {
	s := muster.Schedule{EndBehavior: c.behavior}
	if c.start != 0 {
		s.StartTime = c.start.Time().Format("2006-01-02 15:04")
	}
	if c.end != 0 {
		s.EndTime = c.end.Time().Format("2006-01-02 15:04")
	}
	for _, w := range c.windows {
		s.Windows = append(s.Windows, w.order())
	}
	return s
}

func (c calendar) over(at muster.Instant) bool { return c.end != 0 && at >= c.end }

// open reports whether the job may give executions at an instant. A window that
// opened before the start time does not count.
func (c calendar) open(at muster.Instant) bool {
	if at < c.start || c.over(at) {
		return false
	}
	for _, w := range c.windows {
		if opened := w.opened(at); opened >= c.start && at < opened+muster.Instant(w.lasts)*minute {
			return true
		}
	}
	return len(c.windows) == 0
}

// wasOpen reports whether it was open at some time in the last slack, so that
// the service may not have noticed yet.
func (c calendar) wasOpen(at muster.Instant) bool {
	for back := muster.Instant(0); back <= slack; back += slack / 4 {
		if c.open(at - back) {
			return true
		}
	}
	return false
}
