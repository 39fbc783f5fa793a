package rollout

import (
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
)

// The limits of the configurations (jobs-lifecycle.md sections 5.1 and 11).
const (
	baseRateMax      = 1000
	factorMin        = 1.1
	factorMax        = 5
	abortCriteriaMax = 100 // the contract has no limit; each criterion is computed whenever an execution ends
)

// Check returns an Invalid error unless c is valid for a job that is created at the
// instant now (jobs-control-plane.md section 3.1, checks 1, 12 and 13).
func Check(c muster.JobConfig, selection muster.Selection, now muster.Instant) error {
	if err := CheckSchedule(c.Schedule, selection, now); err != nil {
		return err
	}
	return checkPlain(c)
}

// CheckTemplate returns an Invalid error unless c is valid for a job template, whose
// schedule has windows but neither start nor end (jobs-control-plane.md section 3.2).
func CheckTemplate(c muster.JobConfig) error {
	if s := c.Schedule; s.StartTime != "" || s.EndTime != "" || s.EndBehavior != "" {
		return muster.Errorf(muster.Invalid, "A job template has no startTime, endTime or endBehavior")
	}
	if _, err := compileWindows(c.Schedule.Windows); err != nil {
		return err
	}
	return checkPlain(c)
}

// checkPlain checks everything but the schedule.
func checkPlain(c muster.JobConfig) error {
	if err := CheckRollout(c.Rollout); err != nil {
		return err
	}
	if c.Abort != nil {
		if err := CheckAbort(c.Abort); err != nil {
			return err
		}
	}
	if c.Retry != nil {
		if err := CheckRetry(c.Retry); err != nil {
			return err
		}
	}
	if c.TimeoutMinutes != 0 {
		return muster.CheckTimeout(int64(c.TimeoutMinutes))
	}
	return nil
}

// CheckRollout returns an Invalid error unless c is valid (jobs-lifecycle.md section
// 5.1 and arbitration A8).
func CheckRollout(c muster.RolloutConfig) error {
	if c.MaximumPerMinute < 0 {
		return muster.Errorf(muster.Invalid, "maximumPerMinute must be at least 1; it is %d", c.MaximumPerMinute)
	}
	x := c.Exponential
	switch {
	case x == nil:
		return nil
	case x.BasePerMinute < 1 || x.BasePerMinute > baseRateMax:
		return muster.Errorf(muster.Invalid, "baseRatePerMinute must be 1 to %d; it is %d", baseRateMax, x.BasePerMinute)
	case !(x.Factor >= factorMin && x.Factor <= factorMax) || decimals(x.Factor) > 1:
		return muster.Errorf(muster.Invalid, "incrementFactor must be %v to %v with at most one decimal; it is %v", factorMin, factorMax, x.Factor)
	case x.NotifiedThings == 0 && x.SucceededThings == 0:
		return muster.Errorf(muster.Invalid, "rateIncreaseCriteria must have numberOfNotifiedThings, numberOfSucceededThings or both")
	case x.NotifiedThings < 0:
		return muster.Errorf(muster.Invalid, "numberOfNotifiedThings must be at least 1; it is %d", x.NotifiedThings)
	case x.SucceededThings < 0:
		return muster.Errorf(muster.Invalid, "numberOfSucceededThings must be at least 1; it is %d", x.SucceededThings)
	}
	return nil
}

// CheckAbort returns an Invalid error unless criteria are valid abort criteria
// (jobs-lifecycle.md section 11).
func CheckAbort(criteria []muster.AbortCriterion) error {
	if len(criteria) == 0 || len(criteria) > abortCriteriaMax {
		return muster.Errorf(muster.Invalid, "abortConfig must have 1 to %d criteria; it has %d", abortCriteriaMax, len(criteria))
	}
	for _, a := range criteria {
		switch a.Failure {
		case muster.FailureFailed, muster.FailureRejected, muster.FailureTimedOut, muster.FailureAll:
		default:
			return muster.Errorf(muster.Invalid, "failureType of an abort criterion must be FAILED, REJECTED, TIMED_OUT or ALL; it is %q", a.Failure)
		}
		if !(a.ThresholdPercent > 0 && a.ThresholdPercent <= 100) || decimals(a.ThresholdPercent) > 2 {
			return muster.Errorf(muster.Invalid, "thresholdPercentage must be above 0 and at most 100, with at most two decimals; it is %v", a.ThresholdPercent)
		}
		if a.MinExecuted < 1 {
			return muster.Errorf(muster.Invalid, "minNumberOfExecutedThings must be at least 1; it is %d", a.MinExecuted)
		}
	}
	return nil
}

// CheckRetry returns an Invalid error unless criteria are valid retry criteria of a
// new job (jobs-lifecycle.md section 10 and J17).
func CheckRetry(criteria []muster.RetryCriterion) error {
	if len(criteria) < 1 || len(criteria) > 2 {
		return muster.Errorf(muster.Invalid, "jobExecutionsRetryConfig must have 1 or 2 criteria; it has %d", len(criteria))
	}
	sum := 0
	for i, c := range criteria {
		switch c.Failure {
		case muster.FailureFailed, muster.FailureTimedOut, muster.FailureAll:
		default:
			return muster.Errorf(muster.Invalid, "failureType of a retry criterion must be FAILED, TIMED_OUT or ALL; it is %q", c.Failure)
		}
		if c.Max < 0 || c.Max > retriesMax {
			return muster.Errorf(muster.Invalid, "numberOfRetries must be 0 to %d; it is %d", retriesMax, c.Max)
		}
		sum += c.Max
		if i > 0 && c.Failure == criteria[0].Failure {
			return muster.Errorf(muster.Invalid, "There are two retry criteria for failureType %s", c.Failure)
		}
		if len(criteria) > 1 && c.Failure == muster.FailureAll {
			return muster.Errorf(muster.Invalid, "A retry criterion for failureType ALL must be the only one")
		}
	}
	if sum > retriesMax {
		return muster.Errorf(muster.Invalid, "numberOfRetries may be at most %d over all criteria; it is %d", retriesMax, sum)
	}
	return nil
}

// CheckRetryChange returns an Invalid error unless criteria can replace those of an
// existing job: retries can only be stopped, with 0 (jobs-control-plane.md section
// 3.14).
func CheckRetryChange(criteria []muster.RetryCriterion) error {
	if err := CheckRetry(criteria); err != nil {
		return err
	}
	for _, c := range criteria {
		if c.Max != 0 {
			return muster.Errorf(muster.Invalid, "jobExecutionsRetryConfig can only be updated to numberOfRetries 0; it is %d for %s", c.Max, c.Failure)
		}
	}
	return nil
}

// decimals returns how many decimals x has when it is written as short as possible.
func decimals(x float64) int {
	_, fraction, _ := strings.Cut(strconv.FormatFloat(x, 'f', -1, 64), ".")
	return len(fraction)
}
