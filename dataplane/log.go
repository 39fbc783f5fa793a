package dataplane

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/muster-iot/muster"
)

// eventTypes are the eventType of a log entry by kind of request (jobs-events.md
// section 5).
var eventTypes = [...]string{
	GetPending: "GetPendingJobExecution", // sic, the singular
	StartNext:  "StartNextPendingJobExecution",
	Describe:   "DescribeJobExecution",
	Update:     "UpdateJobExecution",
}

// operationNames are the names of operations in metrics and in policies.
var operationNames = [...]string{
	InvalidTopic: "InvalidTopic",
	GetPending:   "GetPendingJobExecutions",
	StartNext:    "StartNextPendingJobExecution",
	Describe:     "DescribeJobExecution",
	Update:       "UpdateJobExecution",
}

// source is where a request came from.
type source struct {
	protocol protocol
	topic    string // MQTT only
	client   string // the MQTT client id, or the ARN of the sender
}

// ended counts a request, tells of it and logs it.
func (s *Service) ended(c source, r *request, a answer, took time.Duration) {
	code, level := "ok", slog.LevelDebug
	seen := Sight{Thing: r.Thing, Job: r.Job, Operation: operationNames[r.Kind], HTTPS: c.protocol == overHTTP}
	if a.err != nil {
		f := refusalOf(a.err)
		code, level = f.code, slog.LevelError
		seen.Code, seen.Message = f.code, f.message
	}
	if r.Job == NextJob {
		seen.Job = ""
	}
	seen.Changed = a.changed(r.Kind)
	if !muster.IsKind(a.err, muster.Forbidden) {
		s.o.Saw(seen)
	}
	if muster.IsKind(a.err, muster.NoRoom) {
		level = slog.LevelDebug // the log is told once that the disk is full
	}
	s.o.Observe(Observation{operationNames[r.Kind], c.protocol.plane(), code, took})
	if !s.o.Log.Enabled(context.Background(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("accountId", s.o.Account.ID),
		slog.String("eventType", r.eventType()),
		slog.String("protocol", c.protocol.String()),
		slog.String("clientId", c.client),
		slog.String("thingName", string(r.Thing)),
	}
	if c.topic != "" {
		attrs = append(attrs, slog.String("topicName", c.topic))
	}
	if r.Job != "" {
		attrs = append(attrs, slog.String("jobId", string(r.Job)))
	}
	if r.token != nil {
		attrs = append(attrs, slog.String("clientToken", unquote(r.token)))
	}
	status, details := "Success", "The request status is SUCCESS."
	if a.err != nil {
		status, details = "Failure", "The request status is FAILURE."
		attrs = append(attrs, slog.String("code", code), slog.String("error", a.err.Error()))
	}
	if r.status != 0 {
		details = "The destination status is " + r.status.String() + ". " + details
	}
	if x := a.described.Execution; x != nil && r.Kind == Update {
		attrs = append(attrs, slog.String("versionNumber", strconv.FormatInt(x.Version, 10)))
	}
	attrs = append(attrs, slog.String("status", status), slog.String("details", details), slog.Duration("took", took))
	s.o.Log.LogAttrs(context.Background(), level, "device request", attrs...)
}

func (r *request) eventType() string {
	if r.Kind == InvalidTopic {
		return operationNames[InvalidTopic]
	}
	return eventTypes[r.Kind]
}
