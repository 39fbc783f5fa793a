package service

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
)

// A rollout gives nothing to a thing that is deleted before it gets there, in whichever
// way it would have got there: as a member of a group, as a target, or as a thing that left
// its group early.
func TestARolloutPassesOverThingsThatAreGone(t *testing.T) {
	env := newEnv(t)
	env.thing("a", "b", "c", "d", "e")
	env.group("all", "a", "b", "c", "d")
	slow := muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}}
	env.campaign("job", muster.Snapshot, slow, "@all", "e")
	env.moves("c", "", "all")
	for _, gone := range []muster.ThingName{"b", "c", "e"} {
		env.deleteThing(gone)
	}
	env.minutes(8)
	wantStates(t, "in the end", env.states("job"), map[string]muster.Status{"a#1": muster.Queued, "d#1": muster.Queued})
	d, err := env.DescribeJob(t.Context(), "job")
	if err != nil || !d.Rollout.Done {
		t.Errorf("the rollout is %+v (%v), want it done", d.Rollout, err)
	}
}

// A thing that has had a job is not given it again by the rollout, whether what it had has
// ended before the step that reaches it or is still pending.
func TestARolloutGivesAThingItsJobOnce(t *testing.T) {
	env := newEnv(t)
	env.thing("a", "b", "c")
	env.group("all", "a", "b", "c")
	slow := muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}}
	env.campaign("job", muster.Snapshot, slow, "c", "@all")
	env.minutes(1)
	wantStates(t, "after a minute", env.states("job"), map[string]muster.Status{"c#1": muster.Queued, "a#1": muster.Queued})
	env.start("c")
	env.mustReport("c", "job", muster.Succeeded)
	env.minutes(8)
	wantStates(t, "in the end", env.states("job"), map[string]muster.Status{"c#1": muster.Succeeded, "a#1": muster.Queued, "b#1": muster.Queued})
}

// The operations of devices fail for a thing that is not in the registry, also for one
// that had something pending when it was deleted.
func TestADeviceOfADeletedThingFindsNothing(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("job", "lamp")
	env.deleteThing("lamp")
	for _, thing := range []muster.ThingName{"lamp", "nobody"} {
		_, err := env.GetPending(t.Context(), thing, "")
		wantKind(t, "GetPending of "+string(thing), err, muster.NotFound)
		_, err = env.Jobs.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: thing})
		wantKind(t, "DescribeExecution($next) of "+string(thing), err, muster.NotFound)
		_, err = commit.Await(t.Context(), func(done func(jobs.Described, error)) {
			env.StartNext(jobs.StartNextInput{Thing: thing}, done)
		})
		wantKind(t, "StartNext of "+string(thing), err, muster.NotFound)
	}
}

// Devices that name no number mean the latest execution, pending or not.
func TestWithoutANumberTheLatestIsMeant(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	retried := muster.JobConfig{Retry: []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 1}}}
	env.campaign("job", muster.Snapshot, retried, "lamp")
	env.start("lamp")
	env.mustReport("lamp", "job", muster.Failed)
	if d, err := env.Jobs.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "job"}); err != nil || d.Execution.Number != 2 {
		t.Errorf("DescribeExecution() = %+v, %v; want the second, which is pending", d.Execution, err)
	}
	env.start("lamp")
	d, err := env.report("lamp", "job", muster.Failed)
	if err != nil || d.Execution.Number != 2 {
		t.Errorf("UpdateExecution() = %+v, %v; want the second", d.Execution, err)
	}
	_, err = env.report("lamp", "job", muster.Failed)
	wantKind(t, "UpdateExecution of one that has ended", err, muster.InvalidTransition)
	_, err = env.Jobs.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: "job"})
	wantKind(t, "DescribeExecution of one that has ended", err, muster.TerminalState)
}
