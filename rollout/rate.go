package rollout

import (
	"math"
	"math/big"

	"github.com/muster-iot/muster"
)

// Unlimited is the rate of a rollout that nothing slows down: as fast as the
// engine goes.
const Unlimited = math.MaxInt

// growthMax is a step at which even the slowest growth, 1.1 times from 1 a
// minute, is past every rate that an int can hold.
const growthMax = 500

// Rate returns how many executions c allows per minute after step increases:
// at least 1, or Unlimited. maximum is the server's default for a job that sets
// no maximumPerMinute; zero means Unlimited (jobs-lifecycle.md section 5.2,
// arbitration A8). The arithmetic is exact; fractions are dropped.
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

// advance returns the step that a rollout is at which had reached step before,
// has queued notified executions and seen succeeded of them succeed. A
// criterion is met at each multiple of it; the step never falls.
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

// tenths is exact for a factor that CheckRollout accepts.
func tenths(factor float64) int64 { return int64(math.Round(factor * 10)) }
