package awsiot

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobs"
)

// This file converts the configurations of a job between their wire shapes and
// muster.JobConfig. A configuration without members counts as not given.

// given are the configurations of a new job, or of a template.
type given struct {
	rollout  *wire.JobExecutionsRolloutConfig
	abort    *wire.AbortConfig
	retry    *wire.JobExecutionsRetryConfig
	timeout  *wire.TimeoutConfig
	schedule *wire.SchedulingConfig
	presign  *wire.PresignedUrlConfig
}

func jobConfig(in given) (muster.JobConfig, error) {
	timeout, err := timeoutMinutes(in.timeout)
	if err != nil {
		return muster.JobConfig{}, err
	}
	c := muster.JobConfig{
		Rollout:  rolloutConfig(in.rollout),
		Abort:    abortCriteria(in.abort),
		Retry:    retryCriteria(in.retry),
		Schedule: schedule(in.schedule),

		Presigned: presignedConfig(in.presign),
	}
	if timeout != nil {
		c.TimeoutMinutes = *timeout
	}
	return c, nil
}

func jobChange(in *wire.UpdateJobRequest) (jobs.JobChange, error) {
	c := jobs.JobChange{Description: in.Description}
	if in.JobExecutionsRolloutConfig != nil {
		c.Rollout = new(rolloutConfig(in.JobExecutionsRolloutConfig))
	}
	if in.AbortConfig != nil {
		c.Abort = new(abortCriteria(in.AbortConfig))
	}
	if in.JobExecutionsRetryConfig != nil {
		c.Retry = new(retryCriteria(in.JobExecutionsRetryConfig))
	}
	if in.PresignedURLConfig != nil {
		c.Presigned = new(presignedConfig(in.PresignedURLConfig))
	}
	var err error
	c.TimeoutMinutes, err = timeoutMinutes(in.TimeoutConfig)
	return c, err
}

func rolloutConfig(in *wire.JobExecutionsRolloutConfig) muster.RolloutConfig {
	if in == nil {
		return muster.RolloutConfig{}
	}
	c := muster.RolloutConfig{MaximumPerMinute: wire.Or(in.MaximumPerMinute, 0)}
	if r := in.ExponentialRate; r != nil {
		c.Exponential = &muster.ExponentialRate{BasePerMinute: *r.BaseRatePerMinute, Factor: *r.IncrementFactor}
		c.Exponential.NotifiedThings = wire.Or(r.RateIncreaseCriteria.NumberOfNotifiedThings, 0)
		c.Exponential.SucceededThings = wire.Or(r.RateIncreaseCriteria.NumberOfSucceededThings, 0)
	}
	return c
}

func rolloutShape(c muster.RolloutConfig) *wire.JobExecutionsRolloutConfig {
	out := &wire.JobExecutionsRolloutConfig{MaximumPerMinute: positive(c.MaximumPerMinute)}
	if r := c.Exponential; r != nil {
		out.ExponentialRate = &wire.ExponentialRolloutRate{
			BaseRatePerMinute: &r.BasePerMinute, IncrementFactor: &r.Factor,
			RateIncreaseCriteria: &wire.RateIncreaseCriteria{
				NumberOfNotifiedThings: positive(r.NotifiedThings), NumberOfSucceededThings: positive(r.SucceededThings),
			},
		}
	}
	return out
}

// positive returns n, or nil for zero, which stands for a number that was not given.
func positive(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func abortCriteria(in *wire.AbortConfig) []muster.AbortCriterion {
	if in == nil {
		return nil
	}
	criteria := []muster.AbortCriterion{}
	for _, c := range in.CriteriaList {
		criteria = append(criteria, muster.AbortCriterion{
			Failure: muster.FailureType(*c.FailureType), ThresholdPercent: *c.ThresholdPercentage, MinExecuted: *c.MinNumberOfExecutedThings,
		})
	}
	return criteria
}

func abortShape(criteria []muster.AbortCriterion) *wire.AbortConfig {
	if len(criteria) == 0 {
		return nil
	}
	out := &wire.AbortConfig{}
	for _, c := range criteria {
		out.CriteriaList = append(out.CriteriaList, wire.AbortCriteria{
			Action: new("CANCEL"), FailureType: new(string(c.Failure)),
			ThresholdPercentage: new(c.ThresholdPercent), MinNumberOfExecutedThings: new(c.MinExecuted),
		})
	}
	return out
}

func retryCriteria(in *wire.JobExecutionsRetryConfig) []muster.RetryCriterion {
	if in == nil {
		return nil
	}
	criteria := []muster.RetryCriterion{}
	for _, c := range in.CriteriaList {
		criteria = append(criteria, muster.RetryCriterion{Failure: muster.FailureType(*c.FailureType), Max: *c.NumberOfRetries})
	}
	return criteria
}

func retryShape(criteria []muster.RetryCriterion) *wire.JobExecutionsRetryConfig {
	if len(criteria) == 0 {
		return nil
	}
	out := &wire.JobExecutionsRetryConfig{}
	for _, c := range criteria {
		out.CriteriaList = append(out.CriteriaList, wire.RetryCriteria{FailureType: new(string(c.Failure)), NumberOfRetries: new(c.Max)})
	}
	return out
}

// timeoutMinutes returns the in-progress timeout, or nil if there is none. The model
// has no bounds for it. They are checked here, where a timeout of zero can still be
// told from none.
func timeoutMinutes(in *wire.TimeoutConfig) (*int, error) {
	if in == nil || in.InProgressTimeoutInMinutes == nil {
		return nil, nil
	}
	if err := muster.CheckTimeout(*in.InProgressTimeoutInMinutes); err != nil {
		return nil, err
	}
	return new(int(*in.InProgressTimeoutInMinutes)), nil
}

func timeoutShape(minutes int) *wire.TimeoutConfig {
	if minutes == 0 {
		return &wire.TimeoutConfig{}
	}
	return &wire.TimeoutConfig{InProgressTimeoutInMinutes: new(int64(minutes))}
}

func presignedConfig(in *wire.PresignedUrlConfig) muster.PresignedConfig {
	if in == nil {
		return muster.PresignedConfig{}
	}
	return muster.PresignedConfig{RoleARN: wire.Or(in.RoleARN, ""), ExpiresInSec: int(wire.Or(in.ExpiresInSec, 0))}
}

func presignedShape(c muster.PresignedConfig) *wire.PresignedUrlConfig {
	out := &wire.PresignedUrlConfig{RoleARN: text(c.RoleARN)}
	if c.ExpiresInSec != 0 {
		out.ExpiresInSec = new(int64(c.ExpiresInSec))
	}
	return out
}

func schedule(in *wire.SchedulingConfig) muster.Schedule {
	if in == nil {
		return muster.Schedule{}
	}
	s := muster.Schedule{
		StartTime: wire.Or(in.StartTime, ""), EndTime: wire.Or(in.EndTime, ""),
		EndBehavior: muster.EndBehavior(wire.Or(in.EndBehavior, "")),
	}
	for _, w := range in.MaintenanceWindows {
		s.Windows = append(s.Windows, muster.MaintenanceWindow{StartTime: *w.StartTime, DurationMinutes: *w.DurationInMinutes})
	}
	return s
}

func scheduleShape(s muster.Schedule) *wire.SchedulingConfig {
	if s.IsZero() {
		return nil
	}
	return &wire.SchedulingConfig{
		StartTime: text(s.StartTime), EndTime: text(s.EndTime), EndBehavior: text(s.EndBehavior),
		MaintenanceWindows: windowShapes(s.Windows),
	}
}

func windowShapes(windows []muster.MaintenanceWindow) []wire.MaintenanceWindow {
	var out []wire.MaintenanceWindow
	for _, w := range windows {
		out = append(out, wire.MaintenanceWindow{StartTime: new(w.StartTime), DurationInMinutes: new(w.DurationMinutes)})
	}
	return out
}
