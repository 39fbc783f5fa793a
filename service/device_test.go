package service

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// The worked sequence of jobs-data-plane.md section 11.4, row by row.
func TestWorkedSequenceOfNotifications(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job1", "lamp")
	wantTold(t, "after CreateJob job1", env.told(), "lamp notify QUEUED[job1]", "lamp next job1 QUEUED v1")
	env.job("job2", "lamp")
	wantTold(t, "after CreateJob job2", env.told(), "lamp notify QUEUED[job1,job2]")
	if d := env.start("lamp"); d.Execution == nil || d.Execution.Job != "job1" || d.Execution.Version != 2 || *d.Document != `{"do":"job1"}` {
		t.Fatalf("start-next gave %+v, want job1 at version 2 with its document", d)
	}
	wantTold(t, "after start-next", env.told())
	env.job("job3", "lamp")
	wantTold(t, "after CreateJob job3", env.told(), "lamp notify IN_PROGRESS[job1]QUEUED[job2,job3]")
	env.mustReport("lamp", "job1", muster.Succeeded)
	wantTold(t, "after job1 SUCCEEDED", env.told(), "lamp notify QUEUED[job2,job3]", "lamp next job2 QUEUED v1")
	env.mustReport("lamp", "job3", muster.InProgress)
	wantTold(t, "after job3 IN_PROGRESS", env.told(), "lamp next job3 IN_PROGRESS v2")
	env.mustReport("lamp", "job2", muster.Rejected)
	wantTold(t, "after job2 REJECTED", env.told(), "lamp notify IN_PROGRESS[job3]")
	if err := env.DeleteJob(t.Context(), "job3", nil, true); err != nil {
		t.Fatalf("DeleteJob(job3, force): %v", err)
	}
	wantTold(t, "after DeleteJob job3", env.told(), "lamp notify ", "lamp next none")
}

func TestStartNextTwiceGivesTheSameExecution(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job1", "lamp")
	env.told()
	first := env.start("lamp")
	env.pass(5000)
	second := env.start("lamp")
	if !first.Execution.Equal(*second.Execution) {
		t.Errorf("the second start-next gave %+v, want the first's %+v", second.Execution, first.Execution)
	}
	wantTold(t, "after both", env.told())
}

func TestACancelledJobNeverStartsAgain(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job1", "lamp")
	if _, err := env.CancelJob(t.Context(), "job1", jobs.Cancellation{}); err != nil {
		t.Fatal(err)
	}
	// The background has not come to it: the job alone decides.
	if d := env.start("lamp"); d.Execution != nil {
		t.Errorf("start-next after CancelJob gave %+v", d.Execution)
	}
	_, err := env.report("lamp", "job1", muster.InProgress)
	e := wantKind(t, "update after CancelJob", err, muster.InvalidTransition)
	if e.State == nil || e.State.Status != muster.Canceled {
		t.Errorf("the error shows %+v, want CANCELED", e.State)
	}
	wantTold(t, "after CancelJob", env.told(),
		"lamp notify QUEUED[job1]", "lamp next job1 QUEUED v1", "lamp notify ", "lamp next none")
	if got := env.counts("job1"); got != (muster.Counts{}).Add(muster.Canceled, 1) {
		t.Errorf("counts %v, want one CANCELED", got)
	}
}

func TestStepTimerTimesOut(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job1", "lamp")
	if _, err := env.reportAs(jobs.UpdateInput{Thing: "lamp", Job: "job1", Status: muster.InProgress, StepMinutes: 5}); err != nil {
		t.Fatal(err)
	}
	agenda, err := env.Work(t.Context())
	if err != nil || agenda.Next != env.clock().Minutes(5) {
		t.Fatalf("Work = %+v, %v; want to be called in 5 minutes", agenda, err)
	}
	env.told()
	env.pass(5*60_000 - 1)
	wantTold(t, "just before the deadline", env.told())
	env.pass(1)
	wantTold(t, "at the deadline", env.told(), "lamp notify ", "lamp next none")
	if got := env.counts("job1"); got.Of(muster.TimedOut) != 1 {
		t.Errorf("counts %v, want one TIMED_OUT", got)
	}
	if got := env.jobStatus("job1"); got != muster.JobCompleted {
		t.Errorf("the job is %s, want COMPLETED", got)
	}
}

func TestUpdateChecksVersionBeforeTransition(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job1", "lamp")
	env.mustReport("lamp", "job1", muster.Succeeded)
	one := int64(1)
	_, err := env.reportAs(jobs.UpdateInput{Thing: "lamp", Job: "job1", Status: muster.Failed, ExpectedVersion: &one})
	e := wantKind(t, "update of an ended execution with an old version", err, muster.VersionConflict)
	if e.Msg != "Expected version 1 but found version 2" {
		t.Errorf("message %q", e.Msg)
	}
}

func TestDescribeOfAnEndedExecutionIsTerminal(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job1", "lamp")
	env.mustReport("lamp", "job1", muster.Succeeded)
	_, err := env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "job1"})
	wantKind(t, "describe", err, muster.TerminalState)
	_, err = env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "other"})
	wantKind(t, "describe of nothing", err, muster.NotFound)
	_, err = env.GetPending(t.Context(), "nobody", "")
	wantKind(t, "get pending of an unknown thing", err, muster.NotFound)
}

func TestRolloutReachesEveryMemberOnce(t *testing.T) {
	env := newEnv(t)
	env.thing("a", "b", "c", "d", "e")
	env.group("all", "a")
	env.group("all/north", "b", "c")
	env.group("all/north/far", "d")
	env.group("all/south", "e")
	env.job("job1", "@all", "a", "@north")
	if got := env.counts("job1"); got != (muster.Counts{}).Add(muster.Queued, 5) {
		t.Fatalf("counts %v, want 5 QUEUED", got)
	}
	for _, thing := range []string{"a", "b", "c", "d", "e"} {
		env.mustReport(thing, "job1", muster.Failed)
	}
	if got := env.jobStatus("job1"); got != muster.JobCompleted {
		t.Errorf("the job is %s when all have ended, want COMPLETED", got)
	}
}

func TestAnEmptySnapshotIsComplete(t *testing.T) {
	env := newEnv(t)
	env.group("nobody")
	env.job("job1", "@nobody")
	if got := env.jobStatus("job1"); got != muster.JobCompleted {
		t.Errorf("the job is %s, want COMPLETED", got)
	}
}

func TestARolloutEndsWhenItsGroupIsGone(t *testing.T) {
	env := newEnv(t)
	env.thing("a")
	env.group("all", "a")
	in := jobs.NewJob{ID: "job1", Document: "{}", Targets: []muster.Target{{Group: true, Name: "all"}}}
	if _, err := env.CreateJob(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := env.DeleteThingGroup(t.Context(), "all", nil); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		agenda, err := env.Work(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !agenda.More {
			d, err := env.DescribeJob(t.Context(), "job1")
			if err != nil || !d.Rollout.Done || d.Counts.Total() != 1 {
				t.Errorf("the job is %+v, %v; want its one member of the start given it, and the rollout done", d, err)
			}
			return
		}
	}
	t.Fatal("the rollout goes on for ever")
}
