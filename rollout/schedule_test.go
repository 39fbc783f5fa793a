package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
)

func mustCompile(t testing.TB, s muster.Schedule) Timetable {
	t.Helper()
	table, err := Compile(s)
	if err != nil {
		t.Fatalf("Compile(%+v) = %v", s, err)
	}
	return table
}

func windows(given ...any) []muster.MaintenanceWindow {
	var all []muster.MaintenanceWindow
	for i := 0; i < len(given); i += 2 {
		all = append(all, muster.MaintenanceWindow{StartTime: given[i].(string), DurationMinutes: given[i+1].(int)})
	}
	return all
}

// line formats a state as its phase and Next.
func line(s State) string {
	if s.Next == 0 {
		return s.Phase.String()
	}
	return s.Phase.String() + ", " + FormatTime(s.Next)
}

func TestSchedule(t *testing.T) {
	night := windows("cron(0 2 * * ? *)", 90)
	for _, test := range []struct {
		name     string
		schedule muster.Schedule
		want     map[string]string // at which instant, what
	}{
		{"no schedule is always open", muster.Schedule{}, map[string]string{"2026-09-18 12:00": "open"}},
		{"a start time", muster.Schedule{StartTime: "2026-09-18 12:00"}, map[string]string{
			"2026-09-18 11:59": "early, 2026-09-18 12:00",
			"2026-09-18 12:00": "open",
		}},
		{"an end time", muster.Schedule{EndTime: "2026-09-18 12:00"}, map[string]string{
			"2026-09-18 11:59": "open, 2026-09-18 12:00",
			"2026-09-18 12:00": "ended",
		}},
		{"a window", muster.Schedule{Windows: night}, map[string]string{
			"2026-09-18 01:59": "closed, 2026-09-18 02:00",
			"2026-09-18 02:00": "open, 2026-09-18 03:30",
			"2026-09-18 03:29": "open, 2026-09-18 03:30",
			"2026-09-18 03:30": "closed, 2026-09-19 02:00",
		}},
		{"a start time within a window waits for the next", muster.Schedule{StartTime: "2026-09-18 02:30", Windows: night}, map[string]string{
			"2026-09-18 02:10": "early, 2026-09-18 02:30",
			"2026-09-18 02:30": "closed, 2026-09-19 02:00",
			"2026-09-19 02:00": "open, 2026-09-19 03:30",
		}},
		{"a start time at the start of a window", muster.Schedule{StartTime: "2026-09-18 02:00", Windows: night}, map[string]string{
			"2026-09-18 02:00": "open, 2026-09-18 03:30",
		}},
		{"an end time within a window", muster.Schedule{EndTime: "2026-09-18 02:30", Windows: night}, map[string]string{
			"2026-09-18 01:00": "closed, 2026-09-18 02:00",
			"2026-09-18 02:00": "open, 2026-09-18 02:30",
			"2026-09-18 02:30": "ended",
		}},
		{"an end time before the next window", muster.Schedule{EndTime: "2026-09-18 12:00", Windows: night}, map[string]string{
			"2026-09-18 04:00": "closed, 2026-09-18 12:00",
		}},
		{"a window over midnight", muster.Schedule{Windows: windows("cron(30 23 * * ? *)", 60)}, map[string]string{
			"2026-09-18 00:15": "open, 2026-09-18 00:30",
			"2026-09-18 00:30": "closed, 2026-09-18 23:30",
		}},
		{"the longest window", muster.Schedule{Windows: windows("cron(0 0 * * ? *)", 1430)}, map[string]string{
			"2026-09-18 23:49": "open, 2026-09-18 23:50",
			"2026-09-18 23:50": "closed, 2026-09-19 00:00",
		}},
		{"windows that overlap or touch are one", muster.Schedule{
			Windows: windows("cron(0 2 * * ? *)", 60, "cron(30 2 * * ? *)", 10, "cron(0 3 * * ? *)", 60, "cron(15 3 * * ? *)", 60)},
			map[string]string{
				"2026-09-18 02:35": "open, 2026-09-18 04:15",
				"2026-09-18 04:15": "closed, 2026-09-19 02:00",
			}},
		{"windows that begin together last as the longest", muster.Schedule{
			Windows: windows("cron(0 2 * * ? *)", 10, "cron(0 2 * * ? *)", 60)}, map[string]string{
			"2026-09-18 02:30": "open, 2026-09-18 03:00",
		}},
		{"windows that are over", muster.Schedule{Windows: windows("cron(0 2 1 1 ? 2026)", 60)}, map[string]string{
			"2026-01-01 02:30": "open, 2026-01-01 03:00",
			"2026-01-01 03:00": "closed",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := mustCompile(t, test.schedule)
			for at, want := range test.want {
				if got := line(table.At(utc(t, at))); got != want {
					t.Errorf("At(%s) = %s, want %s", at, got, want)
				}
			}
		})
	}
}

func TestUpcomingOpenings(t *testing.T) {
	const now = "2026-09-18 02:30"
	for _, test := range []struct {
		name     string
		schedule muster.Schedule
		want     string
	}{
		{"no windows, no list", muster.Schedule{StartTime: "2026-09-19 00:00"}, ""},
		{"seven months", muster.Schedule{Windows: windows("cron(0 0 18 * ? *)", 60)},
			"2026-10-18 00:00, 2026-11-18 00:00, 2026-12-18 00:00, 2027-01-18 00:00, 2027-02-18 00:00, 2027-03-18 00:00, 2027-04-18 00:00"},
		{"the open one is not to come", muster.Schedule{Windows: windows("cron(0 2 ? * FRI 2026)", 60), EndTime: "2026-10-01 00:00"},
			"2026-09-25 02:00"},
		{"one at the end time is left out", muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 60), EndTime: "2026-09-20 02:00"},
			"2026-09-19 02:00"},
		{"those before the start time too", muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 60), StartTime: "2026-09-20 02:00", EndTime: "2026-09-21 03:00"},
			"2026-09-20 02:00, 2026-09-21 02:00"},
		{"an overlap opens once", muster.Schedule{EndTime: "2026-09-19 12:00", Windows: windows("cron(0 2 * * ? *)", 90, "cron(0 3,6 * * ? *)", 60)},
			"2026-09-18 06:00, 2026-09-19 02:00, 2026-09-19 06:00"},
		{"windows that never close do not open again", muster.Schedule{Windows: windows("cron(0 * * * ? *)", 60)}, ""},
		{"not even in every minute", muster.Schedule{Windows: windows("cron(* * * * ? *)", 1430)}, ""},
		{"minutes that follow each other open once", muster.Schedule{Windows: windows("cron(* * ? * SAT-SUN *)", 1), EndTime: "2026-10-01 12:00"},
			"2026-09-19 00:00, 2026-09-26 00:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, at := range mustCompile(t, test.schedule).Upcoming(utc(t, now), UpcomingShown) {
				got = append(got, FormatTime(at))
			}
			if s := strings.Join(got, ", "); s != test.want {
				t.Errorf("Upcoming = %s\nwant       %s", s, test.want)
			}
		})
	}
}

func TestWindowsThatNeverCloseAreFollowedInSteps(t *testing.T) {
	table := mustCompile(t, muster.Schedule{Windows: windows("cron(* * * * ? *)", 1430)})
	now := t0
	for range 5 {
		s := table.At(now)
		if s.Phase != Open || s.Next <= now {
			t.Fatalf("At(%d) = %v, want open and a later look", now, s)
		}
		now = s.Next
	}
}

// TestScheduleMinuteByMinute compares Timetable with a direct definition: a minute is open if
// an occurrence began less than its duration ago and not before the start time. It also
// checks State.Next.
func TestScheduleMinuteByMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 2))
		var s muster.Schedule
		for range 1 + r.IntN(3) {
			text := fmt.Sprintf("cron(%d %d/%d * * ? *)", r.IntN(60), r.IntN(24), 1+r.IntN(23))
			s.Windows = append(s.Windows, windows(text, 1+r.IntN([]int{30, 400, 1430}[r.IntN(3)]))...)
		}
		from := utc(t, "2026-09-18 00:00")
		start := from + muster.Instant(r.IntN(3000))*minute
		end := start + muster.Instant(1+r.IntN(5000))*minute
		if r.IntN(2) == 0 {
			s.StartTime = FormatTime(start)
		} else {
			start = 0
		}
		s.EndTime = FormatTime(end)
		table := mustCompile(t, s)

		// open holds the minutes since first in which a window is open.
		first := from - 2000*minute
		open := make([]bool, (end-first)/minute+3000)
		for _, w := range table.windows {
			for at := w.after(max(first-w.length, start-1)); at < end; at = w.after(at) {
				for m := max(at, first); m < at+w.length; m += minute {
					open[(m-first)/minute] = true
				}
			}
		}
		var state State
		var opened []muster.Instant // when it opened, in the window sense
		was := Closed
		for now := first; now < end+10*minute; now += minute {
			want := Closed
			switch {
			case now >= end:
				want = Ended
			case now < start:
				want = Early
			case open[(now-first)/minute]:
				want = Open
			}
			got := table.At(now)
			if got.Phase != want {
				t.Fatalf("seed %d, %+v at %s: %s, want %s", seed, s, FormatTime(now), got.Phase, want)
			}
			if now < state.Next && (got.Phase != state.Phase || got.Next < state.Next) {
				t.Fatalf("seed %d, %+v at %s: %s, though it was to be %s", seed, s, FormatTime(now), line(got), line(state))
			}
			if want == Open && was != Open && now > from {
				opened = append(opened, now)
			}
			state, was = got, want
		}
		if got := table.Upcoming(from, len(opened)+1); !slices.Equal(got, opened) {
			t.Fatalf("seed %d, %+v: Upcoming = %v, want %v", seed, s, got, opened)
		}
	}
}

func BenchmarkScheduleAt(b *testing.B) {
	for name, given := range map[string][]muster.MaintenanceWindow{
		"nightly":   windows("cron(0 2 * * ? *)", 90),
		"unceasing": windows("cron(* * * * ? *)", 1430),
	} {
		b.Run(name, func(b *testing.B) {
			table := mustCompile(b, muster.Schedule{Windows: given})
			for b.Loop() {
				table.At(t0)
			}
		})
	}
}
