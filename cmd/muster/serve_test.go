package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// TestAStopEndsLongPollsAndWaitsForNobodyElse sends SIGTERM to a server that a
// device waits at for a minute.
func TestAStopEndsLongPollsAndWaitsForNobodyElse(t *testing.T) {
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	if err := s.CreateThing(t.Context(), "lamp"); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.APIURL+"/things/lamp/jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Prefer", "wait=60")
	sigv4.Sign(r, nil, s.Credential, s.Region, "iot-jobs-data", time.Now())
	type answer struct {
		status int
		body   string
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		answered <- answer{response.StatusCode, string(body), err}
	}()
	s.awaitMetric(t, "muster_http_requests_in_flight", "1") // the long poll
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got := <-answered
	if got.err != nil || got.status != http.StatusOK || !strings.Contains(got.body, `"queuedJobs":[]`) {
		t.Errorf("the long poll got %+v, want an ordinary empty answer", got)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
}

// TestFleetWorks gives a simulated fleet a job over the public API.
func TestFleetWorks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, data)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"fleet", "--data", data, "--devices", "6", "--work", "20ms", "--fail", "0.5", "--pick", "0.5"}, io.Discard, t.Output())
	}()
	s.awaitMetric(t, "muster_mqtt_connections", "6")
	target, err := s.CreateGroup(ctx, "fleet")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateJob(ctx, "blink", target, "{}"); err != nil {
		t.Fatal(err)
	}
	done, err := follow(ctx, s.Client, "blink", newBoard(screenOf(io.Discard), 6))
	if err != nil {
		t.Fatal(err)
	}
	if n := done.Count("Succeeded") + done.Count("Failed") + done.Count("Rejected"); n != 6 {
		t.Errorf("%d of 6 devices did the job: %v", n, done.JobProcessDetails)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("muster fleet = %v, want nil after an interrupt", err)
	}
	s.kill(t)
}

// awaitMetric waits until a series of /metrics has a value.
func (s *running) awaitMetric(t *testing.T, series, value string) {
	t.Helper()
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		response, err := http.Get(s.ready.MetricsURL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "\n"+series+" "+value+"\n") {
			return
		}
	}
	t.Fatalf("%s is not %s after %s", series, value, startTimeout)
}
