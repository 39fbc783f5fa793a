package device_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/jobs"
)

func TestOperations(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		ctx := t.Context()
		if p, err := c.Pending(ctx); err != nil || p.Queued != nil || p.InProgress != nil {
			t.Errorf("Pending = %v, %v; want nothing", p, err)
		}
		if x, err := c.Head(ctx); x != nil || err != nil {
			t.Errorf("Head = %v, %v; want nothing", x, err)
		}
		if x, err := c.StartNext(ctx, device.Report{}); x != nil || err != nil {
			t.Errorf("StartNext = %v, %v; want nothing", x, err)
		}
		queuedAt := time.Unix(time.Now().Unix(), 0)
		s.job("fw")
		if p, err := c.Pending(ctx); err != nil || !p.Has("fw", 1) || p.Has("fw", 2) || p.Has("cfg", 1) ||
			len(p.Queued) != 1 || !p.Queued[0].QueuedAt.Equal(queuedAt) || !p.Queued[0].StartedAt.IsZero() {
			t.Errorf("Pending = %+v, %v; want fw, queued at %v", p, err, queuedAt)
		}
		if x, err := c.Describe(ctx, "fw", device.Describe{Number: 1, WithoutDocument: true}); err != nil || x.Document != nil || x.TimeLeft >= 0 {
			t.Errorf("Describe = %+v, %v; want no document and no timer", x, err)
		}
		x, err := c.StartNext(ctx, device.Report{Details: map[string]string{"a": "b"}, StepMinutes: 2})
		if err != nil || x.Status != device.InProgress || x.Details["a"] != "b" || x.TimeLeft != 2*time.Minute || x.StartedAt.IsZero() {
			t.Errorf("StartNext = %+v, %v; want fw in progress with two minutes left", x, err)
		}
		u, err := c.Update(ctx, "fw", device.Update{Status: device.InProgress, WithState: true, WithDocument: true})
		if err != nil || u.State == nil || u.State.Version != 3 || u.State.Details["a"] != "b" || len(u.Document) == 0 {
			t.Errorf("Update = %+v, %v; want version 3, the old details and the document", u, err)
		}
		clear := device.Report{Details: map[string]string{}, StepMinutes: device.ClearStep}
		if _, err := c.Update(ctx, "fw", device.Update{Status: device.InProgress, Report: clear}); err != nil {
			t.Errorf("Update: %v", err)
		}
		if x, err := c.Head(ctx); err != nil || x.Details != nil || x.TimeLeft >= 0 {
			t.Errorf("Head = %+v, %v; want neither details nor timer any more", x, err)
		}
	})
}

func TestRefusalsHaveCodes(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		ctx := t.Context()
		s.job("fw")
		update := func(u device.Update) error { _, err := c.Update(ctx, "fw", u); return err }
		_, noJob := c.Describe(ctx, "none", device.Describe{})
		_, badName := c.Describe(ctx, "a.b", device.Describe{})
		badStatus := update(device.Update{Status: "DONE"})
		oldVersion := update(device.Update{Status: device.Failed, ExpectedVersion: 7})
		if err := update(device.Update{Status: device.Failed}); err != nil {
			t.Fatal(err)
		}
		twice := update(device.Update{Status: device.Failed})
		_, finished := c.Describe(ctx, "fw", device.Describe{})
		for _, tt := range []struct {
			name  string
			err   error
			want  device.Code
			state *device.State
		}{
			{"an unknown job", noJob, device.ResourceNotFound, nil},
			{"a bad job id", badName, device.InvalidRequest, nil},
			{"an unknown status", badStatus, device.InvalidRequest, nil},
			{"an old version", oldVersion, device.VersionMismatch, &device.State{Status: device.Queued, Version: 1}},
			{"a second end", twice, device.InvalidStateTransition, &device.State{Status: device.Failed, Version: 2}},
			{"what has ended", finished, device.TerminalStateReached, nil},
		} {
			refusal := (*device.Error)(nil)
			if !errors.Is(tt.err, tt.want) || !errors.As(tt.err, &refusal) || refusal.Message == "" {
				t.Errorf("%s: error %v, want %s", tt.name, tt.err, tt.want)
				continue
			}
			if got := refusal.State; (got == nil) != (tt.state == nil) || got != nil && (got.Status != tt.state.Status || got.Version != tt.state.Version) {
				t.Errorf("%s: shows %+v, want %+v", tt.name, got, tt.state)
			}
		}
	})
}

func TestALostConnectionIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t)
		c := s.overMQTT("")
		done := make(chan string, 10)
		stop := run(t, c, func(_ context.Context, j *device.Job) error { done <- j.JobID; return nil })
		s.settle()
		s.cut()
		s.job("while-away") // no message says so
		if got := <-done; got != "while-away" {
			t.Errorf("after a lost connection %s is done, want while-away", got)
		}
		time.Sleep(time.Minute)
		s.job("later")
		if got := <-done; got != "later" {
			t.Errorf("after the reconnection %s is done, want later", got)
		}
		s.cut()
		if _, err := c.Pending(t.Context()); err != nil {
			t.Errorf("Pending = %v right after a lost connection, want it to be asked again", err)
		}
		stop()
	})
}

func TestAJobCancelledWhileTheDeviceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t)
		c := s.overMQTT("")
		s.job("fw")
		causes := make(chan error, 1)
		stop := run(t, c, func(ctx context.Context, _ *device.Job) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return nil
		})
		s.settle()
		s.cut()
		s.cancelJob("fw")
		if ended := (*device.Ended)(nil); !errors.As(<-causes, &ended) {
			t.Error("the handler is not told of the end that it missed")
		}
		stop()
	})
}

func TestHTTPSWithoutLongPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t)
		s.headers = func(h http.Header) { h.Del("Prefer") }
		c := s.overHTTPS("")
		began := time.Now()
		time.AfterFunc(95*time.Second, func() { s.Jobs.CreateJob(t.Context(), newJob("fw")); s.Work(t.Context()) })
		j, err := c.Next(t.Context())
		if err != nil || j.JobID != "fw" {
			t.Fatalf("Next = %+v, %v; want fw", j, err)
		}
		if waited := time.Since(began); waited != 2*time.Minute || s.requests != 5 {
			t.Errorf("Next asked %d times in %v, want 5 times in 2m: every 30s", s.requests, waited)
		}
	})
}

func TestHTTPSWithLongPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t)
		c := s.overHTTPS("")
		began := time.Now()
		time.AfterFunc(95*time.Second, func() { s.Jobs.CreateJob(t.Context(), newJob("fw")); s.Work(t.Context()) })
		j, err := c.Next(t.Context())
		if err != nil || j.JobID != "fw" {
			t.Fatalf("Next = %+v, %v; want fw", j, err)
		}
		if waited := time.Since(began); waited != 95*time.Second || s.requests != 2 {
			t.Errorf("Next asked %d times in %v, want twice in 1m35s", s.requests, waited)
		}
	})
}

func TestUnauthorizedIsFinal(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		s.allow(`"iot:CreateJob"`)
		s.denied.Store(true)
		if _, err := c.Next(t.Context()); !errors.Is(err, device.Unauthorized) {
			t.Errorf("Next = %v, want Unauthorized", err)
		}
	})
}

func TestARefusedSubscriptionIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t)
		s.denied.Store(true)
		time.AfterFunc(time.Minute, func() { s.denied.Store(false) })
		began := time.Now()
		c := s.overMQTT("")
		if waited := time.Since(began); waited < time.Minute || waited > 2*time.Minute {
			t.Errorf("the client is connected after %v, want soon after the minute in which it may not subscribe", waited)
		}
		if _, err := c.Pending(t.Context()); err != nil {
			t.Errorf("Pending: %v", err)
		}
	})
}

func TestASuccessIsReportedEvenWhenRunIsEnding(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		s.job("fw")
		stop := run(t, c, func(ctx context.Context, _ *device.Job) error {
			<-ctx.Done()
			return nil // it was as good as done
		})
		s.settle()
		stop()
		if x := s.outcome("fw"); x.Status != muster.Succeeded {
			t.Errorf("the job is %s, want SUCCEEDED", x.Status)
		}
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		result := make(chan error, 2)
		go func() { _, err := c.Next(t.Context()); result <- err }()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-result; err == nil {
			t.Error("Next returns a job from a closed client")
		}
		if _, err := c.Pending(t.Context()); err == nil {
			t.Error("a closed client still answers")
		}
	})
}

func TestConnectFailsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := device.ConnectMQTT(ctx, device.MQTTOptions{
			Endpoint: "mqtt://pipe", Thing: thing,
			Dial: func(context.Context) (net.Conn, error) { return nil, errRefused },
		})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) {
			t.Errorf("ConnectMQTT = %v, want that time ran out and why", err)
		}
	})
}

var errRefused = errors.New("connection refused")

func newJob(id muster.JobID) jobs.NewJob {
	return jobs.NewJob{ID: id, Document: `{}`, Targets: []muster.Target{{Name: thing}}}
}
