package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/internal/teststore"
)

// fill makes a few of everything.
func (s *running) fill(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	arn, err := s.Register(ctx, "lamps", []string{"lamp1", "lamp2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateJob(ctx, "fw", arn, `{"do":"flash"}`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/policies/all", object{"policyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`}},
		{"POST", "/keys-and-certificate?setAsActive=true", nil},
		{"PUT", "/job-templates/t", object{"document": "{}", "description": "a template"}},
		{"PATCH", "/event-configurations", object{"eventConfigurations": object{"JOB": object{"Enabled": true}}}},
	} {
		if err := s.Call(ctx, c.method, c.path, c.body, nil); err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
	}
}

// census counts what there is, by kind.
func (s *running) census(t *testing.T) string {
	t.Helper()
	var all []string
	for _, list := range []struct{ path, member string }{
		{"/things", "things"}, {"/thing-groups", "thingGroups"}, {"/jobs", "jobs"}, {"/policies", "policies"},
		{"/certificates", "certificates"}, {"/job-templates", "jobTemplates"},
	} {
		var found map[string]any
		if err := s.Call(t.Context(), "GET", list.path, nil, &found); err != nil {
			t.Fatalf("GET %s: %v", list.path, err)
		}
		items, _ := found[list.member].([]any)
		all = append(all, fmt.Sprintf("%d %s", len(items), list.member))
	}
	return strings.Join(all, ", ")
}

const (
	fullCensus  = "2 things, 1 thingGroups, 1 jobs, 1 policies, 1 certificates, 1 jobTemplates"
	emptyCensus = "0 things, 0 thingGroups, 0 jobs, 0 policies, 0 certificates, 0 jobTemplates"
)

func TestAResetEmptiesATestServer(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"), "--test-clock", "--https", "127.0.0.1:0")
	ctx := t.Context()
	s.fill(t)
	if got := s.census(t); got != fullCensus {
		t.Fatalf("there are %s, want %s", got, fullCensus)
	}
	if err := s.Call(ctx, "POST", "/muster/v1/clock", object{"advance": "1000h"}, nil); err != nil {
		t.Fatal(err)
	}
	client, err := s.device(ctx, "lamp1", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Next(ctx); err != nil {
		t.Fatal(err)
	}

	// Many at once: each is answered, and nobody sees half of it. They come over
	// connections of their own, since a kept one may be closed at that moment.
	fresh := *s.Client
	fresh.HTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			var said struct{ Now time.Time }
			err := fresh.Call(ctx, "POST", "/muster/v1/reset", nil, &said)
			for errors.Is(err, io.EOF) { // it came as the doors closed: SDKs try again too
				err = fresh.Call(ctx, "POST", "/muster/v1/reset", nil, &said)
			}
			if err != nil {
				t.Errorf("reset: %v", err)
			}
			if ahead := time.Until(said.Now); ahead > 100*time.Hour {
				t.Errorf("after the reset the clock shows %s, want the present", said.Now)
			}
		})
	}
	asking.Wait()
	if got := s.census(t); got != emptyCensus {
		t.Errorf("after the reset there are %s, want %s", got, emptyCensus)
	}
	var config struct {
		EventConfigurations map[string]struct{ Enabled bool }
	}
	if err := s.Call(ctx, "GET", "/event-configurations", nil, &config); err != nil || config.EventConfigurations["JOB"].Enabled {
		t.Errorf("after the reset the event configurations are %+v, %v; want all off", config, err)
	}

	// It serves on, and another reset works like the first.
	client.Close() // which keeps coming back, and would take the client id from the next
	s.fill(t)
	if got := s.census(t); got != fullCensus {
		t.Errorf("filled again there are %s, want %s", got, fullCensus)
	}
	again, err := s.device(ctx, "lamp1", false)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if j, err := again.Next(ctx); err != nil || j == nil || j.JobID != "fw" {
		t.Errorf("after the reset the device gets %+v, %v; want the new job", j, err)
	}
	if err := s.Call(ctx, "POST", "/muster/v1/reset", nil, nil); err != nil {
		t.Errorf("the second reset: %v", err)
	}
	if got := s.census(t); got != emptyCensus {
		t.Errorf("after the second reset there are %s, want %s", got, emptyCensus)
	}
}

func TestWhoMayReset(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	s.fill(t)
	if err := s.Call(t.Context(), "POST", "/muster/v1/reset", nil, nil); err == nil || !strings.Contains(err.Error(), "no test server") {
		t.Errorf("reset without --test-clock: %v, want that it is no test server", err)
	}
	s.kill(t)
	s = startServer(t, data, "--test-clock")
	response, err := http.Post(s.ready.APIURL+"/muster/v1/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("reset without a signature: %s, want 403", response.Status)
	}
	if err := s.Call(t.Context(), "GET", "/muster/v1/reset", nil, nil); err == nil || !strings.Contains(err.Error(), "only POST") {
		t.Errorf("GET: %v, want a refusal", err)
	}
	if got := s.census(t); got != fullCensus {
		t.Errorf("after what was refused there are %s, want %s", got, fullCensus)
	}
}

// A server that is killed in the middle of a reset has everything or nothing,
// and nothing once it answered.
func TestAResetIsWholeOverAKill(t *testing.T) {
	data, where := filepath.Join(t.TempDir(), "data"), teststore.ServeFlags(t)
	flags := append([]string{"--test-clock"}, where...)
	for round := range *crashRounds {
		s := startServer(t, data, flags...)
		if round == 0 || s.census(t) == emptyCensus {
			s.fill(t)
		}
		done := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- s.Call(ctx, "POST", "/muster/v1/reset", nil, nil) }()
		time.Sleep(rand.N(2*resetGrace + 100*time.Millisecond))
		s.kill(t)
		stop()
		answered := <-done == nil
		if out, err := exec.Command("muster", append([]string{"admin", "verify", data}, where...)...).CombinedOutput(); err != nil && !strings.Contains(string(out), "is not a data folder") {
			t.Fatalf("in round %d: muster admin verify: %v\n%s", round, err, out)
		}
		s = startServer(t, data, flags...)
		got := s.census(t)
		if got != emptyCensus && (answered || got != fullCensus) {
			t.Errorf("in round %d, answered %v, there are %s", round, answered, got)
		}
		if _, err := os.Stat(filepath.Join(data, "db.reset")); err == nil {
			t.Errorf("in round %d the old store is still there", round)
		}
		t.Logf("round %d: answered %v, there are %s", round, answered, got)
		s.kill(t)
	}
}

// A folder that was left by a kill between the two stores of a reset is whole, and
// one that has lost its store otherwise is not.
func TestVerifyBetweenTheStoresOfAReset(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data, "--test-clock")
	s.kill(t)
	store, away := filepath.Join(data, "db"), filepath.Join(data, "db.reset")
	if err := os.Rename(store, away); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("muster", "admin", "verify", data).CombinedOutput(); err != nil {
		t.Errorf("with the old store put away: %v\n%s", err, out)
	}
	if err := os.RemoveAll(away); err != nil {
		t.Fatal(err)
	}
	const missing = "its store, the folder db, is missing or empty"
	if out, err := exec.Command("muster", "admin", "verify", data).CombinedOutput(); err == nil || !strings.Contains(string(out), missing) {
		t.Errorf("without any store: %v, want that %s\n%s", err, missing, out)
	}
}

// A device that asks while the server is being reset waits, and is answered by
// the new one.
func TestADeviceMeetsAReset(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"), "--test-clock")
	s.fill(t)
	reset := make(chan error, 1)
	go func() { reset <- s.Call(t.Context(), "POST", "/muster/v1/reset", nil, nil) }()
	for i, gone := 0, false; !gone && !t.Failed(); i++ {
		client, err := device.NewHTTPS(device.HTTPSOptions{Endpoint: s.ready.APIURL, Thing: "lamp1", Credential: &s.Credential, Region: s.Region})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Pending(t.Context())
		client.Close()
		gone = err != nil && strings.Contains(err.Error(), "ResourceNotFound")
		if err != nil && !gone {
			t.Errorf("request %d: %v, want an answer, or ResourceNotFoundException in the end", i, err)
		}
	}
	if err := <-reset; err != nil {
		t.Fatal(err)
	}
	if got := s.census(t); got != emptyCensus {
		t.Errorf("after the reset there are %s, want %s", got, emptyCensus)
	}
}
