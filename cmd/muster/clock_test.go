package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A retry after a time-out of an hour, with the test clock: when the clock has
// been moved, all that was due by then has happened.
func TestTheTestClockMakesHoursPass(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"), "--test-clock")
	ctx := t.Context()
	if err := s.Registry.CreateThing(ctx, "lamp"); err != nil {
		t.Fatal(err)
	}
	job := object{
		"targets": []string{"arn:aws:iot:us-east-1:000000000000:thing/lamp"}, "document": "{}",
		"timeoutConfig":            object{"inProgressTimeoutInMinutes": 60},
		"jobExecutionsRetryConfig": object{"criteriaList": []object{{"failureType": "TIMED_OUT", "numberOfRetries": 1}}},
		"schedulingConfig":         object{"startTime": time.Now().UTC().Add(3 * time.Hour).Format("2006-01-02 15:04")},
	}
	if err := s.Call(ctx, "PUT", "/jobs/fw", job, nil); err != nil {
		t.Fatal(err)
	}
	move := func(order object) {
		t.Helper()
		if err := s.Call(ctx, "POST", "/muster/v1/clock", order, nil); err != nil {
			t.Fatalf("move the clock by %v: %v", order, err)
		}
	}
	// start works as a device would, which signs for another service.
	start := func() string {
		t.Helper()
		var answer struct{ Execution struct{ Status string } }
		if err := s.Call(ctx, "PUT", "/things/lamp/jobs/$next", object{}, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Execution.Status
	}
	if got := start(); got != "" {
		t.Fatalf("before the start time the device got an execution %s", got)
	}
	move(object{"advance": "3h"})
	for attempt := range 2 {
		if got := start(); got != "IN_PROGRESS" {
			t.Fatalf("attempt %d is %q, want IN_PROGRESS", attempt, got)
		}
		move(object{"advance": "61m"})
	}
	j, err := s.Jobs.DescribeJob(ctx, "fw")
	if err != nil || j.Count("TimedOut") != 2 || j.Status != "COMPLETED" {
		t.Errorf("the job is %+v, %v; want it COMPLETED with two that timed out", j, err)
	}
	err = s.Call(ctx, "POST", "/muster/v1/clock", object{"set": "2020-01-01T00:00:00Z"}, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot be set back") {
		t.Errorf("setting the clock back: %v, want that it cannot", err)
	}
}

func TestAServerThatKeepsRealTimeRefusesToBeMoved(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	err := s.Call(t.Context(), "POST", "/muster/v1/clock", object{"advance": "1m"}, nil)
	if err == nil || !strings.Contains(err.Error(), "keeps real time") {
		t.Errorf("moving the clock: %v, want that it keeps real time", err)
	}
}
