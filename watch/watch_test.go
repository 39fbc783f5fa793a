package watch_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/watch"
)

// rooms are a service on a store of its own, with a clock that tests move, and its Watch.
type rooms struct {
	*service.Service
	watch *watch.Watch
	t     testing.TB
	now   atomic.Int64
}

func newRooms(t testing.TB) *rooms {
	t.Helper()
	r := &rooms{t: t}
	r.now.Store(1_790_000_000_000)
	account := muster.Account{ID: "000000000000", Region: "us-east-1"}
	s := memstore.New()
	r.Service = service.New(service.Options{
		Store: s, Account: account, Now: func() muster.Instant { return muster.Instant(r.now.Load()) }, Audit: audit.Settings{Days: 400, Max: 1 << 20},
	})
	r.watch = watch.New(watch.Options{Commits: r.Commits, Account: account, Pages: listing.NewPager(nil), Jobs: r.Jobs, Registry: r.Registry, Audit: r.Audit})
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rooms) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// work does the background work that is due.
func (r *rooms) work() {
	r.t.Helper()
	for more := true; more; {
		agenda, err := r.Work(r.t.Context())
		r.must(err)
		more = agenda.More
	}
}

// fleet makes a group with so many things.
func (r *rooms) fleet(group muster.GroupName, n int) {
	r.t.Helper()
	_, err := r.Registry.CreateThingGroup(r.t.Context(), muster.Group{Name: group}, nil)
	r.must(err)
	for i := range n {
		thing := muster.ThingName(fmt.Sprintf("t%06d", i))
		_, err := r.Registry.CreateThing(r.t.Context(), muster.Thing{Name: thing})
		r.must(err)
		r.must(r.Registry.AddThingToThingGroup(r.t.Context(), thing, group))
	}
}

func (r *rooms) explain(thing muster.ThingName, job muster.JobID) explain.Explanation {
	r.t.Helper()
	e, err := r.watch.Explain(r.t.Context(), thing, job)
	r.must(err)
	return e
}

// Who cancelled is told by the audit record of that request, and by no other.
func TestWhoCancelledIsTold(t *testing.T) {
	r := newRooms(t)
	r.fleet("all", 2)
	target := []muster.Target{{Group: true, Name: "all"}}
	as := func(user, operation string, arns ...string) context.Context {
		return r.Audit.Witnessed(t.Context(), &audit.Attempt{RequestID: user + operation, AccessKeyID: "AKIA" + user, User: user, Service: "iot", Operation: operation, Resources: arns})
	}
	job, thing := "arn:aws:iot:us-east-1:000000000000:job/fw", "arn:aws:iot:us-east-1:000000000000:thing/t000000"
	_, err := r.Jobs.CreateJob(as("eve", "CreateJob", job), jobs.NewJob{ID: "fw", Document: "{}", Targets: target})
	r.must(err)
	r.must(r.Jobs.CancelExecution(as("ann", "CancelJobExecution", job, thing), jobs.ExecutionCancellation{Thing: "t000000", Job: "fw"}))
	if e := r.explain("t000000", "fw"); e.Code != explain.Ended || !strings.Contains(e.Say, "ann") {
		t.Errorf("an execution that ann cancelled: %s %s", e.Code, e.Say)
	}
	r.now.Add(60_000)
	_, err = r.Jobs.CancelJob(as("bob", "CancelJob", job), "fw", jobs.Cancellation{})
	r.must(err)
	r.work()
	if e := r.explain("t000001", "fw"); e.Code != explain.Ended || !strings.Contains(e.Say, "bob") {
		t.Errorf("an execution of a job that bob cancelled: %s %s", e.Code, e.Say)
	}
	if e := r.explain("t000000", "fw"); !strings.Contains(e.Say, "ann") {
		t.Errorf("the execution that ann cancelled before: %s", e.Say)
	}
}

// Of a job with many pending things a sample is looked at, and the numbers add up to the things of the job, also while some end and
// others are given it.
func TestALargeJobIsSampled(t *testing.T) {
	const many = 10_500
	r := newRooms(t)
	r.fleet("all", many)
	_, err := r.Jobs.CreateJob(t.Context(), jobs.NewJob{
		ID: "fw", Document: "{}", Targets: []muster.Target{{Group: true, Name: "all"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: (many - 100) * 60}}, // all but 100 within a second
	})
	r.must(err)
	for range 3 {
		r.work()
		r.now.Add(250)
	}
	r.work()
	for step, want := range []map[explain.Code]int64{
		{explain.Told: many - 100, explain.WaitingForRate: 100},
		{explain.Told: many - 101, explain.WaitingForRate: 100, explain.Ended: 1},
		{explain.Told: many - 1, explain.Ended: 1},
	} {
		switch step {
		case 1:
			done := make(chan error, 1)
			r.Jobs.UpdateExecution(jobs.UpdateInput{Thing: "t000000", Job: "fw", Status: muster.Succeeded}, func(_ jobs.Described, err error) { done <- err })
			r.must(<-done)
		case 2:
			r.now.Add(1000)
			r.work()
		}
		for range 2 { // the second one is of the survey that is kept
			all, err := r.watch.ExplainJob(t.Context(), "fw")
			r.must(err)
			got := map[explain.Code]int64{}
			for _, cause := range all.Causes {
				got[cause.Code] = cause.Things
				if len(cause.Sample) == 0 {
					t.Errorf("step %d: there is no example of %s", step, cause.Code)
				}
			}
			if all.Exact || all.Things != many || !maps.Equal(got, want) {
				t.Errorf("step %d: %d things, exact %v: %v, want %v", step, all.Things, all.Exact, got, want)
			}
		}
	}
}

// While a dynamic group is being built nobody is given the job, and it says so.
func TestAJobWaitsForADynamicGroup(t *testing.T) {
	r := newRooms(t)
	r.fleet("all", 300)
	r.must(r.Registry.UpdateIndexingConfiguration(t.Context(), func(c muster.IndexingConfig) muster.IndexingConfig {
		c.Things = true
		return c
	}))
	r.work()
	_, err := r.Registry.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "new", Dynamic: &muster.MembershipRule{Query: "thingName:t*"}}, nil)
	r.must(err)
	_, err = r.Jobs.CreateJob(t.Context(), jobs.NewJob{ID: "fw", Document: "{}", Targets: []muster.Target{{Group: true, Name: "new"}}})
	r.must(err)
	if e := r.explain("t000007", "fw"); e.Code != explain.GroupBuilding && e.Code != explain.WaitingForRate {
		t.Errorf("before the group is built: %s %s", e.Code, e.Say)
	}
	r.work()
	if e := r.explain("t000007", "fw"); e.Code != explain.Told {
		t.Errorf("when the group is built: %s %s", e.Code, e.Say)
	}
}

// What a whole job and one thing of it cost.
func BenchmarkExplain(b *testing.B) {
	r := newRooms(b)
	r.fleet("all", 20_000)
	_, err := r.Jobs.CreateJob(b.Context(), jobs.NewJob{ID: "fw", Document: "{}", Targets: []muster.Target{{Group: true, Name: "all"}}})
	r.must(err)
	r.work()
	b.Run("thing", func(b *testing.B) {
		for b.Loop() {
			r.explain("t000007", "fw")
		}
	})
	b.Run("job", func(b *testing.B) {
		for b.Loop() {
			_, err := r.watch.ExplainJob(b.Context(), "fw")
			r.must(err)
		}
	})
}
