package muster

import (
	"errors"
	"reflect"
	"testing"
)

func TestTheARNOfAJobTemplate(t *testing.T) {
	here := Account{ID: "111122223333", Region: "eu-west-1"}
	for name, test := range map[string]struct {
		arn     string
		id      JobTemplateID
		managed string
		kind    Kind // of the failure, when there is neither
	}{
		"a custom one":                 {arn: here.JobTemplateARN("nightly"), id: "nightly"},
		"a managed one":                {arn: here.ManagedTemplateARN("AWS-Reboot", "1.0"), managed: "AWS-Reboot"},
		"a managed one, spelled out":   {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Run-Command:1.0", managed: "AWS-Run-Command"},
		"a managed one that is absent": {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Boot:1.0", kind: NotFound},
		"a version that is absent":     {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:2.0", kind: NotFound},
		"no version":                   {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot", kind: NotFound},
		"an empty version":             {arn: "arn:aws:iot:eu-west-1::jobtemplate/AWS-Reboot:", kind: NotFound},
		"managed in another region":    {arn: "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0", kind: NotFound},
		"another account (A16)":        {arn: "arn:aws:iot:eu-west-1:999999999999:jobtemplate/nightly", kind: NotFound},
		"another kind of resource":     {arn: "arn:aws:iot:eu-west-1:111122223333:job/nightly", kind: Invalid},
		"no ARN":                       {arn: "nightly", kind: Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			id, m, err := here.JobTemplate(test.arn)
			if err == nil {
				if id != test.id || (m == nil) != (test.managed == "") || (m != nil && m.Name != test.managed) {
					t.Errorf("JobTemplate(%s) = %q, %v, want %+v", test.arn, id, m, test)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || test.kind == Internal || e.Kind != test.kind {
				t.Errorf("JobTemplate(%s): %v, want %+v", test.arn, err, test)
			}
		})
	}
}

func TestAConfigurationTakesWhatItDoesNotGive(t *testing.T) {
	night := []MaintenanceWindow{{StartTime: "cron(0 2 * * ? *)", DurationMinutes: 60}}
	base := JobConfig{
		Rollout:        RolloutConfig{MaximumPerMinute: 10, Exponential: &ExponentialRate{BasePerMinute: 5}},
		Abort:          []AbortCriterion{{Failure: FailureAll, ThresholdPercent: 5, MinExecuted: 1}},
		Retry:          []RetryCriterion{{Failure: FailureAll, Max: 2}},
		TimeoutMinutes: 7,
		Schedule:       Schedule{StartTime: "2026-01-01 00:00", Windows: night},
	}
	inherited := base
	inherited.Schedule = Schedule{Windows: night}
	given := JobConfig{
		Rollout:        RolloutConfig{MaximumPerMinute: 1},
		Abort:          []AbortCriterion{{Failure: FailureFailed, ThresholdPercent: 50, MinExecuted: 9}},
		Retry:          []RetryCriterion{{Failure: FailureFailed, Max: 0}},
		TimeoutMinutes: 1,
		Schedule:       Schedule{EndTime: "2027-01-01 00:00", Windows: []MaintenanceWindow{{StartTime: "cron(0 5 * * ? *)", DurationMinutes: 5}}},
	}
	partly := inherited
	partly.TimeoutMinutes, partly.Schedule.EndTime = 3, "2027-01-01 00:00"
	for name, test := range map[string]struct{ c, want JobConfig }{
		"everything, but neither start nor end": {JobConfig{}, inherited},
		"nothing, members are not merged":       {given, given},
		"what is missing":                       {JobConfig{TimeoutMinutes: 3, Schedule: Schedule{EndTime: "2027-01-01 00:00"}}, partly},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.c.Or(base); !reflect.DeepEqual(got, test.want) {
				t.Errorf("Or = %+v, want %+v", got, test.want)
			}
		})
	}
}
