package rollout

import (
	"math/rand/v2"
	"testing"

	"github.com/muster-iot/muster"
)

// TestRolloutsKeepTheirProperties plays rollouts from random seeds: a caller that calls Plan
// late, too early or not for a long time, that queues fewer than allowed, and that loses
// what it did not commit; devices that succeed; an operator who changes the rate and
// cancels.
func TestRolloutsKeepTheirProperties(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and one goroutine")
	}
	for seed := range uint64(400) {
		playRandomly(t, seed)
	}
}

func FuzzRollout(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(playRandomly)
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

	var given ledger
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
		case d.Pace.Step < s.Pace.Step || d.Pace.Notified != total || d.Pace.Minute < s.Pace.Minute || d.Pace.Minute > now:
			t.Fatalf("seed %d: the pace went from %+v to %+v with %d queued", seed, s.Pace, d.Pace, total)
		}
		if s.Status == muster.JobCanceled {
			return
		}

		n := min(d.Queue, 5000)
		if r.IntN(4) == 0 {
			n = r.IntN(n + 1)
		}
		if r.IntN(10) > 0 { // else the process ends before the commit
			s.Pace = d.Pace.With(n)
			total += int64(n)
			given.add(t, now, n, Rate(s.Config, s.Maximum, s.Pace.Step))
		}
		now = nextLook(r, now, d.Wake)
	}
}

// nextLook returns when the caller calls Plan next: mostly at Wake.
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

// ledger records when executions were queued and checks it against the rates in force. In
// an interval of any length they allow what they earn in it plus one slice and, since a
// caller may be late, less than one more execution.
type ledger struct {
	asks []ask
}

type ask struct {
	at     muster.Instant
	given  int64 // in all, this time included
	earned int64 // in parts of muster.ExecutionCredit, in all, at the rates in force until now
	rate   int   // in force from now on; above fastest it is held to none
}

func (l *ledger) add(t *testing.T, at muster.Instant, n, rate int) {
	t.Helper()
	now := ask{at: at, given: int64(n), rate: rate}
	if len(l.asks) > 0 {
		last := l.asks[len(l.asks)-1]
		now.given += last.given
		now.earned = last.earned + int64(at-last.at)*int64(last.rate)
	}
	l.asks = append(l.asks, now)
	highest := 0
	for i := len(l.asks) - 1; i >= 0 && l.asks[i].rate <= fastest; i-- {
		highest = max(highest, l.asks[i].rate)
		before := int64(0)
		if i > 0 {
			before = l.asks[i-1].given
		}
		slice := int64(second) * int64(highest)
		if got := (now.given - before - 1) * muster.ExecutionCredit; got > now.earned-l.asks[i].earned+slice {
			t.Fatalf("%d things were given within %d ms, the rate being up to %d a minute and now %d",
				now.given-before, at-l.asks[i].at, highest, rate)
		}
	}
}

// someRates are rates from 1 to 100,000, among them those at which slices change.
func someRates() []int {
	rates := []int{1, 2, 3, 7, 47, 58, 59, 60, 61, 90, 119, 120, 121, 179, 180, 181, 239, 240, 241, 299, 300, 301, 359, 999, 1000, 1001, 6000, 59_999, 60_000, 100_000}
	r := rand.New(rand.NewPCG(3, 8))
	for len(rates) < 100 {
		rates = append(rates, 1+r.IntN(100), 1+r.IntN(1000), 1+r.IntN(100_000))
	}
	return rates
}

// TestNoSpanSeesMoreThanTheRateAndOneSlice checks every interval of a rollout whose caller is
// on time. Both ends are included, as an instant is a whole millisecond.
func TestNoSpanSeesMoreThanTheRateAndOneSlice(t *testing.T) {
	for _, rate := range someRates() {
		for _, begin := range []muster.Instant{t0, t0 + 137} {
			at := onTime(t, rate, begin, 3*rate+2)
			var groups []ask
			for i, x := range at {
				if len(groups) == 0 || groups[len(groups)-1].at != x {
					groups = append(groups, ask{at: x})
				}
				groups[len(groups)-1].given = int64(i + 1)
			}
			slice := int64(max(1, rate/60)) * muster.ExecutionCredit
			for i := range groups {
				before := int64(0)
				if i > 0 {
					before = groups[i-1].given
				}
				for _, end := range groups[i:] {
					if n := end.given - before; n*muster.ExecutionCredit > int64(rate)*int64(end.at-groups[i].at+1)+slice {
						t.Fatalf("rate %d: %d executions within %d ms", rate, n, end.at-groups[i].at)
					}
				}
			}
		}
	}
}

// TestEveryMinuteSeesTheRate counts executions by minutes of the rollout, which begin when it
// does or, from 60 per minute on, at the next tick.
func TestEveryMinuteSeesTheRate(t *testing.T) {
	for _, rate := range someRates() {
		for _, begin := range []muster.Instant{t0, t0 + 1, t0 + 137, t0 + 249} {
			const minutes = 4
			got := make([]int, minutes+1)
			for _, at := range onTime(t, rate, begin, minutes*rate) {
				got[max(0, at-aligned(begin, rate))/minute]++
			}
			for i := range minutes {
				if got[i] != rate {
					t.Fatalf("rate %d, begun %d ms after a tick: the minutes see %v", rate, begin%tick, got)
				}
			}
		}
	}
}

// TestALittleLatenessCostsNothing calls Plan once a second, or at a random instant less than a
// second late, and expects the full rate.
func TestALittleLatenessCostsNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for name, later := range map[string]func(now, wake muster.Instant) muster.Instant{
		"once a second": func(now, _ muster.Instant) muster.Instant { return now + second },
		"late":          func(_, wake muster.Instant) muster.Instant { return wake + muster.Instant(r.IntN(700)) },
		"once much later": func(now, wake muster.Instant) muster.Instant {
			if now < t0+minute && wake >= t0+minute {
				return wake + 749
			}
			return wake
		},
	} {
		for _, rate := range someRates() {
			s, total := running(muster.RolloutConfig{MaximumPerMinute: rate}), 0
			var given ledger
			now := t0
			for now < t0+10*minute {
				d := Plan(now, s)
				s.Pace = d.Pace.With(d.Queue)
				given.add(t, now, d.Queue, rate)
				total += d.Queue
				now = later(now, d.Wake)
			}
			if most, least := 10*rate+rate/240+1, 10*rate-2*max(1, rate/60)-1; total > most || total < least {
				t.Errorf("rate %d, asked %s: %d executions in ten minutes", rate, name, total)
			}
		}
	}
}

// TestChangingTheRateGainsNothing changes the rate all the time: a rollout queues only what each
// rate earns while it is in force.
func TestChangingTheRateGainsNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	for range 300 {
		rates := []int{1 + r.IntN(10), 1 + r.IntN([]int{60, 600, 100_000}[r.IntN(3)])}
		s := running(muster.RolloutConfig{MaximumPerMinute: rates[0]})
		pause := 1 + r.IntN(3000)
		var given ledger
		for now, i := t0, 0; i < 300; i++ {
			s.Config.MaximumPerMinute = rates[i%2]
			d := Plan(now, s)
			s.Pace = d.Pace.With(d.Queue)
			given.add(t, now, d.Queue, rates[i%2])
			next := now + 1 + muster.Instant(r.IntN(pause))
			for d.Wake < next {
				now = d.Wake
				d = Plan(now, s)
				s.Pace = d.Pace.With(d.Queue)
				given.add(t, now, d.Queue, rates[i%2])
			}
			now = next
		}
	}
}

// TestACrashLosesNothingAndRepeatsNothing stops a rollout after each commit and continues from the
// stored pace: the same executions are queued at the same instants.
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
