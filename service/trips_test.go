package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// newCountingEnv returns an env on a store on PostgreSQL, whose round trips are counted.
func newCountingEnv(t *testing.T) (*env, *teststore.Trips) {
	t.Helper()
	return newCountingEnvOf(t, Options{})
}

func newCountingEnvOf(t *testing.T, o Options) (*env, *teststore.Trips) {
	t.Helper()
	s, trips := teststore.Counting(t)
	return newEnvOnJust(t, s, o), trips
}

// likeAServer are the options of a server with events, whose devices have persistent sessions.
func likeAServer() Options {
	return Options{
		Sinks:    eventlog.Sinks{Subscribers: true},
		Audience: audience{keep: func(store.QueueKey, muster.Change) bool { return true }},
	}
}

// Every read that was not asked for beforehand costs a round trip to the database.
func TestRoundTripsOfDevices(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnvOf(t, likeAServer())
	env.thing("lamp", "door")
	env.job("job1", "lamp", "door")
	trips.Want(t, 1, "GetPending", func() {
		_, err := env.GetPending(t.Context(), "lamp", "")
		noErr(t, "GetPending", err)
	})
	trips.Want(t, 2, "StartNext", func() { env.start("lamp") })
	trips.Want(t, 2, "UpdateExecution to IN_PROGRESS", func() { env.mustReport("door", "job1", muster.InProgress) })
	trips.Want(t, 2, "UpdateExecution to SUCCEEDED", func() { env.mustReport("lamp", "job1", muster.Succeeded) })
	trips.Want(t, 2, "the last report of a job", func() { env.mustReport("door", "job1", muster.Succeeded) })

	for _, id := range []string{"job2", "job3", "job4"} {
		env.job(id, "lamp", "door")
	}
	trips.Want(t, 2, "GetPending of several jobs", func() {
		_, err := env.GetPending(t.Context(), "lamp", "")
		noErr(t, "GetPending", err)
	})
	trips.Want(t, 3, "StartNext, with several jobs pending", func() { env.start("lamp") })
	trips.Want(t, 3, "UpdateExecution to SUCCEEDED, with several jobs pending", func() { env.mustReport("lamp", "job2", muster.Succeeded) })
}

func TestRoundTripsOfOperators(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnvOf(t, likeAServer())
	env.fleet("all", 30)
	env.thing("lamp", "door")
	env.job("first", "door") // counts active jobs and reads the dynamic groups, which is done once
	newJob := func(id string, selection muster.Selection, names ...string) error {
		_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: muster.JobID(id), Document: "{}", Selection: selection, Targets: targetsNamed(names)})
		return err
	}
	for _, step := range []struct {
		n    int
		what string
		do   func() error
	}{
		{5, "CreateJob for 31 things", func() error { return newJob("job1", muster.Snapshot, "@all", "lamp") }},
		{4, "CreateJob for a thing", func() error { return newJob("job2", muster.Continuous, "door") }},
		{5, "AssociateTargets", func() error {
			_, err := env.AssociateTargets(t.Context(), "job2", nil, targetsNamed([]string{"@all"}), nil)
			return err
		}},
		{1, "DescribeJob", func() error { _, err := env.DescribeJob(t.Context(), "job1"); return err }},
		{2, "ListJobs", func() error { _, err := env.ListJobs(t.Context(), jobs.JobFilter{}, listing.Page{}); return err }},
		{1, "ExecutionsOfJob", func() error { _, err := env.ExecutionsOfJob(t.Context(), "job1", 0, listing.Page{}); return err }},
		{1, "ExecutionsOfThing", func() error {
			_, err := env.ExecutionsOfThing(t.Context(), "lamp", jobs.ThingExecutions{}, listing.Page{})
			return err
		}},
		{1, "ShowExecution", func() error { _, err := env.ShowExecution(t.Context(), "lamp", "job1", nil); return err }},
		{2, "CancelExecution", func() error {
			return env.CancelExecution(t.Context(), jobs.ExecutionCancellation{Thing: "lamp", Job: "job1"})
		}},
		{3, "CancelExecution, with another job pending", func() error {
			return env.CancelExecution(t.Context(), jobs.ExecutionCancellation{Thing: "t000", Job: "job1"})
		}},
		{3, "DeleteExecution, with another job pending", func() error {
			return env.DeleteExecution(t.Context(), "t001", "job1", 1, nil, false)
		}},
		{2, "UpdateJob", func() error {
			return env.UpdateJob(t.Context(), "job1", nil, jobs.JobChange{Description: new("new")})
		}},
		{2, "CancelJob", func() error { _, err := env.CancelJob(t.Context(), "job1", jobs.Cancellation{}); return err }},
		{2, "DeleteJob", func() error { return env.DeleteJob(t.Context(), "job1", nil, true) }},
	} {
		trips.Want(t, step.n, step.what, func() { noErr(t, step.what, step.do()) })
	}
}

func TestRoundTripsOfAJobForManyGroups(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 14} {
		env, trips := newCountingEnv(t)
		env.job("first")
		var targets []string
		for i := range n {
			group := fmt.Sprintf("group-%d", i)
			targets = append(targets, "@"+group)
			env.thing(group + "-a")
			env.group(group, group+"-a")
			env.thing(group + "-b")
			env.group("all/below-"+group, group+"-b")
		}
		for what, names := range map[string][]string{"targets": targets, "groups below the target": {"@all"}} {
			extra := 0
			if what != "targets" {
				extra = 2
			}
			trips.Want(t, 4+extra, fmt.Sprintf("CreateJob with %d %s", n, what), func() {
				_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: muster.JobID(fmt.Sprint(n, "-", what[:6])), Document: "{}", Targets: targetsNamed(names)})
				noErr(t, "CreateJob", err)
			})
		}
	}
}

// Background work takes as many round trips for many things as for a few. Each round looks at
// what is due before and after it.
func TestRoundTripsOfWork(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 60} {
		env, trips := newCountingEnvOf(t, likeAServer())
		names := env.fleet("all", n)
		env.settleDown()
		want := func(n int, what string, do func()) {
			t.Helper()
			trips.Want(t, n, fmt.Sprintf("%s of %d things", what, len(names)), do)
		}
		want(1, "no work", env.settleDown)
		env.jobOf(muster.Continuous, "other", "@all")
		retry := muster.JobConfig{Retry: []muster.RetryCriterion{{Failure: muster.FailureTimedOut, Max: 1}}}
		env.campaign("job1", muster.Continuous, retry, "@all")
		want(2, "what is owed after a restart", func() { noErr(t, "Redeliver", env.Redeliver(t.Context())) })
		for _, name := range names {
			env.mustReport(name, "other", muster.Succeeded)
			_, err := env.reportAs(jobs.UpdateInput{Thing: muster.ThingName(name), Job: "job1", Status: muster.InProgress, StepMinutes: 1})
			noErr(t, "UpdateExecution", err)
		}
		env.pass(2 * 60_000)
		want(8, "timers and retries", env.settleDown)
		_, err := env.CancelJob(t.Context(), "job1", jobs.Cancellation{})
		noErr(t, "CancelJob", err)
		want(8, "the end of the cancelled job", env.settleDown)
		noErr(t, "DeleteJob", env.DeleteJob(t.Context(), "job1", nil, false))
		want(7, "the end of the deleted job", env.settleDown)
	}
}

func TestRoundTripsOfARollout(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnvOf(t, likeAServer())
	env.fleet("all", 200)
	for _, perMinute := range []int{60, 1000} {
		id := fmt.Sprintf("rate-%d", perMinute)
		env.campaign(id, muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: perMinute}}, "@all")
		before := env.queued(id)
		env.pass(1000)
		trips.Want(t, 6, fmt.Sprintf("a second of a rollout to %d things a minute", perMinute), env.settleDown)
		if given := env.queued(id) - before; given == 0 {
			t.Errorf("%d things a minute: none was given the job", perMinute)
		}
		_, err := env.CancelJob(t.Context(), muster.JobID(id), jobs.Cancellation{})
		noErr(t, "CancelJob", err)
		env.settleDown()
	}
}

// Jobs that are due at the same instant are worked on in one transaction.
func TestRoundTripsOfManyRollouts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 20} {
		env, trips := newCountingEnvOf(t, likeAServer())
		for i := range n {
			group := fmt.Sprintf("group-%d", i)
			names := []string{group + "-a", group + "-b", group + "-c", group + "-d"}
			env.thing(names...)
			env.group(group, names...)
			env.campaign(fmt.Sprintf("job-%d", i), muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 120}}, "@"+group)
		}
		env.pass(1000)
		trips.Want(t, 6, fmt.Sprintf("a second of the rollouts of %d jobs", n), env.settleDown)
		for i := range n {
			if got := env.queued(fmt.Sprintf("job-%d", i)); got < 2 {
				t.Errorf("job-%d was given to %d things, want more", i, got)
			}
		}
	}
}
