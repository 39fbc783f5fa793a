package rollout

import (
	"errors"
	"math"
	"testing"

	"github.com/muster-iot/muster"
)

// invalid reports whether err is an error of the kind Invalid.
func invalid(err error) bool {
	var e *muster.Error
	return errors.As(err, &e) && e.Kind == muster.Invalid
}

// expect fails t unless err is nil, if ok, or an Invalid error, if not.
func expect(t *testing.T, call string, err error, ok bool) {
	t.Helper()
	if (ok && err != nil) || (!ok && !invalid(err)) {
		t.Errorf("%s = %v, want ok %t", call, err, ok)
	}
}

func TestCheckRollout(t *testing.T) {
	for _, test := range []struct {
		name   string
		config muster.RolloutConfig
		ok     bool
	}{
		{"nothing given", muster.RolloutConfig{}, true},
		{"a maximum of 1", muster.RolloutConfig{MaximumPerMinute: 1}, true},
		{"a maximum above AWS's", muster.RolloutConfig{MaximumPerMinute: 1_000_000}, true},
		{"a negative maximum", muster.RolloutConfig{MaximumPerMinute: -1}, false},
		{"both criteria", exponential(50, 2, 1000, 1000), true},
		{"one criterion", exponential(50, 2, 0, 1), true},
		{"no criterion", exponential(50, 2, 0, 0), false},
		{"a negative criterion", exponential(50, 2, -1, 5), false},
		{"another negative criterion", exponential(50, 2, 5, -1), false},
		{"no base", exponential(0, 2, 1, 0), false},
		{"the largest base", exponential(1000, 2, 1, 0), true},
		{"a larger base", exponential(1001, 2, 1, 0), false},
		{"the smallest factor", exponential(50, 1.1, 1, 0), true},
		{"a smaller factor", exponential(50, 1, 1, 0), false},
		{"the largest factor", exponential(50, 5, 1, 0), true},
		{"a larger factor", exponential(50, 5.1, 1, 0), false},
		{"a factor of two decimals", exponential(50, 1.25, 1, 0), false},
		{"a factor that is no number", exponential(50, math.NaN(), 1, 0), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "CheckRollout", CheckRollout(test.config), test.ok)
		})
	}
}

func TestCheckAbort(t *testing.T) {
	good := muster.AbortCriterion{Failure: muster.FailureAll, ThresholdPercent: 20, MinExecuted: 1}
	with := func(change func(*muster.AbortCriterion)) []muster.AbortCriterion {
		c := good
		change(&c)
		return []muster.AbortCriterion{good, c}
	}
	for _, test := range []struct {
		name     string
		criteria []muster.AbortCriterion
		ok       bool
	}{
		{"one", []muster.AbortCriterion{good}, true},
		{"the same twice", []muster.AbortCriterion{good, good}, true},
		{"none", []muster.AbortCriterion{}, false},
		{"more than anyone needs", make([]muster.AbortCriterion, abortCriteriaMax+1), false},
		{"an unknown failure", with(func(c *muster.AbortCriterion) { c.Failure = "CANCELED" }), false},
		{"no failure", with(func(c *muster.AbortCriterion) { c.Failure = "" }), false},
		{"two decimals", with(func(c *muster.AbortCriterion) { c.ThresholdPercent = 0.01 }), true},
		{"three decimals", with(func(c *muster.AbortCriterion) { c.ThresholdPercent = 0.001 }), false},
		{"everything", with(func(c *muster.AbortCriterion) { c.ThresholdPercent = 100 }), true},
		{"more than everything", with(func(c *muster.AbortCriterion) { c.ThresholdPercent = 100.01 }), false},
		{"nothing", with(func(c *muster.AbortCriterion) { c.ThresholdPercent = 0 }), false},
		{"no number", with(func(c *muster.AbortCriterion) { c.ThresholdPercent = math.NaN() }), false},
		{"of no things", with(func(c *muster.AbortCriterion) { c.MinExecuted = 0 }), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "CheckAbort", CheckAbort(test.criteria), test.ok)
		})
	}
}

func upTo(failure muster.FailureType, n int) muster.RetryCriterion {
	return muster.RetryCriterion{Failure: failure, Max: n}
}

func TestCheckRetry(t *testing.T) {
	type list = []muster.RetryCriterion
	for _, test := range []struct {
		name     string
		criteria list
		ok, zero bool // as a new job's; as a change of an existing one
	}{
		{"none", list{}, false, false},
		{"three", list{upTo("FAILED", 0), upTo("TIMED_OUT", 0), upTo("ALL", 0)}, false, false},
		{"failed", list{upTo("FAILED", 3)}, true, false},
		{"no retries", list{upTo("FAILED", 0)}, true, true},
		{"no retries of either", list{upTo("FAILED", 0), upTo("TIMED_OUT", 0)}, true, true},
		{"none of one", list{upTo("FAILED", 0), upTo("TIMED_OUT", 1)}, true, false},
		{"all, ten times", list{upTo("ALL", 10)}, true, false},
		{"all, eleven times", list{upTo("ALL", 11)}, false, false},
		{"less than none", list{upTo("ALL", -1)}, false, false},
		{"a sum of ten", list{upTo("FAILED", 4), upTo("TIMED_OUT", 6)}, true, false},
		{"a sum of eleven", list{upTo("FAILED", 5), upTo("TIMED_OUT", 6)}, false, false},
		{"the same twice", list{upTo("FAILED", 1), upTo("FAILED", 1)}, false, false},
		{"all and one", list{upTo("ALL", 1), upTo("FAILED", 1)}, false, false},
		{"one and all", list{upTo("FAILED", 0), upTo("ALL", 0)}, false, false},
		{"what is never retried", list{upTo("REJECTED", 1)}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "CheckRetry", CheckRetry(test.criteria), test.ok)
			expect(t, "CheckRetryChange", CheckRetryChange(test.criteria), test.zero)
		})
	}
}

func TestCheckLooksAtEverything(t *testing.T) {
	night := []muster.MaintenanceWindow{{StartTime: "cron(0 2 * * ? *)", DurationMinutes: 60}}
	for _, test := range []struct {
		name     string
		config   muster.JobConfig
		job      bool // of a continuous job
		template bool
	}{
		{"nothing given", muster.JobConfig{}, true, true},
		{"windows", muster.JobConfig{Schedule: muster.Schedule{Windows: night}}, true, true},
		{"an end behavior alone", muster.JobConfig{Schedule: muster.Schedule{EndBehavior: muster.CancelAtEnd}}, true, false},
		{"a bad rate", muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: -1}}, false, false},
		{"no abort criterion", muster.JobConfig{Abort: []muster.AbortCriterion{}}, false, false},
		{"no retry criterion", muster.JobConfig{Retry: []muster.RetryCriterion{}}, false, false},
		{"a bad timeout", muster.JobConfig{TimeoutMinutes: 10081}, false, false},
		{"a good timeout", muster.JobConfig{TimeoutMinutes: 10080}, true, true},
		{"a bad window", muster.JobConfig{Schedule: muster.Schedule{Windows: []muster.MaintenanceWindow{{}}}}, false, false},
		{"a window that is past is only a template's", muster.JobConfig{Schedule: muster.Schedule{
			Windows: []muster.MaintenanceWindow{{StartTime: "cron(0 2 * * ? 2020)", DurationMinutes: 60}}}}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "Check", Check(test.config, muster.Continuous, t0), test.job)
			expect(t, "CheckTemplate", CheckTemplate(test.config), test.template)
		})
	}
	expect(t, "Check of a snapshot job with windows",
		Check(muster.JobConfig{Schedule: muster.Schedule{Windows: night}}, muster.Snapshot, t0), false)
}
