package rollout

import (
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

func TestParseTime(t *testing.T) {
	const day = "2026-09-18 06:05"
	for _, test := range []struct{ text, want string }{
		{"2026-09-18 06:05", day},
		{"2026-09-18T06:05", day},
		{"2026-09-18 06:05:00", day},
		{"2026-09-18T06:05:00", day},
		{"2026-09-18 06:05Z", day},
		{"2026-09-18T06:05Z", day},
		{"2026-09-18 06:05:00Z", day},
		{"2026-09-18T06:05:00Z", day},
		{"2026-09-18T06:05:59Z", day}, // written in whole minutes
		{"", ""},
		{"2026-09-18", ""},
		{"06:05", ""},
		{"2026-9-18 06:05", ""},
		{"2026-09-18 6:05", ""},
		{"2026-09-18 24:00", ""},
		{"2026-09-31 00:00", ""},
		{"2027-02-29 00:00", ""},
		{"2026-09-18t06:05", ""},
		{"2026-09-18 06:05z", ""},
		{"2026-09-18  06:05", ""},
		{"2026-09-18  6:05", ""},
		{"2026-09-18 06:05:00.5", ""},
		{"2026-09-18T06:05:00+02:00", ""},
		{" 2026-09-18 06:05", ""},
		{"1790000000", ""},
	} {
		got, err := ParseTime(test.text)
		switch {
		case test.want == "" && !invalid(err):
			t.Errorf("ParseTime(%q) = %d, %v; want an Invalid error", test.text, got, err)
		case test.want != "" && (err != nil || FormatTime(got) != test.want):
			t.Errorf("ParseTime(%q) = %s, %v; want %s", test.text, FormatTime(got), err, test.want)
		}
	}
	if got, err := ParseTime("2026-09-18T06:05:59Z"); err != nil || got != muster.At(time.Date(2026, 9, 18, 6, 5, 59, 0, time.UTC)) {
		t.Errorf("ParseTime keeps no seconds: %d, %v", got, err)
	}
}

// Earlier releases took such times, so jobs may have them: they go on.
func TestCompileTakesTheTimesOfEarlierReleases(t *testing.T) {
	s := muster.Schedule{StartTime: "2026-09-19  6:05", EndTime: "2026-09-20  7:05:00"}
	table, err := Compile(s)
	want := Timetable{
		start: muster.At(time.Date(2026, 9, 19, 6, 5, 0, 0, time.UTC)), end: muster.At(time.Date(2026, 9, 20, 7, 5, 0, 0, time.UTC)),
	}
	if err != nil || table.start != want.start || table.end != want.end {
		t.Errorf("Compile(%+v) = %+v, %v, want %+v", s, table, err, want)
	}
	for _, s := range []muster.Schedule{{StartTime: s.StartTime}, {EndTime: s.EndTime}} {
		if err := CheckSchedule(s, muster.Continuous, t0); !invalid(err) {
			t.Errorf("CheckSchedule(%+v) = %v, want an Invalid error", s, err)
		}
	}
}

func TestCheckSchedule(t *testing.T) {
	// t0 is 2026-09-18 12:00:37.250; durations are measured from 12:00.
	night := windows("cron(0 2 * * ? *)", 60)
	for _, test := range []struct {
		name     string
		schedule muster.Schedule
		ok       bool
	}{
		{"nothing", muster.Schedule{}, true},
		{"a start in 30 minutes", muster.Schedule{StartTime: "2026-09-18 12:30"}, true},
		{"a start in 29 minutes", muster.Schedule{StartTime: "2026-09-18 12:29"}, false},
		{"a start in the past", muster.Schedule{StartTime: "2025-09-18 12:29"}, false},
		{"a start in a year", muster.Schedule{StartTime: "2027-09-18 12:00"}, true},
		{"a start in more than a year", muster.Schedule{StartTime: "2027-09-18 12:01"}, false},
		{"a start that is no time", muster.Schedule{StartTime: "tomorrow"}, false},
		{"an end in 30 minutes", muster.Schedule{EndTime: "2026-09-18 12:30"}, true},
		{"an end in 29 minutes", muster.Schedule{EndTime: "2026-09-18 12:29"}, false},
		{"an end in two years", muster.Schedule{EndTime: "2028-09-18 12:00"}, true},
		{"an end in more than two years", muster.Schedule{EndTime: "2028-09-18 12:01"}, false},
		{"an end that is no time", muster.Schedule{EndTime: "2028"}, false},
		{"an end 30 minutes after the start", muster.Schedule{StartTime: "2026-09-20 12:00", EndTime: "2026-09-20 12:30"}, true},
		{"an end 29 minutes after the start", muster.Schedule{StartTime: "2026-09-20 12:00", EndTime: "2026-09-20 12:29"}, false},
		{"an end before the start", muster.Schedule{StartTime: "2026-09-20 12:00", EndTime: "2026-09-19 12:00"}, false},
		{"an end behavior without an end", muster.Schedule{EndBehavior: muster.ForceAtEnd}, true},
		{"an unknown end behavior", muster.Schedule{EndBehavior: "STOP"}, false},
		{"a window of a minute", muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 1)}, true},
		{"a window of nothing", muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 0)}, false},
		{"a window of 1430 minutes", muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 1430)}, true},
		{"a window of 1431 minutes", muster.Schedule{Windows: windows("cron(0 2 * * ? *)", 1431)}, false},
		{"a window that cannot be read", muster.Schedule{Windows: windows("0 2 * * *", 60)}, false},
		{"a window that never opens", muster.Schedule{Windows: windows("cron(0 0 30 2 ? *)", 60)}, false},
		{"a window that opens before the start only", muster.Schedule{StartTime: "2027-01-01 00:00", Windows: windows("cron(0 2 * * ? 2026)", 60)}, false},
		{"a window that is open for the last time", muster.Schedule{Windows: windows("cron(30 11 18 9 ? 2026)", 60)}, true},
		{"more windows than anyone needs", muster.Schedule{Windows: make([]muster.MaintenanceWindow, windowsMax+1)}, false},
		{"everything", muster.Schedule{StartTime: "2026-09-19T00:00Z", EndTime: "2026-10-19 00:00:00", EndBehavior: muster.CancelAtEnd, Windows: night}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "CheckSchedule", CheckSchedule(test.schedule, muster.Continuous, t0), test.ok)
		})
	}
	expect(t, "CheckSchedule of a snapshot job with windows", CheckSchedule(muster.Schedule{Windows: night}, muster.Snapshot, t0), false)
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2026-09-18 06:05", "2026-09-18T06:05:59Z", "0000-01-01 00:00", "9999-12-31T23:59:59", "2026-09-18 6:05:00.1", "2026-09-18  6:05"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseTime(text)
		if err != nil {
			return
		}
		written := FormatTime(at)
		if back, err := ParseTime(written); err != nil || back != at-(at%minute+minute)%minute {
			t.Errorf("ParseTime(%q) = %d, but its %q reads as %d, %v", text, at, written, back, err)
		}
		if written[:10] != text[:10] || written[11:16] != text[11:16] {
			t.Errorf("ParseTime(%q) is written as %q", text, written)
		}
	})
}
