package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/scheduler"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// server is a service that a scheduler drives, on a store with random delays.
type server struct {
	*service.Service
	t *testing.T
}

// watcher tells a scheduler of work.
type watcher struct{ *scheduler.Scheduler }

func (watcher) Committed(int)               {}
func (watcher) Told(muster.Instant)         {}
func (watcher) Recorded()                   {}
func (watcher) RightsChanged(rights.Change) {}

func serve(t *testing.T, seed uint64, limits jobs.Limits) server {
	now := func() muster.Instant { return muster.At(time.Now()) }
	s := scheduler.New(now, slog.New(slog.DiscardHandler))
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 3))
	pause := func() {
		mu.Lock()
		d := time.Duration(rng.IntN(3000)) * time.Microsecond
		mu.Unlock()
		time.Sleep(d)
	}
	e := service.New(service.Options{
		Store: storetest.Late(storetest.Behind(memstore.New(), nil), storetest.Pauses{Read: pause, Visible: pause}), Now: now, Watcher: watcher{s},
		Account: muster.Account{ID: "000000000000", Region: "us-east-1"}, Limits: limits,
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- e.Run(ctx) }()
	go func() { s.Run(ctx, e); ended <- nil }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		}
	})
	return server{e, t}
}

func (s server) must(call string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", call, err)
	}
}

// within waits until ready holds, and fails when that is not so a second after
// due.
func (s server) within(what string, due time.Time, ready func() bool) {
	s.t.Helper()
	for !ready() {
		if time.Since(due) > time.Second {
			s.t.Fatalf("%s is more than a second late", what)
		}
		time.Sleep(7 * time.Millisecond)
	}
}

// createJob makes a job for things; perMinute 0 means no rate.
func (s server) createJob(id string, perMinute int, things ...string) {
	s.t.Helper()
	in := jobs.NewJob{ID: muster.JobID(id), Document: "{}", Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: perMinute}}}
	for _, name := range things {
		in.Targets = append(in.Targets, muster.Target{Name: name})
	}
	_, err := s.Jobs.CreateJob(s.t.Context(), in)
	s.must("CreateJob", err)
}

// pending reports whether something is pending for the lamp.
func (s server) pending() bool {
	s.t.Helper()
	p, err := s.Jobs.GetPending(s.t.Context(), "lamp", "")
	s.must("GetPending", err)
	return len(p.Queued)+len(p.InProgress) > 0
}

// start begins the next job of the lamp, with a step timer of a minute.
func (s server) start() {
	s.t.Helper()
	_, err := commit.Await(s.t.Context(), func(done func(jobs.Described, error)) {
		s.Jobs.StartNext(jobs.StartNextInput{Thing: "lamp", StepMinutes: 1}, done)
	})
	s.must("StartNext", err)
}

// Background work that a command leaves begins within a second of the
// instant at which it is due, however the command and the background interleave.
func TestNothingThatIsDueWaits(t *testing.T) {
	for name, test := range map[string]struct {
		times int
		once  func(s server, id string)
	}{
		"a new job": {5000, func(s server, id string) {
			s.createJob(id, 0, "lamp")
			s.within("job "+id, time.Now(), s.pending)
			s.must("DeleteJob", s.Jobs.DeleteJob(s.t.Context(), muster.JobID(id), nil, true))
		}},
		"the next slice of a rollout": {1000, func(s server, id string) {
			s.createJob(id, 60, "bulb", "lamp")
			s.within("the slice of job "+id, time.Now().Add(time.Second), s.pending)
			s.must("DeleteJob", s.Jobs.DeleteJob(s.t.Context(), muster.JobID(id), nil, true))
		}},
		"the end of a deleted job": {1000, func(s server, id string) {
			s.createJob(id, 0, "lamp")
			s.must("DeleteJob", s.Jobs.DeleteJob(s.t.Context(), muster.JobID(id), nil, true))
			s.within("the end of job "+id, time.Now(), func() bool { _, err := s.Jobs.DescribeJob(s.t.Context(), muster.JobID(id)); return err != nil })
		}},
		"a deadline": {1000, func(s server, id string) {
			s.createJob(id, 0, "lamp")
			s.within("job "+id, time.Now(), s.pending)
			s.start()
			due := time.Now().Add(time.Minute)
			time.Sleep(time.Minute - time.Millisecond)
			s.within("the deadline of job "+id, due, func() bool { return !s.pending() })
			s.must("DeleteJob", s.Jobs.DeleteJob(s.t.Context(), muster.JobID(id), nil, true))
		}},
		"the turn of a job that waits": {1000, func(s server, id string) {
			s.createJob(id, 0, "lamp")
			s.createJob(id+"-next", 0, "lamp")
			_, err := s.Jobs.CancelJob(s.t.Context(), muster.JobID(id), jobs.Cancellation{})
			s.must("CancelJob", err)
			s.within("the turn of job "+id+"-next", time.Now(), s.pending)
			s.must("DeleteJob", s.Jobs.DeleteJob(s.t.Context(), muster.JobID(id+"-next"), nil, true))
		}},
		"a dynamic group": {1000, func(s server, id string) {
			name := muster.GroupName(id)
			_, err := s.Registry.CreateDynamicThingGroup(s.t.Context(), muster.Group{Name: name, Dynamic: &muster.MembershipRule{Query: "thingName:lamp"}}, nil)
			s.must("CreateDynamicThingGroup", err)
			s.within("group "+id, time.Now(), func() bool {
				g, err := s.Registry.DescribeThingGroup(s.t.Context(), name)
				s.must("DescribeThingGroup", err)
				return !g.Dynamic.Building
			})
			s.must("DeleteDynamicThingGroup", s.Registry.DeleteDynamicThingGroup(s.t.Context(), name, nil))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, 1, jobs.Limits{ConcurrentJobs: 1})
				for _, name := range []muster.ThingName{"lamp", "bulb"} {
					_, err := s.Registry.CreateThing(t.Context(), muster.Thing{Name: name})
					s.must("CreateThing", err)
				}
				for n := range test.times {
					test.once(s, fmt.Sprintf("job-%d", n))
				}
			})
		})
	}
}
