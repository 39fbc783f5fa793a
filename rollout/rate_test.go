package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
)

func exponential(base int, factor float64, notified, succeeded int) muster.RolloutConfig {
	return muster.RolloutConfig{Exponential: &muster.ExponentialRate{
		BasePerMinute: base, Factor: factor, NotifiedThings: notified, SucceededThings: succeeded,
	}}
}

func TestRateGrowsAsTheContractSays(t *testing.T) {
	capped := exponential(50, 2, 1000, 0)
	capped.MaximumPerMinute = 1000
	for _, test := range []struct {
		name    string
		config  muster.RolloutConfig
		maximum int
		want    []int // at steps 0, 1, 2, …
	}{
		{"base 50, factor 2, maximum 1000", capped, 0, []int{50, 100, 200, 400, 800, 1000, 1000}},
		{"base 50, factor 1.5", exponential(50, 1.5, 1, 0), 0, []int{50, 75, 112, 168, 253}},
		{"base 10, factor 1.1", exponential(10, 1.1, 10, 0), 0, []int{10, 11, 12, 13, 14, 16}},
		{"no float error: 50 times 1.2 squared is 72", exponential(50, 1.2, 1, 0), 0, []int{50, 60, 72, 86}},
		{"base 1 stays until a whole one is gained", exponential(1, 1.1, 1, 0), 0, []int{1, 1, 1, 1, 1, 1, 1, 1, 2}},
		{"the server's default caps a job without a maximum", exponential(600, 2, 1, 0), 1000, []int{600, 1000, 1000}},
		{"the job's own maximum wins over the default", capped, 60, []int{50, 100, 200}},
		{"a maximum below the base counts", muster.RolloutConfig{
			MaximumPerMinute: 7, Exponential: exponential(50, 2, 1, 0).Exponential}, 0, []int{7, 7}},
		{"a constant rate has no steps", muster.RolloutConfig{MaximumPerMinute: 100}, 0, []int{100, 100}},
		{"any maximum from 1 is allowed", muster.RolloutConfig{MaximumPerMinute: 5_000_000}, 1000, []int{5_000_000}},
		{"nothing set is unlimited", muster.RolloutConfig{}, 0, []int{Unlimited, Unlimited}},
		{"nothing set takes the server's default", muster.RolloutConfig{}, 1000, []int{1000}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for step, want := range test.want {
				if got := Rate(test.config, test.maximum, step); got != want {
					t.Errorf("Rate(%+v, %d, step %d) = %d, want %d", test.config, test.maximum, step, got, want)
				}
			}
		})
	}
}

func TestRateNeverFallsWithTheStep(t *testing.T) {
	for _, factor := range []float64{1.1, 1.7, 2, 4.9, 5} {
		last := 0
		for step := range growthMax + 10 {
			rate := Rate(exponential(3, factor, 1, 0), 0, step)
			if rate < last {
				t.Fatalf("factor %v: Rate at step %d = %d, less than %d before", factor, step, rate, last)
			}
			last = rate
		}
		if last != Unlimited {
			t.Errorf("factor %v: Rate in the end = %d, want Unlimited", factor, last)
		}
	}
}

func TestAdvanceCountsMultiplesOfEitherCriterion(t *testing.T) {
	for _, test := range []struct {
		name                string
		config              muster.RolloutConfig
		step                int
		notified, succeeded int64
		want                int
	}{
		{"below the first threshold", exponential(50, 2, 1000, 0), 0, 999, 0, 0},
		{"at it", exponential(50, 2, 1000, 0), 0, 1000, 0, 1},
		{"thresholds are multiples, not powers", exponential(50, 2, 1000, 0), 1, 3000, 0, 3},
		{"either criterion will do", exponential(50, 2, 1000, 100), 0, 1000, 250, 2},
		{"only successes count when only they are asked for", exponential(50, 2, 0, 1000), 0, 1_000_000, 999, 0},
		{"a step that was taken is kept", exponential(50, 2, 1000, 0), 4, 2000, 0, 4},
		{"also under a constant rate", muster.RolloutConfig{}, 4, 9000, 0, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := advance(test.config.Exponential, test.step, test.notified, test.succeeded); got != test.want {
				t.Errorf("advance(%+v, %d, %d, %d) = %d, want %d", test.config.Exponential, test.step, test.notified, test.succeeded, got, test.want)
			}
		})
	}
}

// TestAdvanceIsTheLoopOfTheContract compares advance with the loop of jobs-lifecycle.md
// section 5.2.
func TestAdvanceIsTheLoopOfTheContract(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n, s := r.IntN(20), r.IntN(20)
		if n+s == 0 {
			continue
		}
		notified, succeeded, step := r.Int64N(500), r.Int64N(500), r.IntN(10)
		want := step
		for (n > 0 && notified >= int64((want+1)*n)) || (s > 0 && succeeded >= int64((want+1)*s)) {
			want++
		}
		if got := advance(exponential(1, 2, n, s).Exponential, step, notified, succeeded); got != want {
			t.Fatalf("advance(N %d, S %d, step %d, notified %d, succeeded %d) = %d, want %d", n, s, step, notified, succeeded, got, want)
		}
	}
}

func BenchmarkRate(b *testing.B) {
	for _, step := range []int{0, 5, 200} {
		b.Run(fmt.Sprintf("step%d", step), func(b *testing.B) {
			c := exponential(10, 1.1, 10, 0)
			for b.Loop() {
				Rate(c, 0, step)
			}
		})
	}
}

func TestNumbersFindTheNextMember(t *testing.T) {
	var s numbers
	members := []int{0, 5, 63, 64, 127, 200, 255}
	for _, n := range members {
		s.add(n)
	}
	for n := range 300 {
		want := -1
		if i := slices.IndexFunc(members, func(m int) bool { return m >= n }); i >= 0 {
			want = members[i]
		}
		if got := s.from(n); got != want {
			t.Errorf("from(%d) = %d, want %d", n, got, want)
		}
		if n < 256 && s.has(n) != (want == n) {
			t.Errorf("has(%d) = %t", n, s.has(n))
		}
	}
}
