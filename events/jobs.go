package events

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
)

// jobPayload is a job event (jobs-events.md section 2). Its timestamp is in
// seconds and the other times are in milliseconds (J5).
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

// jobDetails are the five counters of a job that is completed.
type jobDetails struct {
	Canceled  int64 `json:"numberOfCanceledThings"`
	Rejected  int64 `json:"numberOfRejectedThings"`
	Failed    int64 `json:"numberOfFailedThings"`
	Removed   int64 `json:"numberOfRemovedThings"`
	Succeeded int64 `json:"numberOfSucceededThings"`
}

func jobEvent(h engine.Happening, account muster.Account) jobPayload {
	j := h.Job
	event := jobPayload{
		EventType: h.Type.String(), EventID: h.ID, Timestamp: h.At.Seconds(), Operation: h.Operation,
		JobID: string(j.ID), Status: strings.ToUpper(h.Operation), TargetSelection: j.Selection.String(),
		Targets: account.TargetARNs(j.Targets), Description: j.Description, CreatedAt: int64(j.CreatedAt), LastUpdatedAt: int64(j.UpdatedAt),
	}
	if h.Operation != engine.Completed {
		event.Comment = j.Comment
		return event
	}
	event.CompletedAt = int64(j.CompletedAt)
	event.Details = &jobDetails{
		Canceled: h.Counts.Of(muster.Canceled), Rejected: h.Counts.Of(muster.Rejected), Failed: h.Counts.Of(muster.Failed),
		Removed: h.Counts.Of(muster.Removed), Succeeded: h.Counts.Of(muster.Succeeded),
	}
	return event
}

// executionPayload is an event of one execution (jobs-events.md section 3).
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

func executionEvent(h engine.Happening, account muster.Account) executionPayload {
	x := h.Execution
	return executionPayload{
		EventType: h.Type.String(), EventID: h.ID, Timestamp: h.At.Seconds(), Operation: h.Operation,
		JobID: string(x.Job), ThingARN: account.ARN("thing", string(x.Thing)), Status: strings.ToUpper(h.Operation),
		StatusDetails: x.Details,
	}
}
