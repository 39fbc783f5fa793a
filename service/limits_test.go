package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// limited is an env with limits, and ten things in group "all".
func limited(t *testing.T, l jobs.Limits) *env {
	t.Helper()
	env := newEnvOn(t, newStore(t), Options{Limits: l})
	for i := range 10 {
		env.thing(fmt.Sprint("t", i))
	}
	env.group("all", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9")
	return env
}

// create makes a job for group "all" without waiting for its rollout.
func (env *env) create(id string, selection muster.Selection, perMinute int) error {
	_, err := env.CreateJob(env.t.Context(), jobs.NewJob{
		ID: muster.JobID(id), Document: "{}", Selection: selection, Targets: []muster.Target{{Group: true, Name: "all"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: perMinute}},
	})
	env.pass(1)
	return err
}

func (env *env) described(id string) jobs.JobDescription {
	env.t.Helper()
	d, err := env.DescribeJob(env.t.Context(), muster.JobID(id))
	if err != nil {
		env.t.Fatalf("DescribeJob(%s): %v", id, err)
	}
	return d
}

func TestHowManyJobsMayBeActive(t *testing.T) {
	env := limited(t, jobs.Limits{ActiveJobs: 2})
	noErr(t, "the first", env.create("a", muster.Continuous, 0))
	noErr(t, "the second", env.create("b", muster.Continuous, 0))
	wantKind(t, "one too many", env.create("c", muster.Snapshot, 0), muster.LimitExceeded)
	wantKind(t, "one that exists", env.create("a", muster.Snapshot, 0), muster.AlreadyExists)
	_, err := env.CancelJob(t.Context(), "a", jobs.Cancellation{})
	noErr(t, "CancelJob", err)
	noErr(t, "one more, when one is cancelled", env.create("c", muster.Snapshot, 0))
	wantKind(t, "one too many again", env.create("d", muster.Snapshot, 0), muster.LimitExceeded)
	noErr(t, "DeleteJob", env.DeleteJob(t.Context(), "c", nil, true))
	noErr(t, "one more, when one is being deleted", env.create("d", muster.Snapshot, 0))
}

func TestActiveJobsOfAnOlderFolderAreCounted(t *testing.T) {
	env := limited(t, jobs.Limits{ActiveJobs: 2})
	noErr(t, "the first", env.create("a", muster.Continuous, 0))
	env.write(func(tx store.Tx) { store.Tallies.Delete(tx, activeJobs) })
	noErr(t, "the second", env.create("b", muster.Continuous, 0))
	wantKind(t, "one too many", env.create("c", muster.Snapshot, 0), muster.LimitExceeded)
}

func TestHowManyJobsMayBeUnderDeletion(t *testing.T) {
	env := limited(t, jobs.Limits{DeletingJobs: 1})
	noErr(t, "CreateJob", env.create("a", muster.Snapshot, 0))
	noErr(t, "CreateJob", env.create("b", muster.Snapshot, 0))
	noErr(t, "DeleteJob", env.DeleteJob(t.Context(), "a", nil, true))
	wantKind(t, "one too many", env.DeleteJob(t.Context(), "b", nil, true), muster.LimitExceeded)
	env.settleDown()
	noErr(t, "DeleteJob, when the first is gone", env.DeleteJob(t.Context(), "b", nil, true))
}

// rolled lets time pass until a job is rolled out, while others must not begin.
func (env *env) rolled(id string, others ...string) {
	env.t.Helper()
	for range 100 {
		env.settleDown()
		if env.described(id).Rollout.Done {
			return
		}
		for _, other := range others {
			if n := env.counts(other).Total(); n > 0 {
				env.t.Fatalf("while %s rolls out, %s has %d executions", id, other, n)
			}
		}
		env.pass(12_000)
	}
	env.t.Fatalf("job %s is never rolled out", id)
}

func TestJobsAboveTheConcurrentOnesWaitInOrder(t *testing.T) {
	env := limited(t, jobs.Limits{ConcurrentJobs: 1})
	for _, id := range []string{"a", "b", "c", "d"} {
		noErr(t, "CreateJob", env.create(id, muster.Snapshot, 5))
	}
	env.settleDown()
	if d := env.described("a"); !d.Concurrent() {
		t.Error("the job that rolls out is not concurrent")
	}
	if d := env.described("b"); d.Status != muster.JobInProgress || d.Concurrent() || len(d.Processing()) != 1 {
		t.Errorf("a job that waits is %s, concurrent %v, processing %v; want IN_PROGRESS, false, its target", d.Status, d.Concurrent(), d.Processing())
	}
	env.thing("late")
	noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(t.Context(), "late", "all"))
	env.rolled("a", "b", "c", "d")
	env.rolled("b", "c", "d")
	if a, b := env.counts("a").Total(), env.counts("b").Total(); a != 10 || b != 11 {
		t.Errorf("the job that had begun went to %d things and the one that waited to %d; want 10 and, with the newcomer, 11", a, b)
	}
	_, err := env.CancelJob(t.Context(), "c", jobs.Cancellation{})
	noErr(t, "CancelJob", err)
	env.rolled("d")
}

func TestAJobThatWaitsCanBeCancelledOrDeleted(t *testing.T) {
	env := limited(t, jobs.Limits{ConcurrentJobs: 1})
	for _, id := range []string{"a", "b", "c", "d"} {
		noErr(t, "CreateJob", env.create(id, muster.Snapshot, 5))
	}
	env.settleDown()
	_, err := env.CancelJob(t.Context(), "b", jobs.Cancellation{})
	noErr(t, "CancelJob", err)
	noErr(t, "DeleteJob", env.DeleteJob(t.Context(), "c", nil, true))
	env.settleDown()
	if got := env.jobStatus("b"); got != muster.JobCanceled {
		t.Errorf("the cancelled job is %s", got)
	}
	env.rolled("a", "d")
	env.rolled("d")
}

func TestTheLineSurvivesARestartAndItsLimit(t *testing.T) {
	s := newStore(t)
	env := newEnvOn(t, s, Options{Limits: jobs.Limits{ConcurrentJobs: 1}})
	env.thing("t0")
	env.group("all", "t0")
	slow := func(id string) { noErr(t, "CreateJob", env.create(id, muster.Continuous, 1)) }
	env.thing("t1")
	noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(t.Context(), "t1", "all"))
	slow("a")
	slow("b")
	slow("c")
	env.settleDown()
	env.stop()
	env = newEnvOn(t, s, Options{}) // without the limit
	env.pass(60_000)
	env.settleDown()
	for _, id := range []string{"a", "b", "c"} {
		if got := env.counts(id).Of(muster.Queued); got == 0 {
			t.Errorf("job %s still waits", id)
		}
	}
}

func TestEndedJobsAreDeletedAfterTheirRetention(t *testing.T) {
	env := limited(t, jobs.Limits{RetentionDays: 730})
	for _, id := range []string{"done", "cancelled", "running"} {
		noErr(t, "CreateJob", env.create(id, muster.Snapshot, 0))
	}
	env.settleDown()
	for i := range 10 {
		env.mustReport(fmt.Sprint("t", i), "done", muster.Succeeded)
	}
	_, err := env.CancelJob(t.Context(), "cancelled", jobs.Cancellation{})
	noErr(t, "CancelJob", err)
	env.settleDown()
	exists := func(id string) bool {
		t.Helper()
		_, err := env.DescribeJob(t.Context(), muster.JobID(id))
		if err != nil {
			wantKind(t, "DescribeJob", err, muster.NotFound)
		}
		return err == nil
	}
	const day = 24 * 3600 * 1000
	env.pass(730*day - 1000)
	env.settleDown()
	if !exists("done") || !exists("cancelled") {
		t.Fatal("a job is gone before its time")
	}
	agenda, err := env.Work(t.Context())
	if err != nil || agenda.Next == 0 || agenda.Next > env.clock()+2000 {
		t.Errorf("Work wants to be called at %d, %v; want within two seconds of %d", agenda.Next, err, env.clock())
	}
	env.pass(2000)
	env.settleDown()
	if exists("done") || exists("cancelled") || !exists("running") {
		t.Errorf("after 730 days done exists %v, cancelled %v, running %v; want only the last", exists("done"), exists("cancelled"), exists("running"))
	}
}
