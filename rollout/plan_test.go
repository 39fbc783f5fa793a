package rollout

import (
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

// t0 is when the rollouts of these tests begin: in the middle of a minute of the clock.
var t0 = muster.At(time.Date(2026, 9, 18, 12, 0, 37, 250e6, time.UTC))

// play rolls out to things, calling Plan exactly at each Wake, and returns how many were
// queued in each minute since the start. With succeed, each execution succeeds as soon as
// it is queued.
func play(t *testing.T, s Snapshot, things int, succeed bool) []int {
	t.Helper()
	var queued []int
	for now := t0; things > 0; {
		d := Plan(now, s)
		n := min(d.Queue, things)
		for things -= n; n > 0; n-- {
			i := int((now - t0) / minute)
			queued = append(queued, make([]int, max(0, i+1-len(queued)))...)
			queued[i]++
			d.Pace = d.Pace.With(1)
			if succeed {
				s.Counts = s.Counts.Add(muster.Succeeded, 1)
			}
		}
		s.Pace = d.Pace
		if things > 0 && d.Wake <= now {
			t.Fatalf("Plan(%d, %+v) = %+v: nothing more is ever queued", now, s, d)
		}
		now = d.Wake
	}
	return queued
}

func running(c muster.RolloutConfig) Snapshot {
	return Snapshot{Status: muster.JobInProgress, Config: c}
}

func TestConstantRateOfTheContract(t *testing.T) {
	got := play(t, running(muster.RolloutConfig{MaximumPerMinute: 100}), 250, false)
	if len(got) != 3 || got[0] != 100 || got[1] != 100 || got[2] != 50 {
		t.Errorf("250 things at 100 a minute: %v, want [100 100 50]", got)
	}
}

// TestExponentialRateOfTheContract is the table of jobs-lifecycle.md section 5.3, which is
// idealized: it raises the rate within a batch.
func TestExponentialRateOfTheContract(t *testing.T) {
	config := exponential(50, 2, 1000, 1000)
	config.MaximumPerMinute = 1000
	got := play(t, running(config), 9000, false)
	for _, row := range []struct {
		notified int
		clock    time.Duration
	}{
		{1000, 20 * time.Minute},
		{2000, 30 * time.Minute},
		{3000, 35 * time.Minute},
		{4000, 37*time.Minute + 30*time.Second},
		{5000, 38*time.Minute + 45*time.Second},
	} {
		sum, minutes := 0, 0
		for sum < row.notified {
			sum += got[minutes]
			minutes++
		}
		if reached := time.Duration(minutes) * time.Minute; reached < row.clock-time.Minute || reached > row.clock+time.Minute {
			t.Errorf("%d were notified after %v, want %v give or take one batch (%v)", row.notified, reached, row.clock, got)
		}
	}
	if last := got[len(got)-2]; last != 1000 {
		t.Errorf("the rate ends at %d a minute, want 1000 (%v)", last, got)
	}
}

func TestRateWaitsForSuccesses(t *testing.T) {
	for i, n := range play(t, running(exponential(50, 2, 0, 1000)), 5000, false) {
		if n != 50 {
			t.Fatalf("minute %d: %d queued although no execution succeeded, want 50", i, n)
		}
	}
	got := play(t, running(exponential(50, 2, 0, 100)), 1000, true)
	want := []int{50, 50, 100, 200, 600} // step 1 at 100 successes, 2 at 200, 4 at 400
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("queued per minute = %v, want %v", got, want)
		}
	}
}

// onTime rolls out to things, calling Plan exactly at each Wake from begin on, and returns
// when each execution was queued.
func onTime(t *testing.T, rate int, begin muster.Instant, things int) []muster.Instant {
	t.Helper()
	s := running(muster.RolloutConfig{MaximumPerMinute: rate})
	at := make([]muster.Instant, 0, things)
	asks := things*min(rate, 240)/rate + 10
	for now := begin; len(at) < things; asks-- {
		if asks == 0 {
			t.Fatalf("rate %d: %d executions took more than 240 slices a minute", rate, len(at))
		}
		d := Plan(now, s)
		for range min(d.Queue, things-len(at)) {
			at = append(at, now)
		}
		if d.Wake <= now || d.Wake > now+minute+tick {
			t.Fatalf("rate %d: Plan(t0%+d, %+v) = %+v, which asks too soon or too late", rate, now-t0, s, d)
		}
		s.Pace = d.Pace.With(d.Queue)
		now = d.Wake
	}
	return at
}

func TestRatesBelow240AreOneExecutionEach(t *testing.T) {
	for _, rate := range []int{1, 7, 50, 59, 60, 61, 100, 119, 120, 179, 239} {
		first := max(1, rate/60)
		for i, at := range onTime(t, rate, t0, 3*rate) {
			r := muster.Instant(rate)
			want := t0 + (muster.Instant(i)*minute+r-1)/r
			if i < first {
				want = t0
			}
			if at != want {
				t.Fatalf("rate %d: execution %d queued %d ms after the start, want %d", rate, i, at-t0, want-t0)
			}
		}
	}
}

func TestHigherRatesGoByQuartersOfASecond(t *testing.T) {
	for _, rate := range []int{240, 241, 250, 1000, 5999, 100_000} {
		for i, at := range onTime(t, rate, t0, 3*rate) {
			want := t0 + muster.Instant(i*240/rate)*tick // the quarter in which an even spread comes to it
			if i < rate/60 {
				want = t0
			}
			if late := at - want; late < 0 || late > tick || late > 0 && i >= rate/60 && rate%240 == 0 {
				t.Fatalf("rate %d: execution %d queued %d ms after the start, want %d", rate, i, at-t0, want-t0)
			}
		}
	}
}

// A rollout of 60 per minute or more begins to earn credit at the next tick, and a faster
// one continues at ticks, so that jobs that were created at different times are due
// together.
func TestRolloutsShareTheirInstants(t *testing.T) {
	for _, rate := range []int{60, 120, 240, 1000, 100_000} {
		for _, later := range []muster.Instant{0, 1, 100, 249, 7351} {
			at := onTime(t, rate, t0+later, 2*rate)
			for _, x := range at[max(1, rate/60):] {
				if x%tick != 0 {
					t.Fatalf("rate %d, begun %d ms after a tick: an execution is queued %d ms after one", rate, later%tick, x%tick)
				}
			}
			if gap, least := at[max(1, rate/60)]-at[0], min(minute/muster.Instant(rate), 750); gap < least || gap > max(minute/muster.Instant(rate), second)+tick {
				t.Errorf("rate %d, begun %d ms after a tick: the second slice comes after %d ms", rate, later%tick, gap)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	// The paces of rollouts at 100 and at 600 per minute that have used their credit a
	// second after t0.
	begun := muster.Pace{Minute: t0, At: t0 + 1000, Rate: 100, Notified: 1040, Step: 1}
	fast := muster.Pace{Minute: t0, At: t0 + 1000, Rate: 600, Notified: 1040, Step: 1}
	hundred := muster.RolloutConfig{MaximumPerMinute: 100}
	with := func(s Snapshot, change func(*Snapshot)) Snapshot { change(&s); return s }
	slow := with(running(hundred), func(s *Snapshot) { s.Pace = begun })
	quick := with(running(muster.RolloutConfig{MaximumPerMinute: 600}), func(s *Snapshot) { s.Pace = fast })
	rate := func(s Snapshot, n int) Snapshot { s.Config.MaximumPerMinute = n; return s }

	for _, test := range []struct {
		name  string
		after muster.Instant // of t0
		s     Snapshot
		queue int
		wake  muster.Instant // after t0; zero: never
	}{
		{"the first one goes at once", 0, running(hundred), 1, 600},
		{"so does the first slice", 0, rate(running(hundred), 600), 10, 1000},
		{"which may be the rate of a tick and more", 0, rate(running(hundred), 60_000), 1000, 1000},
		{"between two ticks it goes at once, too", 1, running(hundred), 1, 850},
		{"nothing is due yet", 1599, slow, 0, 1600},
		{"now it is", 1600, slow, 1, 2200},
		{"a little late", 1700, slow, 1, 2200},
		{"one step late", 2200, slow, 2, 2800},
		{"nearly a second late", 2599, slow, 2, 2800},
		{"after a second nothing is made up for", 2600, slow, 1, 3350},
		{"a fast rate waits for its tick", 1100, quick, 1, 1250},
		{"where a slice is due", 1250, quick, 2, 1500},
		{"a fast rate that is a second late", 2250, quick, 10, 3250},
		{"after a stop nothing is saved up", 600_777, slow, 1, 601_600},
		{"nor at a fast rate", 600_777, quick, 10, 602_000},
		{"a clock set back neither stalls nor repeats", -5_400_000, slow, 0, -5_399_400},

		{"a higher rate counts at once", 1500, rate(slow, 1000), 0, 1750},
		{"with what was earned", 1599, rate(slow, 60), 0, 1750},
		{"and no more", 1500, rate(slow, 60_000), 0, 1750},
		{"a lower rate counts at once", 1005, rate(slow, 1), 0, 60_505},
		{"the advance of a first slice is forgotten then", 100, with(rate(slow, 6), func(s *Snapshot) {
			s.Pace = muster.Pace{Minute: t0, At: t0, Rate: 60_000, Credit: -750 * muster.ExecutionCredit, Notified: 1000}
		}), 0, 10_100},
		{"an exponential rate keeps its step", 1000 + 150,
			with(slow, func(s *Snapshot) { s.Config, s.Pace.Rate = exponential(100, 2, 5000, 0), 200 }), 0, 1300},
		{"and raises it at the next minute only", 59_900,
			with(slow, func(s *Snapshot) { s.Config, s.Pace.At = exponential(100, 2, 500, 0), t0+59_900; s.Pace.Rate = 200 }), 0, 60_200},
		{"which is then", 60_000,
			with(slow, func(s *Snapshot) { s.Config, s.Pace.At = exponential(100, 2, 500, 0), t0+59_700; s.Pace.Rate = 200 }), 1, 60_250},
		{"a rate may be taken away", 1005, with(slow, func(s *Snapshot) { s.Config = muster.RolloutConfig{} }), Unlimited, 0},
		{"a pace of an earlier version begins again", 1005,
			with(slow, func(s *Snapshot) { s.Pace = muster.Pace{Minute: t0, Notified: 100} }), 1, 1850},

		{"a closing window is a reason to look", 1005,
			with(slow, func(s *Snapshot) { s.Schedule = State{Open, t0 + 1100} }), 0, 1100},
		{"a distant one is not", 1005,
			with(slow, func(s *Snapshot) { s.Schedule = State{Open, t0 + 100*minute} }), 0, 1600},
		{"outside the windows nothing is queued", 5000,
			with(slow, func(s *Snapshot) { s.Schedule = State{Closed, t0 + 6000} }), 0, 6000},
		{"before the start nothing is queued", 5000,
			with(slow, func(s *Snapshot) { s.Schedule = State{Early, t0 + 6000} }), 0, 6000},
		{"after the end nothing is queued", 5000,
			with(slow, func(s *Snapshot) { s.Schedule = State{Phase: Ended} }), 0, 0},
		{"a job that has not opened its window yet queues nothing", 5000,
			with(slow, func(s *Snapshot) { s.Status = muster.JobScheduled }), 0, 0},
		{"a cancelled job queues nothing and has no wake", 5000,
			with(slow, func(s *Snapshot) { s.Status, s.Schedule = muster.JobCanceled, State{Open, t0 + 6000} }), 0, 0},
		{"nor does a completed one", 5000, with(slow, func(s *Snapshot) { s.Status = muster.JobCompleted }), 0, 0},
		{"nor does a deleted one", 5000, with(slow, func(s *Snapshot) { s.Status = muster.JobDeleting }), 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Plan(t0+test.after, test.s)
			if test.wake != 0 {
				test.wake += t0
			}
			if got.Queue != test.queue || got.Wake != test.wake {
				t.Errorf("Plan(t0%+d, %+v)\n got %d at once and more at t0%+d (%+v)\nwant %d at once and more at t0%+d",
					test.after, test.s, got.Queue, got.Wake-t0, got.Pace, test.queue, test.wake-t0)
			}
			if got.Pace.Notified != test.s.Pace.Notified || got.Pace.Step < test.s.Pace.Step {
				t.Errorf("the pace went from %+v to %+v", test.s.Pace, got.Pace)
			}
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	s := running(exponential(50, 1.5, 1000, 0))
	s.Pace = muster.Pace{Minute: t0, At: t0 + 29_000, Rate: 1922, Notified: 9000, Step: 9}
	b.ReportAllocs()
	for b.Loop() {
		Plan(t0+30_000, s)
	}
}
