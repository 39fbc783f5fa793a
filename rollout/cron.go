package rollout

import (
	"time"

	"github.com/muster-iot/muster"
)

// The years that a cron expression can name.
const (
	yearMin = 1970
	yearMax = 2199
)

// cronEnd is the first instant after the last of these years.
var cronEnd = muster.At(time.Date(yearMax+1, 1, 1, 0, 0, 0, 0, time.UTC))

// Cron is a parsed cron expression of six fields, in UTC (jobs-lifecycle.md section
// 9.2). The zero Cron never occurs.
type Cron struct {
	minutes, hours, months numbers
	years                  numbers // counted from yearMin
	days                   monthDays
	week                   weekDays
}

// monthDays is the day-of-month field. A day that a month does not have does not
// occur in it. The nearest weekday is always in the same month.
type monthDays struct {
	on          numbers // these days
	nearest     numbers // the weekdays nearest to these days
	last        bool    // the last day
	lastWeekday bool    // the last weekday
}

// weekDays is the day-of-week field: Sunday is 1.
type weekDays struct {
	on   numbers
	last numbers    // the last such day of the month
	nth  [6]numbers // nth[n]: the nth such day of the month, n from 1
}

// After returns the first occurrence after t. It reports false when there is none
// before the end of the year 2199.
func (c *Cron) After(t muster.Instant) (muster.Instant, bool) {
	if t >= cronEnd {
		return 0, false
	}
	next := (max(t, -minute) + minute).Time() // the minute after the one of t
	year, month, day, hour, mins := next.Year()-yearMin, int(next.Month()), next.Day(), next.Hour(), next.Minute()
	for {
		// From year to minute, look for the first allowed value that is not before
		// the current one. When a unit changes, the smaller ones start from their
		// minimum; when it has no such value, the next larger one advances by one.
		y := c.years.from(year)
		if y < 0 {
			return 0, false
		}
		if y > year {
			year, month, day, hour, mins = y, 1, 1, 0, 0
		}
		m := c.months.from(month)
		if m < 0 {
			year, month, day, hour, mins = year+1, 1, 1, 0, 0
			continue
		}
		if m > month {
			month, day, hour, mins = m, 1, 0, 0
		}
		d := c.dayFrom(yearMin+year, time.Month(month), day)
		if d < 0 {
			month, day, hour, mins = month+1, 1, 0, 0
			continue
		}
		if d > day {
			day, hour, mins = d, 0, 0
		}
		h := c.hours.from(hour)
		if h < 0 {
			day, hour, mins = day+1, 0, 0
			continue
		}
		if h > hour {
			hour, mins = h, 0
		}
		if i := c.minutes.from(mins); i >= 0 {
			return muster.At(time.Date(yearMin+year, time.Month(month), day, hour, i, 0, 0, time.UTC)), true
		}
		hour, mins = hour+1, 0
	}
}

// dayFrom returns the first day of a month on which c occurs that is not before day,
// or -1.
func (c *Cron) dayFrom(year int, month time.Month, day int) int {
	first := int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday())
	length := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	weekday := func(day int) int { return (first+day-1)%7 + 1 }
	for ; day <= length; day++ {
		if c.days.have(day, length, weekday) || c.week.have(day, length, weekday(day)) {
			return day
		}
	}
	return -1
}

func (d *monthDays) have(day, length int, weekday func(int) int) bool {
	if d.on.has(day) || (d.last && day == length) ||
		(d.lastWeekday && day == nearestWeekday(length, weekday(length), length)) {
		return true
	}
	for n := d.nearest.from(1); n > 0 && n <= length; n = d.nearest.from(n + 1) {
		if day == nearestWeekday(n, weekday(n), length) {
			return true
		}
	}
	return false
}

func (d *weekDays) have(day, length, weekday int) bool {
	return d.on.has(weekday) || d.nth[(day+6)/7].has(weekday) || (day > length-7 && d.last.has(weekday))
}

// nearestWeekday returns the day from Monday to Friday that is nearest to day in a
// month with length days.
func nearestWeekday(day, weekday, length int) int {
	const sunday, saturday = 1, 7
	switch {
	case weekday == saturday && day == 1:
		return day + 2
	case weekday == saturday:
		return day - 1
	case weekday == sunday && day == length:
		return day - 2
	case weekday == sunday:
		return day + 1
	}
	return day
}
