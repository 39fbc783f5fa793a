package events

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

func TestJobEvents(t *testing.T) {
	job := muster.Job{
		ID: "fw-12", Targets: []muster.Target{{Group: true, Name: "pumps"}, {Name: "sensor-7"}}, Selection: muster.Continuous,
		Description: "fast & <safe>", Comment: "wrong file", ReasonCode: "X", ForceCanceled: true, Status: muster.JobCanceled,
		CreatedAt: 1790000009214, UpdatedAt: 1790003600874,
	}
	completed := job
	completed.Selection, completed.Description, completed.Status, completed.CompletedAt = muster.Snapshot, "September firmware", muster.JobCompleted, 1790003600874
	completed.Targets = completed.Targets[:1]
	counts := muster.Counts{}.Add(muster.Failed, 1).Add(muster.Succeeded, 2).Add(muster.TimedOut, 5)
	bare := muster.Job{ID: "fw-13", Targets: []muster.Target{{Name: "sensor-7"}}, CreatedAt: 1790000009214, UpdatedAt: 1790000009215}

	for name, test := range map[string]struct {
		operation string
		job       muster.Job
		topic     string
		want      string
	}{
		"completed, as in jobs-events.md section 2": {eventlog.Completed, completed, "$aws/events/job/fw-12/completed", `
			{"eventType":"JOB","eventId":"0b8c7c52-3f0e-4d7a-9a55-5d1d7f6f2c11","timestamp":1790003601,"operation":"completed",
			"jobId":"fw-12","status":"COMPLETED","targetSelection":"SNAPSHOT",
			"targets":["arn:aws:iot:eu-west-1:111122223333:thinggroup/pumps"],"description":"September firmware",
			"completedAt":1790003600874,"createdAt":1790000009214,"lastUpdatedAt":1790003600874,
			"jobProcessDetails":{"numberOfCanceledThings":0,"numberOfRejectedThings":0,"numberOfFailedThings":1,"numberOfRemovedThings":0,"numberOfSucceededThings":2}}`},
		"cancellation_in_progress, with a comment": {eventlog.CancellationInProgress, job, "$aws/events/job/fw-12/cancellation_in_progress", `
			{"eventType":"JOB","eventId":"0b8c7c52-3f0e-4d7a-9a55-5d1d7f6f2c11","timestamp":1790003601,"operation":"cancellation_in_progress",
			"jobId":"fw-12","status":"CANCELLATION_IN_PROGRESS","targetSelection":"CONTINUOUS",
			"targets":["arn:aws:iot:eu-west-1:111122223333:thinggroup/pumps","arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"],
			"description":"fast & <safe>","comment":"wrong file","createdAt":1790000009214,"lastUpdatedAt":1790003600874}`},
		"canceled, which has the comment too (jobs-events.md J1)": {eventlog.Canceled, job, "$aws/events/job/fw-12/canceled", `
			{"eventType":"JOB","eventId":"0b8c7c52-3f0e-4d7a-9a55-5d1d7f6f2c11","timestamp":1790003601,"operation":"canceled",
			"jobId":"fw-12","status":"CANCELED","targetSelection":"CONTINUOUS",
			"targets":["arn:aws:iot:eu-west-1:111122223333:thinggroup/pumps","arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"],
			"description":"fast & <safe>","comment":"wrong file","createdAt":1790000009214,"lastUpdatedAt":1790003600874}`},
		"deletion_in_progress, without what is not given": {eventlog.DeletionInProgress, bare, "$aws/events/job/fw-13/deletion_in_progress", `
			{"eventType":"JOB","eventId":"0b8c7c52-3f0e-4d7a-9a55-5d1d7f6f2c11","timestamp":1790003601,"operation":"deletion_in_progress",
			"jobId":"fw-13","status":"DELETION_IN_PROGRESS","targetSelection":"SNAPSHOT",
			"targets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"],"createdAt":1790000009214,"lastUpdatedAt":1790000009215}`},
		"deleted": {eventlog.Deleted, bare, "$aws/events/job/fw-13/deleted", `
			{"eventType":"JOB","eventId":"0b8c7c52-3f0e-4d7a-9a55-5d1d7f6f2c11","timestamp":1790003601,"operation":"deleted",
			"jobId":"fw-13","status":"DELETED","targetSelection":"SNAPSHOT",
			"targets":["arn:aws:iot:eu-west-1:111122223333:thing/sensor-7"],"createdAt":1790000009214,"lastUpdatedAt":1790000009215}`},
	} {
		t.Run(name, func(t *testing.T) {
			wantPublished(t, eventlog.Event{
				ID: "0b8c7c52-3f0e-4d7a-9a55-5d1d7f6f2c11", At: 1790003601999, Type: muster.EventJob,
				Operation: test.operation, Job: &test.job, Counts: counts,
			}, test.topic, test.want)
		})
	}
}

func TestExecutionEvents(t *testing.T) {
	for name, test := range map[string]struct {
		operation string
		details   map[string]string
		want      string
	}{
		"failed, as in jobs-events.md section 3": {"failed", map[string]string{"reason": "checksum"}, `
			{"eventType":"JOB_EXECUTION","eventId":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","timestamp":1790003600,"operation":"failed",
			"jobId":"fw-12","thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","status":"FAILED","statusDetails":{"reason":"checksum"}}`},
		"timed_out, without details (jobs-events.md J3)": {"timed_out", nil, `
			{"eventType":"JOB_EXECUTION","eventId":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","timestamp":1790003600,"operation":"timed_out",
			"jobId":"fw-12","thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","status":"TIMED_OUT"}`},
		"deleted, whatever it was before (jobs-events.md J2)": {eventlog.Deleted, nil, `
			{"eventType":"JOB_EXECUTION","eventId":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","timestamp":1790003600,"operation":"deleted",
			"jobId":"fw-12","thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","status":"DELETED"}`},
	} {
		t.Run(name, func(t *testing.T) {
			wantPublished(t, eventlog.Event{
				ID: "6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02", At: 1790003600000, Type: muster.EventJobExecution, Operation: test.operation,
				Execution: &muster.Execution{Job: "fw-12", Thing: "sensor-7", Status: muster.Succeeded, Details: test.details},
			}, "$aws/events/jobExecution/fw-12/"+test.operation, test.want)
		})
	}
}

// wantPublished fails unless e is published on topic, with QoS 1 and the payload
// sample.
func wantPublished(t *testing.T, e eventlog.Event, topic, sample string) {
	t.Helper()
	b, log := &board{}, &notebook{}
	log.add(e)
	got := b.run(t, New(Options{Broker: b, Events: log, Account: account}), func() {})
	if want := topic + " 1 " + compact(sample); len(got) != 1 || got[0] != want {
		t.Errorf("published\n  %s\nwant\n  %s", got, want)
	}
}
