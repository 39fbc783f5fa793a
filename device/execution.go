package device

import (
	"encoding/json"
	"time"
)

// Status is the state of an execution.
type Status string

// The states of an execution. A device may report the second to the fifth.
const (
	Queued     Status = "QUEUED"
	InProgress Status = "IN_PROGRESS"
	Succeeded  Status = "SUCCEEDED"
	Failed     Status = "FAILED"
	Rejected   Status = "REJECTED"
	TimedOut   Status = "TIMED_OUT"
	Removed    Status = "REMOVED"
	Canceled   Status = "CANCELED"
)

// Summary is one line of a list of pending executions.
type Summary struct {
	JobID     string
	Number    int64 // of the execution; 1, and one more for each retry
	Version   int64
	QueuedAt  time.Time // times are in whole seconds
	StartedAt time.Time // zero until it is IN_PROGRESS for the first time
	UpdatedAt time.Time
}

// Execution is one run of a job on the thing.
type Execution struct {
	Summary
	Status  Status
	Details map[string]string // statusDetails; nil when empty
	// Document is the job document, a JSON object; nil when not asked for.
	Document json.RawMessage
	// TimeLeft is about how long the service waits before it sets the execution
	// TIMED_OUT; negative when no timer runs.
	TimeLeft time.Duration
}

// State is the part of an execution that updates change.
type State struct {
	Status  Status            `json:"status"`
	Details map[string]string `json:"statusDetails"`
	Version int64             `json:"versionNumber"`
}

// Pending is what waits for the thing, each list in the order of the queue, and
// nil when empty.
type Pending struct {
	InProgress []Summary `json:"inProgressJobs"`
	Queued     []Summary `json:"queuedJobs"`
}

// Has reports whether execution number of job is in the lists.
func (p Pending) Has(job string, number int64) bool {
	for _, list := range [...][]Summary{p.InProgress, p.Queued} {
		for _, s := range list {
			if s.JobID == job && s.Number == number {
				return true
			}
		}
	}
	return false
}

// normal returns p with nil for empty lists.
func (p Pending) normal() Pending {
	if len(p.InProgress) == 0 {
		p.InProgress = nil
	}
	if len(p.Queued) == 0 {
		p.Queued = nil
	}
	return p
}

// wireSummary is a Summary as the contract writes it.
type wireSummary struct {
	JobID     string `json:"jobId"`
	Number    int64  `json:"executionNumber"`
	Version   int64  `json:"versionNumber"`
	QueuedAt  int64  `json:"queuedAt"`
	StartedAt *int64 `json:"startedAt"`
	UpdatedAt int64  `json:"lastUpdatedAt"`
}

func (w wireSummary) summary() Summary {
	s := Summary{
		JobID: w.JobID, Number: w.Number, Version: w.Version,
		QueuedAt: time.Unix(w.QueuedAt, 0), UpdatedAt: time.Unix(w.UpdatedAt, 0),
	}
	if w.StartedAt != nil {
		s.StartedAt = time.Unix(*w.StartedAt, 0)
	}
	return s
}

// UnmarshalJSON reads the contract's form.
func (s *Summary) UnmarshalJSON(b []byte) error {
	var w wireSummary
	err := json.Unmarshal(b, &w)
	*s = w.summary()
	return err
}

// UnmarshalJSON reads the contract's form, that of MQTT or that of HTTPS.
func (e *Execution) UnmarshalJSON(b []byte) error {
	var w struct {
		wireSummary
		Status   Status            `json:"status"`
		Details  map[string]string `json:"statusDetails"`
		Document document          `json:"jobDocument"`
		Left     *int64            `json:"approximateSecondsBeforeTimedOut"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*e = Execution{
		Summary: w.summary(), Status: w.Status, Details: w.Details,
		Document: json.RawMessage(w.Document), TimeLeft: -1,
	}
	if w.Left != nil {
		e.TimeLeft = time.Duration(*w.Left) * time.Second
	}
	return nil
}

// document is a job document: an object over MQTT, a string with its text over
// HTTPS.
type document json.RawMessage

func (d *document) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		*d = append(document(nil), b...)
		return nil
	}
	var text string
	err := json.Unmarshal(b, &text)
	*d = document(text)
	return err
}
