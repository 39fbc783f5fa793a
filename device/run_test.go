package device_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/device"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
)

// run runs a client in the background until the test ends.
func run(t *testing.T, c *device.Client, handle device.Handler) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.Run(ctx, handle) }()
	return func() error { cancel(); return <-result }
}

// With --strict-transitions a service refuses REJECTED for an execution that is
// IN_PROGRESS (arbitration A10); the job must not be taken again and again.
func TestARefusalThatIsRefusedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t, func(o *service.Options) { o.StrictTransitions = true })
		stop := run(t, s.overMQTT(""), func(context.Context, *device.Job) error { return device.Refuse("not for lamps") })
		s.job("refused")
		s.settle()
		if x := s.outcome("refused"); x.Status != muster.Failed || x.Details["reason"] != "not for lamps" {
			t.Errorf("job refused ended %s %v, want FAILED with the reason", x.Status, x.Details)
		}
		stop()
	})
}

func TestRunReportsWhatTheHandlerReturns(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		s.job("before") // pending when the device comes
		var order []string
		stop := run(t, c, func(ctx context.Context, j *device.Job) error {
			order = append(order, j.JobID)
			switch j.JobID {
			case "fails":
				return errors.New("disk\x00full\nsorry")
			case "refused":
				return fmt.Errorf("checking: %w", device.Refuse("not for lamps"))
			case "reports":
				return j.Progress(ctx, device.Report{Details: map[string]string{"step": "2/3"}})
			case "finishes":
				return errors.Join(j.Succeed(ctx, map[string]string{"took": "1s"}), errors.New("too late to matter"))
			case "silent":
				return errors.New("")
			case "talkative":
				return errors.New(strings.Repeat("é", 2000))
			}
			return nil
		})
		s.settle()
		jobs := []string{"fails", "refused", "reports", "finishes", "silent", "talkative"}
		for _, id := range jobs {
			s.job(id)
			time.Sleep(time.Second) // the device has nothing to do meanwhile
		}
		s.settle()
		if want := append([]string{"before"}, jobs...); !slices.Equal(order, want) {
			t.Errorf("jobs were done in the order %v, want %v", order, want)
		}
		for id, want := range map[string]struct {
			status  muster.Status
			details map[string]string
		}{
			"before":    {muster.Succeeded, nil},
			"fails":     {muster.Failed, map[string]string{"reason": "disk full\nsorry"}},
			"refused":   {muster.Rejected, map[string]string{"reason": "checking: not for lamps"}},
			"reports":   {muster.Succeeded, map[string]string{"step": "2/3"}},
			"finishes":  {muster.Succeeded, map[string]string{"took": "1s"}},
			"silent":    {muster.Failed, map[string]string{"reason": "error"}},
			"talkative": {muster.Failed, map[string]string{"reason": strings.Repeat("é", 1024)}},
		} {
			if x := s.outcome(id); x.Status != want.status || !maps.Equal(x.Details, want.details) {
				t.Errorf("job %s ended %s %v, want %s %v", id, x.Status, x.Details, want.status, want.details)
			}
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v after its context ended, want context.Canceled", err)
		}
	})
}

func TestARestartPicksUpTheJobInProgress(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		s.job("fw")
		s.job("behind")
		working := make(chan struct{})
		stop := run(t, c, func(ctx context.Context, j *device.Job) error {
			if err := j.Progress(ctx, device.Report{Details: map[string]string{"step": "reboot"}, StepMinutes: 10}); err != nil {
				t.Errorf("Progress: %v", err)
			}
			close(working)
			<-ctx.Done()
			if ended := (*device.Ended)(nil); errors.As(context.Cause(ctx), &ended) {
				t.Errorf("the cause of a restart is %v", ended)
			}
			return ctx.Err()
		})
		<-working
		stop()

		time.Sleep(time.Minute)
		j, err := c.Next(t.Context())
		if err != nil || j.JobID != "fw" || j.Version != 3 || j.Details["step"] != "reboot" || j.TimeLeft != 9*time.Minute {
			t.Fatalf("Next = %+v, %v; want fw at version 3 and step reboot with 9 minutes left", j, err)
		}
		if string(j.Document) != `{"n":1.50}` && string(j.Document) != `{"n": 1.50}` {
			t.Errorf("its document is %s", j.Document)
		}
		if err := j.Succeed(t.Context(), nil); err != nil {
			t.Errorf("Succeed: %v", err)
		}
		if j, err := c.Next(t.Context()); err != nil || j.JobID != "behind" {
			t.Errorf("Next = %+v, %v; want behind", j, err)
		}
	})
}

func TestTheServiceEndsAJobInWork(t *testing.T) {
	tests := map[string]struct {
		end  func(s *deployment)
		want device.Ended // learned from a notification; a refused report says more
		also device.Ended
	}{
		"by cancelling it": {func(s *deployment) { s.cancelJob("fw") }, device.Ended{}, device.Ended{Status: device.Canceled}},
		"by deleting it":   {func(s *deployment) { s.deleteJob("fw") }, device.Ended{Deleted: true}, device.Ended{Deleted: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
				s.job("fw")
				causes := make(chan error, 1)
				stop := run(t, c, func(ctx context.Context, j *device.Job) error {
					if j.JobID == "fw" {
						<-ctx.Done()
						causes <- context.Cause(ctx)
					}
					return nil
				})
				s.settle()
				tt.end(s)
				began := time.Now()
				ended := (*device.Ended)(nil)
				if cause := <-causes; !errors.As(cause, &ended) || *ended != tt.want {
					t.Errorf("the handler's context ended because %v, want %v", cause, &tt.want)
				}
				if waited := time.Since(began); waited > 30*time.Second {
					t.Errorf("the handler heard of it after %v, want 30s at most", waited)
				}
				s.job("next") // and Run goes on
				time.Sleep(time.Second)
				s.settle()
				if x := s.outcome("next"); x.Status != muster.Succeeded {
					t.Errorf("the job after it is %s, want SUCCEEDED", x.Status)
				}
				stop()
			})
		})
		t.Run(name+", which a report finds out", func(t *testing.T) {
			overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
				s.job("fw")
				j, err := c.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				err = j.Do(t.Context(), func(ctx context.Context, j *device.Job) error {
					tt.end(s)
					if err := j.Progress(context.WithoutCancel(ctx), device.Report{}); err == nil {
						t.Error("a report about it is accepted")
					}
					<-ctx.Done()
					return nil
				})
				if ended := (*device.Ended)(nil); !errors.As(err, &ended) || *ended != tt.also && *ended != tt.want {
					t.Errorf("Do = %v, want %v", err, &tt.also)
				}
			})
		})
	}
}

func TestPickAJob(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		type state struct{ inProgress, queued []string }
		ids := func(list []device.Summary) (ids []string) {
			for _, x := range list {
				ids = append(ids, x.JobID)
			}
			return ids
		}
		states := make(chan state, 10)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for p, err := range c.Watch(ctx) {
				if err != nil {
					t.Errorf("Watch: %v", err)
				}
				states <- state{ids(p.InProgress), ids(p.Queued)}
				if len(p.Queued) != 2 {
					continue
				}
				j, err := c.Start(ctx, p.Queued[1], device.Report{Details: map[string]string{"step": "1"}, StepMinutes: 5})
				if err != nil || j.Version != 2 || j.Details["step"] != "1" || !strings.Contains(string(j.Document), "1.50") {
					t.Errorf("Start = %+v, %v", j, err)
					return
				}
				if err := j.Succeed(ctx, nil); err != nil {
					t.Errorf("Succeed: %v", err)
				}
			}
		}()
		expect := func(inProgress []string, queued ...string) {
			t.Helper()
			if got := <-states; !slices.Equal(got.inProgress, inProgress) || !slices.Equal(got.queued, queued) {
				t.Errorf("Watch yields %v, want %v %v", got, inProgress, queued)
			}
		}
		expect(nil)
		s.job("one")
		expect(nil, "one")
		s.job("two")
		expect(nil, "one", "two")
		expect(nil, "one")
		if x := s.outcome("two"); x.Status != muster.Succeeded || x.Details["step"] != "1" {
			t.Errorf("the job that was picked is %s %v, want SUCCEEDED with step 1", x.Status, x.Details)
		}
		cancel()
		<-watched
	})
}

func TestWatchHead(t *testing.T) {
	overBoth(t, func(t *testing.T, s *deployment, c *device.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		heads := make(chan string)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for x, err := range c.WatchHead(ctx) {
				switch {
				case err != nil:
					t.Errorf("WatchHead: %v", err)
				case x == nil:
					heads <- "none"
				default:
					heads <- x.JobID + " " + string(x.Status)
				}
			}
		}()
		expect := func(want string) {
			t.Helper()
			if got := <-heads; got != want {
				t.Errorf("WatchHead yields %s, want %s", got, want)
			}
		}
		expect("none")
		s.job("one")
		expect("one QUEUED")
		s.deleteJob("one")
		expect("none")
		cancel()
		<-watched
	})
}

func TestNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newDeployment(t)
		s.job("plain")
		for name, c := range map[string]*device.Client{"MQTT": s.overMQTT("gg"), "HTTPS": s.overHTTPS("gg")} {
			id := "scoped-" + name
			stop := run(t, c, func(context.Context, *device.Job) error { return nil })
			s.settle()
			s.job(id, func(j *jobs.NewJob) { j.Namespace = "gg" })
			time.Sleep(time.Minute)
			s.settle()
			if x := s.outcome(id); x.Status != muster.Succeeded {
				t.Errorf("over %s the job in the namespace is %s, want SUCCEEDED", name, x.Status)
			}
			stop()
		}
		if x := s.outcome("plain"); x.Status != muster.Queued {
			t.Errorf("the job outside of the namespace is %s, want QUEUED", x.Status)
		}
	})
}
