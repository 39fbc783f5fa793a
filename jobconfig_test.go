package muster

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestStoredConfigurationKeepsItsNames makes sure that every later release can read the
// records of this one.
func TestStoredConfigurationKeepsItsNames(t *testing.T) {
	full := JobConfig{
		Rollout: RolloutConfig{MaximumPerMinute: 500, Exponential: &ExponentialRate{
			BasePerMinute: 50, Factor: 1.5, NotifiedThings: 1000, SucceededThings: 10}},
		Abort:          []AbortCriterion{{FailureFailed, 20.25, 100}},
		Retry:          []RetryCriterion{{FailureAll, 0}},
		TimeoutMinutes: 30,
		Schedule: Schedule{
			StartTime: "2026-09-18 00:00", EndTime: "2026-09-19T00:00Z", EndBehavior: CancelAtEnd,
			Windows: []MaintenanceWindow{{"cron(0 0 18 * ? *)", 60}},
		},
	}
	for _, test := range []struct {
		name   string
		config JobConfig
		want   string
	}{
		{"nothing given is nothing stored", JobConfig{}, `{}`},
		{"everything given", full, `{"rollout":{"maximumPerMinute":500,"exponentialRate":{"baseRatePerMinute":50,` +
			`"incrementFactor":1.5,"numberOfNotifiedThings":1000,"numberOfSucceededThings":10}},` +
			`"abort":[{"failureType":"FAILED","thresholdPercentage":20.25,"minNumberOfExecutedThings":100}],` +
			`"retry":[{"failureType":"ALL","numberOfRetries":0}],"inProgressTimeoutInMinutes":30,` +
			`"schedule":{"startTime":"2026-09-18 00:00","endTime":"2026-09-19T00:00Z","endBehavior":"CANCEL",` +
			`"maintenanceWindows":[{"startTime":"cron(0 0 18 * ? *)","durationInMinutes":60}]}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.config)
			if err != nil || string(got) != test.want {
				t.Fatalf("Marshal = %s, %v\nwant %s", got, err, test.want)
			}
			var back JobConfig
			if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, test.config) {
				t.Errorf("Unmarshal = %+v, %v\nwant %+v", back, err, test.config)
			}
		})
	}
}

func TestTimeoutIsOneMinuteToOneWeek(t *testing.T) {
	for minutes, ok := range map[int64]bool{-1: false, 0: false, 1: true, 10080: true, 10081: false} {
		if err := CheckTimeout(minutes); (err == nil) != ok {
			t.Errorf("CheckTimeout(%d) = %v, want ok %t", minutes, err, ok)
		}
	}
}

func TestAttemptCountsEveryRetry(t *testing.T) {
	if got := (Retries{Failed: 2, TimedOut: 1}).Attempt(); got != 3 {
		t.Errorf("Attempt = %d, want 3", got)
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
