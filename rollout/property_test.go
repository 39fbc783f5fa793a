package rollout

import (
	"math/rand/v2"
	"testing"

	"github.com/muster-iot/muster"
)

// TestRolloutsKeepTheirProperties plays rollouts from random seeds: an engine
// that looks late, too early or not for a long time, that queues less than it
// may, that loses what it did not commit; devices that succeed; an operator who
// changes the rate and cancels.
func TestRolloutsKeepTheirProperties(t *testing.T) {
	for seed := range uint64(400) {
		playRandomly(t, seed)
	}
}

func FuzzRollout(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(playRandomly)
}

// tally is the test's own account of the minute in work.
type tally struct {
	queued int
	rate   int // the highest that was in force
}

func playRandomly(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	s := running(randomConfig(r))
	s.Maximum = []int{0, 1000}[r.IntN(2)]
	table := Timetable{}
	if r.IntN(3) == 0 {
		table = mustCompile(t, muster.Schedule{Windows: windows("cron(0/20 * * * ? *)", 5+r.IntN(10)), EndTime: FormatTime(t0.Minutes(600))})
	}

	minutes := map[muster.Instant]*tally{}
	total := int64(0)
	now := t0
	for range 300 {
		switch r.IntN(20) {
		case 0:
			s.Config = randomConfig(r)
		case 1:
			if r.IntN(10) == 0 {
				s.Status = muster.JobCanceled
			}
		case 2, 3:
			s.Counts = s.Counts.Add(muster.Succeeded, r.Int64N(total-s.Counts.Of(muster.Succeeded)+1))
		}
		s.Schedule = table.At(now)

		d := Plan(now, s)
		switch {
		case d != Plan(now, s):
			t.Fatalf("seed %d: Plan(%d, %+v) is not the same twice", seed, now, s)
		case d.Queue < 0 || (d.Wake != 0 && d.Wake <= now):
			t.Fatalf("seed %d: Plan(%d, %+v) = %+v", seed, now, s, d)
		case d.Queue > 0 && (s.Status != muster.JobInProgress || s.Schedule.Phase != Open):
			t.Fatalf("seed %d: %d may be queued in a job that is %s and %s", seed, d.Queue, s.Status, s.Schedule.Phase)
		case d.Pace.Step < s.Pace.Step || d.Pace.Notified != total || d.Pace.Minute < s.Pace.Minute:
			t.Fatalf("seed %d: the pace went from %+v to %+v with %d queued", seed, s.Pace, d.Pace, total)
		}
		if s.Status == muster.JobCanceled {
			return
		}

		n := min(d.Queue, 5000)
		if r.IntN(4) == 0 {
			n = r.IntN(n + 1)
		}
		if r.IntN(10) > 0 { // else the engine dies before it commits
			s.Pace = d.Pace.With(n)
			total += int64(n)
			if m := minutes[s.Pace.Minute]; m == nil {
				for begun := range minutes {
					if s.Pace.Minute < begun+minute {
						t.Fatalf("seed %d: a minute begins %d ms after another", seed, s.Pace.Minute-begun)
					}
				}
				minutes[s.Pace.Minute] = &tally{}
			}
			m := minutes[s.Pace.Minute]
			if s.Schedule.Phase == Open {
				m.rate = max(m.rate, Rate(s.Config, s.Maximum, s.Pace.Step))
			}
			if m.queued += n; m.queued > m.rate {
				t.Fatalf("seed %d: %d queued in a minute at a rate of %d", seed, m.queued, m.rate)
			}
		}
		now = nextLook(r, now, d.Wake)
	}
}

// nextLook is mostly when the planner asked for it.
func nextLook(r *rand.Rand, now, wake muster.Instant) muster.Instant {
	switch r.IntN(8) {
	case 0:
		return now + 1 + muster.Instant(r.IntN(500))
	case 1:
		return max(wake, now) + muster.Instant(r.IntN(100_000))
	case 2:
		return now // the next step of the same batch
	}
	return max(wake, now+1)
}

func randomConfig(r *rand.Rand) muster.RolloutConfig {
	var c muster.RolloutConfig
	if r.IntN(2) == 0 {
		c.MaximumPerMinute = 1 + r.IntN([]int{70, 2000, 1_000_000}[r.IntN(3)])
	}
	if r.IntN(2) == 0 {
		c.Exponential = exponential(1+r.IntN(1000), float64(11+r.IntN(40))/10, r.IntN(500), 1+r.IntN(500)).Exponential
	}
	return c
}

// TestOnTimeNoSixtySecondsSeeMoreThanTheRate holds a constant rate against
// every span of a minute, not only those that the planner counts in.
func TestOnTimeNoSixtySecondsSeeMoreThanTheRate(t *testing.T) {
	for _, rate := range []int{1, 3, 47, 59, 60, 250} {
		s := running(muster.RolloutConfig{MaximumPerMinute: rate})
		var at []muster.Instant // of each execution
		for now := t0; len(at) < 5*rate; {
			d := Plan(now, s)
			for range d.Queue {
				at = append(at, now)
			}
			s.Pace = d.Pace.With(d.Queue)
			now = d.Wake
		}
		for i := rate; i < len(at); i++ {
			if at[i]-at[i-rate] < minute {
				t.Fatalf("rate %d: executions %d to %d were queued within %d ms", rate, i-rate, i, at[i]-at[i-rate])
			}
		}
		if took := at[len(at)-1] - at[0]; took >= 5*minute {
			t.Errorf("rate %d: five minutes' worth took %d ms", rate, took)
		}
	}
}

// TestACrashLosesNothingAndRepeatsNothing stops a rollout after every single
// commit and goes on from the record: the same executions at the same instants.
func TestACrashLosesNothingAndRepeatsNothing(t *testing.T) {
	config := exponential(40, 1.5, 100, 0)
	var calm, crashing []muster.Instant
	for _, out := range []*[]muster.Instant{&calm, &crashing} {
		s := running(config)
		for now := t0; len(*out) < 2000; {
			d := Plan(now, s)
			n := d.Queue
			if out == &crashing {
				n = min(n, 1) // one execution per life of the process
			}
			for range n {
				*out = append(*out, now)
			}
			s.Pace = d.Pace.With(n)
			if n == d.Queue {
				now = d.Wake
			}
		}
	}
	for i := range 2000 {
		if calm[i] != crashing[i] {
			t.Fatalf("execution %d was queued at %d, want %d", i, crashing[i], calm[i])
		}
	}
}
