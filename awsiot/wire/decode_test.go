package wire

import (
	"encoding/json"
	"reflect"
	"testing"
)

// decode decodes a CreateJob request that has the given body.
func decodeJob(body string) (*CreateJobRequest, error) {
	in := new(CreateJobRequest)
	return in, in.Decode(&Request{Labels: Labels{{"jobId", "fw-12"}}, Body: []byte(body)})
}

const createJob = `{"targets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"],
 "document":"{\"do\":\"flash\"}","description":"September firmware","targetSelection":"SNAPSHOT",
 "timeoutConfig":{"inProgressTimeoutInMinutes":100},
 "jobExecutionsRolloutConfig":{"maximumPerMinute":100},
 "abortConfig":{"criteriaList":[{"failureType":"FAILED","action":"CANCEL","thresholdPercentage":20,"minNumberOfExecutedThings":100}]},
 "jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":3}]},
 "tags":[{"Key":"team","Value":""}]}`

func TestDecodeCreateJob(t *testing.T) {
	in, err := decodeJob(createJob)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	want := &CreateJobRequest{
		JobID:           new("fw-12"),
		Targets:         []string{"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"},
		Document:        new(`{"do":"flash"}`),
		Description:     new("September firmware"),
		TargetSelection: new("SNAPSHOT"),
		TimeoutConfig:   &TimeoutConfig{InProgressTimeoutInMinutes: new(int64(100))},
		JobExecutionsRolloutConfig: &JobExecutionsRolloutConfig{
			MaximumPerMinute: new(100),
		},
		AbortConfig: &AbortConfig{CriteriaList: []AbortCriteria{{
			FailureType: new("FAILED"), Action: new("CANCEL"), ThresholdPercentage: new(20.0), MinNumberOfExecutedThings: new(100),
		}}},
		JobExecutionsRetryConfig: &JobExecutionsRetryConfig{CriteriaList: []RetryCriteria{{
			FailureType: new("FAILED"), NumberOfRetries: new(3),
		}}},
		Tags: []Tag{{Key: new("team"), Value: new("")}},
	}
	if !reflect.DeepEqual(in, want) {
		got, _ := json.Marshal(in)
		wanted, _ := json.Marshal(want)
		t.Errorf("Decode = %s\nwant %s", got, wanted)
	}
}
