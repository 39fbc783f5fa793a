package rollout

import (
	"math/big"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/muster-iot/muster"
)

// ended returns the counts of executions that ended, and adds some that must not count
// because neither a device nor a timer ended them.
func ended(succeeded, failed, rejected, timedOut int64) muster.Counts {
	return muster.Counts{}.
		Add(muster.Succeeded, succeeded).Add(muster.Failed, failed).
		Add(muster.Rejected, rejected).Add(muster.TimedOut, timedOut).
		Add(muster.Queued, 7).Add(muster.InProgress, 70).Add(muster.Removed, 700).Add(muster.Canceled, 7000)
}

func criterion(failure muster.FailureType, percent float64, minExecuted int) muster.AbortCriterion {
	return muster.AbortCriterion{Failure: failure, ThresholdPercent: percent, MinExecuted: minExecuted}
}

func TestAbort(t *testing.T) {
	type list = []muster.AbortCriterion
	contract := list{criterion(muster.FailureFailed, 20, 100), criterion(muster.FailureTimedOut, 50, 200)}
	for _, test := range []struct {
		name     string
		criteria list
		counts   muster.Counts
		want     string // empty: go on
	}{
		{"99 of at least 100", contract, ended(39, 60, 0, 0), ""},
		{"19 percent, and the second needs 200", contract, ended(0, 19, 0, 81), ""},
		{"20 percent", contract, ended(80, 20, 0, 0), "Job aborted: 20.00% FAILED of 100 executed things (threshold 20%)"},
		{"the second criterion", contract, ended(70, 30, 0, 100), "Job aborted: 50.00% TIMED_OUT of 200 executed things (threshold 50%)"},
		{"the first that is met speaks", contract, ended(0, 100, 0, 100), "Job aborted: 50.00% FAILED of 200 executed things (threshold 20%)"},
		{"no criteria", nil, ended(0, 100, 100, 100), ""},
		{"nothing has ended", list{criterion(muster.FailureAll, 1, 1)}, ended(0, 0, 0, 0), ""},
		{"rejected", list{criterion(muster.FailureRejected, 1, 1)}, ended(2, 0, 1, 0), "Job aborted: 33.33% REJECTED of 3 executed things (threshold 1%)"},
		{"rejected is not failed", list{criterion(muster.FailureFailed, 1, 1)}, ended(2, 0, 1, 5), ""},
		{"all adds up", list{criterion(muster.FailureAll, 75, 4)}, ended(1, 1, 1, 1), "Job aborted: 75.00% FAILED, REJECTED or TIMED_OUT of 4 executed things (threshold 75%)"},
		{"all but a little", list{criterion(muster.FailureAll, 75.01, 4)}, ended(1, 1, 1, 1), ""},
		{"100 percent means every one", list{criterion(muster.FailureFailed, 100, 1)}, ended(0, 99, 1, 0), ""},
		{"and then it is met", list{criterion(muster.FailureFailed, 100, 1)}, ended(0, 99, 0, 0), "Job aborted: 100.00% FAILED of 99 executed things (threshold 100%)"},
		{"0.07 percent exactly, where floats fall short", list{criterion(muster.FailureFailed, 0.07, 1)}, ended(9993, 7, 0, 0), "Job aborted: 0.07% FAILED of 10000 executed things (threshold 0.07%)"},
		{"0.29 percent exactly", list{criterion(muster.FailureFailed, 0.29, 1)}, ended(9971, 29, 0, 0), "Job aborted: 0.29% FAILED of 10000 executed things (threshold 0.29%)"},
		{"one too few for 0.29 percent", list{criterion(muster.FailureFailed, 0.29, 1)}, ended(9972, 28, 0, 0), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := Abort(test.criteria, test.counts)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("Abort(%+v, %v) = %q, %t; want %q", test.criteria, test.counts, got, ok, test.want)
			}
		})
	}
}

// TestAbortIsExact compares Abort with exact fractions, for every kind of threshold and
// for counts that a float64 cannot hold exactly.
func TestAbortIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		h := 1 + r.Int64N(10_000)
		executed := 1 + r.Int64N(1<<uint(1+r.IntN(48)))
		bad := min(executed, max(0, executed*h/10_000+r.Int64N(3)-1)) // at the threshold, or next to it
		share := big.NewRat(bad, executed)
		want := share.Cmp(big.NewRat(h, 10_000)) >= 0
		criteria := []muster.AbortCriterion{criterion(muster.FailureFailed, float64(h)/100, 1)}
		if _, got := Abort(criteria, ended(executed-bad, bad, 0, 0)); got != want {
			t.Fatalf("Abort at %d of %d, threshold %v%% = %t, want %t", bad, executed, float64(h)/100, got, want)
		}
	}
}

func TestAbortReasonCodeIsAllowed(t *testing.T) {
	if !regexp.MustCompile(`^[\p{Lu}\p{Nd}_]{1,128}$`).MatchString(AbortReasonCode) {
		t.Errorf("AbortReasonCode = %q", AbortReasonCode)
	}
}

func BenchmarkAbort(b *testing.B) {
	criteria := []muster.AbortCriterion{criterion(muster.FailureFailed, 20, 100), criterion(muster.FailureTimedOut, 50, 200)}
	counts := ended(900, 10, 10, 10)
	b.ReportAllocs()
	for b.Loop() {
		Abort(criteria, counts)
	}
}
