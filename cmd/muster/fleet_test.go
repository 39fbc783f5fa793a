package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Devices that hang are ended by a time-out alone, and a fleet leaves alone what
// somebody else made of its things.
func TestDevicesThatHangTimeOut(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--test-clock")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := s.EnsureThing(ctx, "lamp-2", map[string]string{"model": "old"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{
			"fleet", "--data", data, "--devices", "3", "--prefix", "lamp-", "--attribute", "model=new", "--attribute", "site=roof",
			"--work", "1ms", "--fail", "0", "--reject", "0", "--hang", "1", "--pick", "0.5",
		}, io.Discard, t.Output())
	}()
	s.awaitMetric(t, "muster_mqtt_connections", "3")
	for thing, want := range map[string]string{"lamp-1": "new roof", "lamp-2": "old "} {
		var answer struct{ Attributes map[string]string }
		if err := s.Call(ctx, "GET", "/things/"+thing, nil, &answer); err != nil {
			t.Fatal(err)
		}
		if got := answer.Attributes["model"] + " " + answer.Attributes["site"]; got != want {
			t.Errorf("model and site of %s are %q, want %q", thing, got, want)
		}
	}
	job := object{
		"targets": []string{"arn:aws:iot:us-east-1:000000000000:thinggroup/fleet"}, "document": "{}",
		"timeoutConfig": object{"inProgressTimeoutInMinutes": 10},
	}
	if err := s.Call(ctx, "PUT", "/jobs/fw", job, nil); err != nil {
		t.Fatal(err)
	}
	s.awaitMetric(t, `muster_executions{status="IN_PROGRESS"}`, "3")
	if err := s.advance(ctx, "10m"); err != nil {
		t.Fatal(err)
	}
	done, err := s.DescribeJob(ctx, "fw")
	if err != nil || done.Status != "COMPLETED" || done.Count("TimedOut") != 3 {
		t.Errorf("the job is %+v, %v; want it COMPLETED with three that timed out", done, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("muster fleet = %v, want nil after an interrupt", err)
	}
	s.kill(t)
}

func TestFleetRefusesWhatMakesNoSense(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"", "needs --data or --ready-file"},
		{"--data d --fail 0.6 --hang 0.5", "must be 0 to 1"},
		{"--data nosuch", "no server is running there"},
		{"--data d --attribute model", `"model" is not name=value`},
	} {
		err := run(t.Context(), append([]string{"fleet"}, strings.Fields(test.args)...), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("muster fleet %s = %v, want an error with %q", test.args, err, test.want)
		}
	}
}
