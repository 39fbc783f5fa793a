package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A job that paces its joiners gives them the job with its rate, over a restart
// too.
func TestTheJoinersOfAJobCanBePaced(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--test-clock")
	ctx := t.Context()
	arn, err := s.CreateGroup(ctx, "lamps")
	if err != nil {
		t.Fatal(err)
	}
	job := object{
		"targets": []string{arn}, "document": "{}", "targetSelection": "CONTINUOUS",
		"jobExecutionsRolloutConfig": object{"maximumPerMinute": 1},
	}
	if err := s.Call(ctx, "PUT", "/jobs/fw", job, nil); err != nil {
		t.Fatal(err)
	}
	const path = "/muster/v1/jobs/fw/options"
	paced := func() bool {
		t.Helper()
		var got struct{ PaceJoiners *bool }
		if err := s.Call(ctx, "GET", path, nil, &got); err != nil || got.PaceJoiners == nil {
			t.Fatalf("GET %s: %+v, %v", path, got, err)
		}
		return *got.PaceJoiners
	}
	if paced() {
		t.Error("joiners are paced by default")
	}
	if err := s.Call(ctx, "PUT", path, object{"paceJoiners": true}, nil); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []struct {
		path string
		body any
		want string
	}{
		{path, object{"paceJoiner": false}, "unknown field"},
		{path, object{"paceJoiners": "yes"}, "must be a JSON object"},
		{"/muster/v1/jobs/none/options", object{"paceJoiners": true}, "not found"},
		{"/muster/v1/jobs/a%2Fb/options", object{"paceJoiners": true}, "is no id of a job"},
		{"/muster/v1/jobs/fw", object{"paceJoiners": true}, "UnknownOperationException"},
	} {
		if err := s.Call(ctx, "PUT", refused.path, refused.body, nil); err == nil || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("PUT %s %v: %v, want %q", refused.path, refused.body, err, refused.want)
		}
	}
	if !paced() {
		t.Error("after PUT joiners are not paced")
	}
	if _, err := s.Register(ctx, "lamps", []string{"lamp1", "lamp2", "lamp3"}, nil); err != nil {
		t.Fatal(err)
	}
	s.kill(t)
	s = startServer(t, data, "--test-clock") // whose clock shows the present again
	for _, minutes := range []string{"1m", "1m", "1m"} {
		if err := s.Call(ctx, "POST", "/muster/v1/clock", object{"advance": minutes}, nil); err != nil {
			t.Fatal(err)
		}
		if j, err := s.DescribeJob(ctx, "fw"); err != nil || j.Count("Queued") > 3 {
			t.Fatalf("DescribeJob: %+v, %v", j, err)
		}
	}
	if j, err := s.DescribeJob(ctx, "fw"); err != nil || j.Count("Queued") != 3 || !paced() {
		t.Errorf("after three minutes the job is %+v, %v; want 3 queued, and joiners paced", j, err)
	}
	s.kill(t)
}
