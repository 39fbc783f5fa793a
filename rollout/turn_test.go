package rollout

import (
	"testing"

	"github.com/muster-iot/muster"
)

// Turn says of each execution when play queues it, whatever the rate.
func TestTurnIsWhenPlanQueues(t *testing.T) {
	for _, config := range []muster.RolloutConfig{{MaximumPerMinute: 1}, {MaximumPerMinute: 50}, {MaximumPerMinute: 1000}, exponential(50, 2, 100, 0)} {
		s := running(config)
		for now, n := t0, 1; n <= 300; {
			d := Plan(now, s)
			for i := range d.Queue {
				if got := Turn(t0, running(config), Timetable{}, n+i); got != now {
					t.Fatalf("%+v: number %d is queued %d ms after the start, and Turn says %d", config, n+i, now-t0, got-t0)
				}
			}
			n += d.Queue
			s.Pace, now = d.Pace.With(d.Queue), d.Wake
		}
	}
}

func TestTurnWaitsForTheSchedule(t *testing.T) {
	for _, test := range []struct {
		name     string
		schedule muster.Schedule
		n        int
		want     muster.Instant
	}{
		{"a start ahead", muster.Schedule{StartTime: FormatTime(t0 + 60*minute)}, 1, t0 - t0%minute + 60*minute},
		{"an end before it", muster.Schedule{EndTime: FormatTime(t0 + 60*minute)}, 200, 0},
	} {
		table, err := Compile(test.schedule)
		if err != nil {
			t.Fatal(err)
		}
		s := Snapshot{Status: muster.JobScheduled, Config: muster.RolloutConfig{MaximumPerMinute: 1}}
		if got := Turn(t0, s, table, test.n); got != test.want {
			t.Errorf("%s: Turn = %d, want %d", test.name, got, test.want)
		}
	}
	over := Snapshot{Status: muster.JobCanceled}
	if got := Turn(t0, over, Timetable{}, 1); got != 0 {
		t.Errorf("a cancelled job has its turn at %d, want never", got)
	}
}
