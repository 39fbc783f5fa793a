package rollout

import (
	"math"
	"math/big"

	"github.com/muster-iot/muster"
)

// Unlimited is the rate of a rollout that is as fast as the server can be.
const Unlimited = math.MaxInt

// growthMax is a step after which even the slowest growth, by 1.1 from 1 per minute,
// exceeds every int.
const growthMax = 500

// Rate returns how many executions per minute c allows after its exponential rate was
// raised step times: at least 1, up to Unlimited. maximum is the server's default for
// a job without maximumPerMinute; zero means Unlimited (jobs-lifecycle.md section
// 5.2, arbitration A8). The arithmetic is exact, and the result rounded down.
func Rate(c muster.RolloutConfig, maximum, step int) int {
	if c.MaximumPerMinute > 0 {
		maximum = c.MaximumPerMinute
	}
	if maximum <= 0 {
		maximum = Unlimited
	}
	x := c.Exponential
	switch {
	case x == nil || step >= growthMax:
		return maximum
	case step == 0:
		return min(max(x.BasePerMinute, 1), maximum)
	}
	n := big.NewInt(int64(step))
	rate := new(big.Int).Exp(big.NewInt(tenths(x.Factor)), n, nil)
	rate.Mul(rate, big.NewInt(int64(x.BasePerMinute)))
	rate.Quo(rate, n.Exp(big.NewInt(10), n, nil))
	if !rate.IsInt64() {
		return maximum
	}
	return int(max(min(rate.Int64(), int64(maximum)), 1))
}

// advance returns the step of a rollout that was at step before and by now has queued
// notified executions, of which succeeded have SUCCEEDED. Each multiple of a
// criterion is one step. The step never decreases.
func advance(x *muster.ExponentialRate, step int, notified, succeeded int64) int {
	if x == nil {
		return step
	}
	if x.NotifiedThings > 0 {
		step = max(step, int(notified/int64(x.NotifiedThings)))
	}
	if x.SucceededThings > 0 {
		step = max(step, int(succeeded/int64(x.SucceededThings)))
	}
	return step
}

// tenths returns a factor in tenths. It is exact for all that CheckRollout accepts.
func tenths(factor float64) int64 { return int64(math.Round(factor * 10)) }
