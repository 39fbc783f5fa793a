package events

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

// jobPayload is the event of a job (jobs-events.md section 2). Its timestamp is in
// seconds, the other times are in milliseconds (J5).
type jobPayload struct {
	EventType       string      `json:"eventType"`
	EventID         string      `json:"eventId"`
	Timestamp       int64       `json:"timestamp"`
	Operation       string      `json:"operation"`
	JobID           string      `json:"jobId"`
	Status          string      `json:"status"`
	TargetSelection string      `json:"targetSelection"`
	Targets         []string    `json:"targets"`
	Description     string      `json:"description,omitempty"`
	Comment         string      `json:"comment,omitempty"`
	CompletedAt     int64       `json:"completedAt,omitempty"`
	CreatedAt       int64       `json:"createdAt"`
	LastUpdatedAt   int64       `json:"lastUpdatedAt"`
	Details         *jobDetails `json:"jobProcessDetails,omitempty"`
}

// jobDetails are the five counters of a completed job.
type jobDetails struct {
	Canceled  int64 `json:"numberOfCanceledThings"`
	Rejected  int64 `json:"numberOfRejectedThings"`
	Failed    int64 `json:"numberOfFailedThings"`
	Removed   int64 `json:"numberOfRemovedThings"`
	Succeeded int64 `json:"numberOfSucceededThings"`
}

func jobEvent(e eventlog.Event, account muster.Account) jobPayload {
	j := e.Job
	event := jobPayload{
		EventType: e.Type.String(), EventID: e.ID, Timestamp: e.At.Seconds(), Operation: string(e.Operation),
		JobID: string(j.ID), Status: strings.ToUpper(string(e.Operation)), TargetSelection: j.Selection.String(),
		Targets: account.TargetARNs(j.Targets), Description: j.Description, CreatedAt: int64(j.CreatedAt), LastUpdatedAt: int64(j.UpdatedAt),
	}
	if e.Operation != eventlog.Completed {
		event.Comment = j.Comment
		return event
	}
	event.CompletedAt = int64(j.CompletedAt)
	event.Details = &jobDetails{
		Canceled: e.Counts.Of(muster.Canceled), Rejected: e.Counts.Of(muster.Rejected), Failed: e.Counts.Of(muster.Failed),
		Removed: e.Counts.Of(muster.Removed), Succeeded: e.Counts.Of(muster.Succeeded),
	}
	return event
}

// executionPayload is the event of one execution (jobs-events.md section 3).
type executionPayload struct {
	EventType     string            `json:"eventType"`
	EventID       string            `json:"eventId"`
	Timestamp     int64             `json:"timestamp"`
	Operation     string            `json:"operation"`
	JobID         string            `json:"jobId"`
	ThingARN      string            `json:"thingArn"`
	Status        string            `json:"status"`
	StatusDetails map[string]string `json:"statusDetails,omitempty"`
}

func executionEvent(e eventlog.Event, account muster.Account) executionPayload {
	x := e.Execution
	return executionPayload{
		EventType: e.Type.String(), EventID: e.ID, Timestamp: e.At.Seconds(), Operation: string(e.Operation),
		JobID: string(x.Job), ThingARN: account.ARN("thing", string(x.Thing)), Status: strings.ToUpper(string(e.Operation)),
		StatusDetails: x.Details,
	}
}
