package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

func mustCron(t testing.TB, text string) Cron {
	t.Helper()
	c, err := ParseCron(text)
	if err != nil {
		t.Fatalf("ParseCron(%q) = %v", text, err)
	}
	return c
}

// utc reads a time such as "2026-09-18 00:00".
func utc(t testing.TB, text string) muster.Instant {
	t.Helper()
	at, err := ParseTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestCronOccursWhenItSays(t *testing.T) {
	const after = "2026-09-18 00:00" // a Friday
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"midnight on the 18th, not the one that is now", "cron(0 0 18 * ? *)", []string{"2026-10-18 00:00", "2026-11-18 00:00", "2026-12-18 00:00", "2027-01-18 00:00"}},
		{"half past two on weekdays", "cron(30 2 ? * MON-FRI *)", []string{"2026-09-18 02:30", "2026-09-21 02:30"}},
		{"weekdays as numbers, Sunday being 1", "cron(30 2 ? * 2-6 *)", []string{"2026-09-18 02:30", "2026-09-21 02:30"}},
		{"names in any case", "cron(0 12 1 jan,Jul ? *)", []string{"2027-01-01 12:00", "2027-07-01 12:00"}},
		{"every quarter of an hour", "cron(0/15 * * * ? *)", []string{"2026-09-18 00:15", "2026-09-18 00:30", "2026-09-18 00:45", "2026-09-18 01:00"}},
		{"a step from the middle", "cron(50/4 0 * * ? *)", []string{"2026-09-18 00:50", "2026-09-18 00:54", "2026-09-18 00:58", "2026-09-19 00:50"}},
		{"a step within a range", "cron(10-20/5 0 * * ? *)", []string{"2026-09-18 00:10", "2026-09-18 00:15", "2026-09-18 00:20", "2026-09-19 00:10"}},
		{"a star with a step", "cron(0 */9 * * ? *)", []string{"2026-09-18 09:00", "2026-09-18 18:00", "2026-09-19 00:00"}},
		{"a range over midnight", "cron(0 23-1 * * ? *)", []string{"2026-09-18 01:00", "2026-09-18 23:00", "2026-09-19 00:00"}},
		{"a range over the weekend", "cron(0 6 ? * SAT-SUN *)", []string{"2026-09-19 06:00", "2026-09-20 06:00", "2026-09-26 06:00"}},
		{"a list", "cron(5,10 8,9 1,15 * ? *)", []string{"2026-10-01 08:05", "2026-10-01 08:10", "2026-10-01 09:05", "2026-10-01 09:10", "2026-10-15 08:05"}},
		{"the 31st skips short months", "cron(0 0 31 * ? *)", []string{"2026-10-31 00:00", "2026-12-31 00:00", "2027-01-31 00:00", "2027-03-31 00:00"}},
		{"the 29th of February waits for a leap year", "cron(0 0 29 2 ? *)", []string{"2028-02-29 00:00", "2032-02-29 00:00"}},
		{"the last day", "cron(0 0 L * ? *)", []string{"2026-09-30 00:00", "2026-10-31 00:00", "2026-11-30 00:00"}},
		{"the last weekday", "cron(0 0 LW * ? *)", []string{"2026-09-30 00:00", "2026-10-30 00:00", "2026-11-30 00:00", "2026-12-31 00:00", "2027-01-29 00:00"}},
		{"the weekday nearest to a Sunday is Monday", "cron(0 0 20W 9 ? *)", []string{"2026-09-21 00:00"}},
		{"the weekday nearest to a Saturday is Friday", "cron(0 0 19W 9 ? *)", []string{"2026-09-18 00:00", "2027-09-20 00:00"}[1:]},
		{"but it stays in its month at the beginning", "cron(0 0 1W 5 ? 2027)", []string{"2027-05-03 00:00"}},
		{"and at the end", "cron(0 0 31W 10 ? 2027)", []string{"2027-10-29 00:00"}},
		{"a month without the day has no weekday near it", "cron(0 0 31W * ? 2027)", []string{"2027-01-29 00:00", "2027-03-31 00:00"}},
		{"the second Tuesday", "cron(0 0 ? * 3#2 *)", []string{"2026-10-13 00:00", "2026-11-10 00:00"}},
		{"the fifth Monday, where there is one", "cron(0 0 ? * MON#5 *)", []string{"2026-11-30 00:00", "2027-03-29 00:00"}},
		{"the last Friday", "cron(0 0 ? * 6L *)", []string{"2026-09-25 00:00", "2026-10-30 00:00"}},
		{"the last Wednesday, when it is the last day", "cron(0 0 ? * WEDL *)", []string{"2026-09-30 00:00", "2026-10-28 00:00"}},
		{"the last day of the week is Saturday", "cron(0 0 ? * L *)", []string{"2026-09-19 00:00", "2026-09-26 00:00"}},
		{"one year only", "cron(0 0 1 1 ? 2030)", []string{"2030-01-01 00:00", "never"}},
		{"a step of years", "cron(0 0 1 1 ? 2026/2)", []string{"2028-01-01 00:00", "2030-01-01 00:00"}},
		{"the last year there is", "cron(59 23 31 12 ? 2199)", []string{"2199-12-31 23:59", "never"}},
		{"a year gone by", "cron(0 0 1 1 ? 2020)", []string{"never"}},
		{"a day that no month has", "cron(0 0 30 2 ? *)", []string{"never"}},
		{"spaces are free", "cron(  0   6\t? * MON * )", []string{"2026-09-21 06:00"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := mustCron(t, test.text)
			at := utc(t, after)
			for i, want := range test.want {
				next, ok := c.After(at)
				got := "never"
				if ok {
					got = FormatTime(next)
				}
				if got != want {
					t.Fatalf("%s: occurrence %d after %s = %s, want %s", test.text, i, FormatTime(at), got, want)
				}
				at = next
			}
		})
	}
}

func TestCronRefusesWhatItCannotRead(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                             "",
		"no wrapper":                          "0 0 18 * ? *",
		"another wrapper":                     "rate(5 minutes)",
		"an open end":                         "cron(0 0 18 * ? *",
		"five fields":                         "cron(0 0 18 * ?)",
		"seven fields":                        "cron(0 0 0 18 * ? *)",
		"no question mark":                    "cron(0 0 18 * MON *)",
		"two stars instead of one":            "cron(0 0 * * * *)",
		"two question marks":                  "cron(0 0 ? * ? *)",
		"a question mark elsewhere":           "cron(? 0 18 * ? *)",
		"a question mark in a list":           "cron(0 0 18,? * ? *)",
		"minute 60":                           "cron(60 0 18 * ? *)",
		"hour 24":                             "cron(0 24 18 * ? *)",
		"day 0":                               "cron(0 0 0 * ? *)",
		"day 32":                              "cron(0 0 32 * ? *)",
		"month 13":                            "cron(0 0 1 13 ? *)",
		"weekday 0":                           "cron(0 0 ? * 0 *)",
		"weekday 8":                           "cron(0 0 ? * 8 *)",
		"year 1969":                           "cron(0 0 1 1 ? 1969)",
		"year 2200":                           "cron(0 0 1 1 ? 2200)",
		"years backwards":                     "cron(0 0 1 1 ? 2030-2029)",
		"a sign":                              "cron(+5 0 1 1 ? *)",
		"a negative":                          "cron(-5 0 1 1 ? *)",
		"an empty item":                       "cron(5,,6 0 1 1 ? *)",
		"an open range":                       "cron(5- 0 1 1 ? *)",
		"a range of ranges":                   "cron(1-2-3 0 1 1 ? *)",
		"a step of nothing":                   "cron(0/ 0 1 1 ? *)",
		"a step of 0":                         "cron(0/0 0 1 1 ? *)",
		"a step longer than the field":        "cron(0/60 0 1 1 ? *)",
		"a step of days of the week":          "cron(0 0 ? * 2/2 *)",
		"L in the hours":                      "cron(0 L 1 1 ? *)",
		"an L with an offset":                 "cron(0 0 L-3 * ? *)",
		"a W without a day":                   "cron(0 0 W * ? *)",
		"a W of a range":                      "cron(0 0 1-5W * ? *)",
		"a W among days of the week":          "cron(0 0 ? * 2W *)",
		"the sixth Monday":                    "cron(0 0 ? * 2#6 *)",
		"the zeroth Monday":                   "cron(0 0 ? * 2#0 *)",
		"a hash in the days of the month":     "cron(0 0 2#1 * ? *)",
		"a month's name among the weekdays":   "cron(0 0 ? * JAN *)",
		"a number too long to be one":         "cron(00000 0 1 1 ? *)",
		"an expression longer than 256 bytes": "cron(" + strings.Repeat("1,", 130) + "1 0 1 1 ? *)",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCron(text)
			if !invalid(err) {
				t.Errorf("ParseCron(%q) = %v, want an Invalid error", text, err)
			}
		})
	}
}

// words are the names of months and days of the week.
var words = strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC SUN MON TUE WED THU FRI SAT")

// plain is a second implementation of cron expressions, which matches one minute against
// the six fields. It is slow and shares no code with Cron.
func plain(f []string, at time.Time) bool {
	last := at.AddDate(0, 1, -at.Day()).Day()
	workday := func(day int) bool {
		w := at.AddDate(0, 0, day-at.Day()).Weekday()
		return w != time.Saturday && w != time.Sunday
	}
	nearest := func(day int) int {
		for distance := range 4 {
			for _, d := range []int{day - distance, day + distance} {
				if d >= 1 && d <= last && day <= last && workday(d) {
					return d
				}
			}
		}
		return 0
	}
	any := func(items string, match func(item string) bool) bool {
		for item := range strings.SplitSeq(items, ",") {
			if match(item) {
				return true
			}
		}
		return false
	}
	number := func(word string) int {
		if n, err := strconv.Atoi(word); err == nil {
			return n
		}
		return slices.Index(words, word)%12 + 1
	}
	within := func(n, low, high int) func(string) bool {
		return func(item string) bool {
			item, by, stepped := strings.Cut(item, "/")
			from, to, ranged := strings.Cut(item, "-")
			a, b := number(from), number(to)
			switch {
			case item == "*":
				a, b = low, high
			case stepped && !ranged:
				b = high
			case !ranged:
				b = a
			}
			step := max(1, number(by))
			for x := a; ; x++ {
				if x > high {
					x = low
				}
				if x == n {
					d := x - a
					if d < 0 {
						d += high - low + 1
					}
					return d%step == 0
				}
				if x == b {
					return false
				}
			}
		}
	}
	day := func(item string) bool {
		if w, ok := strings.CutSuffix(item, "W"); ok && w != "L" {
			return nearest(number(w)) == at.Day()
		}
		switch item {
		case "L":
			return at.Day() == last
		case "LW":
			return nearest(last) == at.Day()
		}
		return within(at.Day(), 1, 31)(item)
	}
	week := func(item string) bool {
		w := int(at.Weekday()) + 1
		if item == "L" {
			return w == 7
		}
		if d, ok := strings.CutSuffix(item, "L"); ok {
			return number(d) == w && at.Day()+7 > last
		}
		if d, nth, ok := strings.Cut(item, "#"); ok {
			return number(d) == w && (at.Day()-1)/7+1 == number(nth)
		}
		return within(w, 1, 7)(item)
	}
	return any(f[0], within(at.Minute(), 0, 59)) && any(f[1], within(at.Hour(), 0, 23)) &&
		(f[2] == "?" || any(f[2], day)) && any(f[3], within(int(at.Month()), 1, 12)) &&
		(f[4] == "?" || any(f[4], week)) && any(f[5], within(at.Year(), yearMin, yearMax))
}

// randomCron returns a random expression.
func randomCron(r *rand.Rand) string {
	pick := func(choices ...string) string { return choices[r.IntN(len(choices))] }
	n := func(low, high int) string { return strconv.Itoa(low + r.IntN(high-low+1)) }
	item := func(low, high int) string {
		return pick("*", n(low, high), n(low, high)+","+n(low, high), n(low, high)+"-"+n(low, high), "*/"+n(1, high), n(low, high)+"/"+n(1, high))
	}
	day, week := "?", "?"
	if r.IntN(2) == 0 {
		day = pick("*", "L", "LW", n(1, 31)+"W", n(1, 31), n(1, 31)+"/"+n(1, 9), n(1, 31)+"-"+n(1, 31), "L,"+n(1, 31)+"W,5")
	} else {
		week = pick("*", "L", n(1, 7)+"L", n(1, 7)+"#"+n(1, 5), "MON-FRI", "FRI-MON", n(1, 7)+","+n(1, 7), n(1, 7)+"-"+n(1, 7))
	}
	return fmt.Sprintf("cron(%s %s %s %s %s %s)", item(0, 59), item(0, 23), day,
		pick("*", "*", "*", item(1, 12)), week, pick("*", "2026", "2026-2027", "2025/2"))
}

// TestCronMinuteByMinute compares Cron with plain for every minute of some months.
func TestCronMinuteByMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := randomCron(r)
		c := mustCron(t, text)
		fields := strings.Fields(text[len("cron(") : len(text)-1])
		from := time.Date(2026, time.Month(1+r.IntN(24)), 1, 0, 0, 0, 0, time.UTC)
		next, ok := c.After(muster.At(from) - 1)
		for at := from; at.Before(from.AddDate(0, 1, 0)); at = at.Add(time.Minute) {
			now := muster.At(at)
			if got, want := ok && next == now, plain(fields, at); got != want {
				t.Fatalf("seed %d, %s at %s: occurs = %t, want %t", seed, text, FormatTime(now), got, want)
			}
			if ok && next == now {
				next, ok = c.After(now)
			}
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, text := range []string{
		"cron(0 0 18 * ? *)", "cron(30 2 ? * MON-FRI *)", "cron(0/15 8-17 ? * 2#1,6L 2026-2030/2)",
		"cron(*/5 22-2 LW,15W,L DEC,1/3 ? *)", "cron(0 0 30 2 ? *)", "cron(? ? ? ? ? ?)", "cron()", "rate(1 day)",
	} {
		f.Add(text, int64(t0))
	}
	f.Fuzz(func(t *testing.T, text string, now int64) {
		c, err := ParseCron(text)
		if err != nil {
			return
		}
		at, ok := c.After(muster.Instant(now))
		if !ok {
			return
		}
		if at <= muster.Instant(now) || at%minute != 0 || at < 0 || at >= cronEnd {
			t.Fatalf("%q: After(%d) = %d", text, now, at)
		}
		if again, ok := c.After(at - 1); !ok || again != at {
			t.Fatalf("%q: After(%d) = %d, but After(%d) = %d", text, now, at, at-1, again)
		}
	})
}

func BenchmarkCronAfter(b *testing.B) {
	for _, text := range []string{"cron(* * * * ? *)", "cron(30 2 ? * MON-FRI *)", "cron(0 0 29 2 ? *)", "cron(0 0 30 2 ? *)"} {
		b.Run(text, func(b *testing.B) {
			c := mustCron(b, text)
			b.ReportAllocs()
			for b.Loop() {
				c.After(t0)
			}
		})
	}
}
