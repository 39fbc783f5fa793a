package rollout

import (
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
)

// cronLengthMax is the longest cron expression, in bytes.
const cronLengthMax = 256

// field is the syntax of one field of a cron expression.
type field struct {
	name     string
	min, max int
	words    []string // names of the values, starting with min, if they have names
	optional bool     // may be "?"
	stepless bool     // start/step is not allowed
	linear   bool     // a range must not wrap around, as FRI-MON does
}

var (
	minuteField = field{name: "minutes", min: 0, max: 59}
	hourField   = field{name: "hours", min: 0, max: 23}
	dayField    = field{name: "day-of-month", min: 1, max: 31, optional: true}
	monthField  = field{name: "month", min: 1, max: 12, words: []string{
		"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	weekField = field{name: "day-of-week", min: 1, max: 7, optional: true, stepless: true, words: []string{
		"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	yearField = field{name: "year", min: yearMin, max: yearMax, linear: true}
)

// ParseCron reads an expression such as "cron(0 0 18 * ? *)": minutes, hours,
// day of month, month, day of week, year, each with the wildcards of
// jobs-lifecycle.md section 9.2. Names of months and days may be in any case. It
// fails with an Invalid error that says what is wrong.
func ParseCron(text string) (Cron, error) {
	if len(text) > cronLengthMax {
		return Cron{}, muster.Errorf(muster.Invalid, "A cron expression has at most %d characters; this one has %d", cronLengthMax, len(text))
	}
	inner, opened := strings.CutPrefix(text, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	fields := strings.Fields(inner)
	if !opened || !closed || len(fields) != 6 {
		return Cron{}, muster.Errorf(muster.Invalid, "%q is not a cron expression in six fields, such as cron(0 2 ? * SUN *)", text)
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return Cron{}, muster.Errorf(muster.Invalid, "%q: exactly one of day-of-month and day-of-week must be ?", text)
	}
	var c Cron
	for i, f := range []struct {
		field
		read func(item string) bool
	}{
		{minuteField, func(s string) bool { return minuteField.read(s, c.minutes.add) }},
		{hourField, func(s string) bool { return hourField.read(s, c.hours.add) }},
		{dayField, c.days.read},
		{monthField, func(s string) bool { return monthField.read(s, c.months.add) }},
		{weekField, c.week.read},
		{yearField, func(s string) bool { return yearField.read(s, func(y int) { c.years.add(y - yearMin) }) }},
	} {
		if f.optional && fields[i] == "?" {
			continue
		}
		for item := range strings.SplitSeq(fields[i], ",") {
			if !f.read(item) {
				return Cron{}, muster.Errorf(muster.Invalid, "%q: the %s field cannot have %q", text, f.name, item)
			}
		}
	}
	return c, nil
}

// read calls add for each value of one item of the field: *, a value, a range, or one
// of these with a step. It reports whether the item is valid.
func (f field) read(item string, add func(int)) bool {
	item, by, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		var ok bool
		if step, ok = digits(by); !ok || f.stepless || step < 1 || step > f.max {
			return false
		}
	}
	from, to := f.min, f.max
	if item != "*" {
		low, high, ranged := strings.Cut(item, "-")
		var ok bool
		if from, ok = f.value(low); !ok {
			return false
		}
		switch {
		case ranged:
			if to, ok = f.value(high); !ok || (from > to && f.linear) {
				return false
			}
		case !stepped:
			to = from
		}
	}
	span := f.max - f.min + 1
	if from > to {
		to += span
	}
	for n := from; n <= to; n += step {
		add((n-f.min)%span + f.min)
	}
	return true
}

// value reads one value, a number or a name.
func (f field) value(text string) (int, bool) {
	for i, word := range f.words {
		if strings.EqualFold(word, text) {
			return f.min + i, true
		}
	}
	n, ok := digits(text)
	return n, ok && n >= f.min && n <= f.max
}

// read adds one item of the day-of-month field: L is the last day, LW the last
// weekday, 15W the weekday nearest to the 15th.
func (d *monthDays) read(item string) bool {
	switch item {
	case "L":
		d.last = true
		return true
	case "LW":
		d.lastWeekday = true
		return true
	}
	if day, ok := strings.CutSuffix(item, "W"); ok {
		n, ok := dayField.value(day)
		if ok {
			d.nearest.add(n)
		}
		return ok
	}
	return dayField.read(item, d.on.add)
}

// read adds one item of the day-of-week field: L is the last day of the week,
// 6L the last Friday of the month, 6#2 the second Friday.
func (w *weekDays) read(item string) bool {
	if item == "L" {
		w.on.add(weekField.max)
		return true
	}
	if day, ok := strings.CutSuffix(item, "L"); ok {
		n, ok := weekField.value(day)
		if ok {
			w.last.add(n)
		}
		return ok
	}
	if day, nth, ok := strings.Cut(item, "#"); ok {
		n, ok := weekField.value(day)
		i, nthOK := digits(nth)
		if ok = ok && nthOK && i >= 1 && i <= 5; ok {
			w.nth[i].add(n)
		}
		return ok
	}
	return weekField.read(item, w.on.add)
}

// digits reads a number of at most four digits, without a sign.
func digits(text string) (int, bool) {
	if len(text) > 4 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
