package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Limits that are ordered by flag are in force: of the control plane, of the
// engine, and of what devices ask.
func TestOrderedLimitsAreInForce(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"),
		"--limits", "aws", "--limit", "active-jobs=1", "--limit", "create-thing-rate=1", "--limit", "data-write-rate=1", "--limit", "operation-rate=none")
	ctx := t.Context()
	if err := s.CreateThing(ctx, "lamp"); err != nil {
		t.Fatal(err)
	}
	// however slow the machine is, of many requests some fall into one second
	until := func(what string, err func() error) {
		t.Helper()
		for range 10_000 {
			if e := err(); e != nil {
				if !strings.Contains(e.Error(), "ThrottlingException") {
					t.Errorf("%s: %v, want ThrottlingException", what, e)
				}
				return
			}
		}
		t.Errorf("%s is never throttled", what)
	}
	until("CreateThing", func() error { return s.CreateThing(ctx, "lamp") })
	until("what a device starts", func() error { return s.Call(ctx, "PUT", "/things/lamp/jobs/$next", object{}, nil) })

	target := fmt.Sprintf("arn:aws:iot:%s:%s:thing/lamp", s.ready.Region, s.ready.Account)
	if err := s.CreateJob(ctx, "first", target, "{}"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateJob(ctx, "second", target, "{}"); err == nil || !strings.Contains(err.Error(), "LimitExceededException") {
		t.Errorf("a second active job: %v, want LimitExceededException", err)
	}
}
