package main

import (
	"context"
	"net/http"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/operator"
)

const (
	backupPath      = operator.Prefix + "backup"
	explainPath     = operator.Prefix + "explain-policy"
	clockPath       = operator.Prefix + "clock"
	resetPath       = operator.Prefix + "reset"
	deadLettersPath = operator.Prefix + "dead-letters"
	jobOptionsPath  = operator.Prefix + "jobs/{job}/options"
)

// routes is the table of what is served beside the contract. A new row needs one
// in the operator's guide too, which a test holds against this table.
func (s *server) routes() []operator.Route {
	return []operator.Route{
		{Method: http.MethodGet, Path: metricsPath, Action: "muster:ReadMetrics", Serve: s.readMetrics},
		{Method: http.MethodPost, Path: backupPath, Action: "muster:Backup", Serve: s.backup},
		{Method: http.MethodPost, Path: explainPath, Action: "muster:ExplainPolicy", Serve: s.explainPolicy},
		{Method: http.MethodGet, Path: deadLettersPath, Action: "muster:ListDeadLetters", Serve: s.listDeadLetters},
		{Method: http.MethodPost, Path: deadLettersPath, Action: "muster:ClearDeadLetters", BodyMax: letterBodyMax, Serve: s.clearDeadLetters},
		{Method: http.MethodGet, Path: jobOptionsPath, Action: "muster:DescribeJobOptions", Resource: s.jobARN, Serve: s.describeJobOptions},
		{Method: http.MethodPut, Path: jobOptionsPath, Action: "muster:UpdateJobOptions", Resource: s.jobARN, Serve: s.updateJobOptions},
		{Method: http.MethodGet, Path: clockPath, Action: "muster:ReadClock", Serve: s.readClock},
		{Method: http.MethodPost, Path: clockPath, Action: "muster:MoveClock", Serve: s.moveClock},
		{Method: http.MethodPost, Path: resetPath, Action: "muster:Reset", Serve: s.reset},
	}
}

// jobARN names the job of a path.
func (s *server) jobARN(names map[string]string) (string, error) {
	if !muster.ValidJobID(names["job"]) {
		return "", muster.Errorf(muster.Invalid, "%q is no id of a job", names["job"])
	}
	return s.account().ARN("job", names["job"]), nil
}

func (s *server) readMetrics(_ context.Context, c *operator.Call) (any, error) {
	s.figures.Handler().ServeHTTP(c.Writer, c.Request)
	return operator.Taken, nil
}
