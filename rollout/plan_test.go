package rollout

import (
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

// t0 is when the rollouts of these tests begin; not at the beginning of a
// minute of the clock.
var t0 = muster.At(time.Date(2026, 9, 18, 12, 0, 37, 250e6, time.UTC))

// play rolls out to things, looking exactly when the planner asks to, and
// returns how many were queued in each minute since the start. Each thing that
// is queued succeeds at once when succeed is set.
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

// TestExponentialRateOfTheContract is the table of jobs-lifecycle.md section
// 5.3, which is idealized: a boundary is met within one batch.
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
			t.Fatalf("minute %d: %d queued though nobody succeeded, want 50", i, n)
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

func TestSlowRatesAreSpreadEvenly(t *testing.T) {
	for _, rate := range []int{1, 7, 50, 59} {
		s := running(muster.RolloutConfig{MaximumPerMinute: rate})
		var at []muster.Instant
		for now := t0; len(at) < 3*rate; {
			d := Plan(now, s)
			if d.Queue != 1 {
				t.Fatalf("rate %d, %d ms after the start: Plan.Queue = %d, want 1", rate, now-t0, d.Queue)
			}
			at = append(at, now)
			s.Pace = d.Pace.With(1)
			now = d.Wake
		}
		for i := range at {
			want := t0 + (muster.Instant(i)*minute+muster.Instant(rate)-1)/muster.Instant(rate)
			if at[i] != want {
				t.Fatalf("rate %d: execution %d queued %d ms after the start, want %d", rate, i, at[i]-t0, want-t0)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	begun := muster.Pace{Minute: t0, Queued: 40, Notified: 1040, Step: 1}
	hundred := muster.RolloutConfig{MaximumPerMinute: 100}
	with := func(s Snapshot, change func(*Snapshot)) Snapshot { change(&s); return s }
	base := with(running(hundred), func(s *Snapshot) { s.Pace = begun })

	for _, test := range []struct {
		name  string
		now   muster.Instant
		s     Snapshot
		queue int
		wake  muster.Instant
		pace  muster.Pace
	}{
		{"the first batch goes at once", t0, running(hundred), 100, t0 + minute, muster.Pace{Minute: t0}},
		{"what is left of a batch goes on", t0 + 5, base, 60, t0 + minute, begun},
		{"a full minute waits for the next", t0 + 5,
			with(base, func(s *Snapshot) { s.Pace.Queued = 100 }), 0, t0 + minute, muster.Pace{Minute: t0, Queued: 100, Notified: 1040, Step: 1}},
		{"the next minute begins 60 seconds on", t0 + minute, base, 100, t0 + 2*minute, muster.Pace{Minute: t0 + minute, Notified: 1040, Step: 1}},
		{"not a millisecond sooner", t0 + minute - 1, base, 60, t0 + minute, begun},
		{"after a stop nothing is saved up", t0 + 10*minute + 777, base, 100, t0 + 11*minute + 777,
			muster.Pace{Minute: t0 + 10*minute + 777, Notified: 1040, Step: 1}},
		{"a clock set back neither stalls nor repeats", t0 - 90*minute, base, 60, t0 - 89*minute,
			muster.Pace{Minute: t0 - 90*minute, Queued: 40, Notified: 1040, Step: 1}},

		{"a higher rate counts at once", t0 + 5, with(base, func(s *Snapshot) { s.Config.MaximumPerMinute = 1000 }), 960, t0 + minute, begun},
		{"a lower rate counts at once", t0 + 5, with(base, func(s *Snapshot) { s.Config.MaximumPerMinute = 30 }), 0, t0 + minute, begun},
		{"a slow rate knows what the minute has seen", t0 + 30_000,
			with(base, func(s *Snapshot) { s.Config.MaximumPerMinute = 50 }), 0, t0 + 48_000, begun},
		{"an exponential rate keeps its step", t0 + 5,
			with(base, func(s *Snapshot) { s.Config = exponential(100, 2, 5000, 0) }), 160, t0 + minute, begun},
		{"and raises it at the next minute only", t0 + 5,
			with(base, func(s *Snapshot) { s.Config = exponential(100, 2, 500, 0) }), 160, t0 + minute, begun},
		{"which is then", t0 + minute,
			with(base, func(s *Snapshot) { s.Config = exponential(100, 2, 500, 0) }), 400, t0 + 2*minute,
			muster.Pace{Minute: t0 + minute, Notified: 1040, Step: 2}},
		{"a rate may be taken away", t0 + 5, with(base, func(s *Snapshot) { s.Config = muster.RolloutConfig{} }), Unlimited, 0, begun},

		{"a closing window is a reason to look", t0 + 5,
			with(base, func(s *Snapshot) { s.Schedule = State{Open, t0 + 100} }), 60, t0 + 100, begun},
		{"a distant one is not", t0 + 5,
			with(base, func(s *Snapshot) { s.Schedule = State{Open, t0 + 100*minute} }), 60, t0 + minute, begun},
		{"outside the windows nobody is queued", t0 + 5,
			with(base, func(s *Snapshot) { s.Schedule = State{Closed, t0 + 100} }), 0, t0 + 100, begun},
		{"before the start nobody is queued", t0 + 5,
			with(base, func(s *Snapshot) { s.Schedule = State{Early, t0 + 100} }), 0, t0 + 100, begun},
		{"after the end nobody is queued", t0 + 5,
			with(base, func(s *Snapshot) { s.Schedule = State{Phase: Ended} }), 0, 0, begun},
		{"a job that still has to open its window queues nobody", t0 + 5,
			with(base, func(s *Snapshot) { s.Status = muster.JobScheduled }), 0, 0, begun},
		{"a cancelled job queues nobody and wants nothing", t0 + 5,
			with(base, func(s *Snapshot) { s.Status, s.Schedule = muster.JobCanceled, State{Open, t0 + 100} }), 0, 0, begun},
		{"nor does a completed one", t0 + 5, with(base, func(s *Snapshot) { s.Status = muster.JobCompleted }), 0, 0, begun},
		{"nor does a deleted one", t0 + 5, with(base, func(s *Snapshot) { s.Status = muster.JobDeleting }), 0, 0, begun},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := Decision{test.queue, test.wake, test.pace}
			if got := Plan(test.now, test.s); got != want {
				t.Errorf("Plan(t0%+d, %+v)\n got %+v\nwant %+v", test.now-t0, test.s, got, want)
			}
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	s := running(exponential(50, 1.5, 1000, 0))
	s.Pace = muster.Pace{Minute: t0, Queued: 50, Notified: 9000, Step: 9}
	b.ReportAllocs()
	for b.Loop() {
		Plan(t0+30_000, s)
	}
}
