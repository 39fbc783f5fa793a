package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
)

// watch is an env that writes down what happened, as "job job1 completed" and
// "lamp job1 #1 failed".
type watch struct{ *env }

func newWatch(t *testing.T, on ...muster.EventType) *watch {
	w := &watch{env: newEnvOn(t, newStore(t), Options{Sinks: eventlog.Sinks{Subscribers: true}})}
	w.enable(true, on...)
	return w
}

func (w *watch) enable(on bool, types ...muster.EventType) {
	w.t.Helper()
	change := map[muster.EventType]bool{}
	for _, typ := range types {
		change[typ] = on
	}
	if err := w.UpdateEventConfigurations(w.t.Context(), change); err != nil {
		w.t.Fatalf("UpdateEventConfigurations(%v): %v", change, err)
	}
}

// took returns what happened since it was last asked, after all that is due has
// been done.
func (w *watch) took() []eventlog.Event {
	w.t.Helper()
	w.settleDown()
	all, err := w.Log.Events(w.t.Context(), eventlog.Subscribers, 1000)
	w.must(err)
	w.Taken(eventlog.Subscribers, all)
	return all
}

func (w *watch) want(when string, want ...string) {
	w.t.Helper()
	var got []string
	for _, h := range w.took() {
		if h.ID == "" || h.At == 0 {
			w.t.Errorf("%s, an event has the id %q and the time %d", when, h.ID, h.At)
		}
		switch h.Type {
		case muster.EventJob:
			got = append(got, fmt.Sprintf("job %s %s", h.Job.ID, h.Operation))
		case muster.EventJobExecution:
			got = append(got, fmt.Sprintf("%s %s #%d %s", h.Execution.Thing, h.Execution.Job, h.Execution.Number, h.Operation))
		case muster.EventThing:
			got = append(got, fmt.Sprintf("thing %s %s", h.Thing.Name, h.Operation))
		case muster.EventThingType:
			got = append(got, fmt.Sprintf("type %s %s", h.ThingType.Name, h.Operation))
		case muster.EventThingTypeAssociation:
			got = append(got, fmt.Sprintf("thing %s of %s %s", h.Thing.Name, h.Thing.Type, h.Operation))
		case muster.EventThingGroup:
			got = append(got, fmt.Sprintf("group %s %s", h.Group.Name, h.Operation))
		case muster.EventThingGroupHierarchy:
			got = append(got, fmt.Sprintf("group %s under %s %s", h.Group.Name, h.Above[len(h.Above)-1].Name, h.Operation))
		case muster.EventThingGroupMembership:
			got = append(got, fmt.Sprintf("thing %s in %s %s", h.Thing.Name, h.Group.Name, h.Operation))
		}
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("%s, this happened\n  %s\nwant\n  %s", when, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// must fails the test when a call failed.
func (w *watch) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestExecutionsAndTheirJobAreToldOfInOrder(t *testing.T) {
	w := newWatch(t, muster.EventJob, muster.EventJobExecution)
	w.thing("a", "b", "c")
	w.job("job1", "a", "b", "c")
	w.start("a")
	w.want("before anything ended")
	w.mustReport("a", "job1", muster.Succeeded)
	w.want("when one succeeded", "a job1 #1 succeeded")
	w.mustReport("b", "job1", muster.Failed)
	w.want("when one failed", "b job1 #1 failed")
	w.mustReport("c", "job1", muster.Rejected)
	w.want("when the last one ended", "c job1 #1 rejected", "job job1 completed")
	if _, err := w.report("c", "job1", muster.Succeeded); err == nil {
		t.Fatal("what is final was changed")
	}
	w.want("after a refused report")
}

func TestACompletedJobIsToldOfWithItsCounts(t *testing.T) {
	w := newWatch(t, muster.EventJob)
	w.thing("a", "b")
	w.job("job1", "a", "b")
	w.mustReport("a", "job1", muster.Failed)
	w.mustReport("b", "job1", muster.Succeeded)
	all := w.took()
	if len(all) != 1 {
		t.Fatalf("%d things happened, want 1", len(all))
	}
	h := all[0]
	if want := (muster.Counts{}).Add(muster.Failed, 1).Add(muster.Succeeded, 1); h.Counts != want || h.Job.Status != muster.JobCompleted || h.Job.CompletedAt != h.At {
		t.Errorf("it happened %+v of %+v, want the counts %v and the job COMPLETED then", h, h.Job, want)
	}
}

func TestACancellationIsToldTwice(t *testing.T) {
	w := newWatch(t, muster.EventJob, muster.EventJobExecution)
	w.thing("a", "b", "c")
	w.job("job1", "a", "b", "c")
	w.start("a")
	_, err := w.CancelJob(t.Context(), "job1", jobs.Cancellation{})
	w.must(err)
	w.want("after CancelJob", "job job1 cancellation_in_progress", "b job1 #1 canceled", "c job1 #1 canceled", "job job1 canceled")
	_, err = w.CancelJob(t.Context(), "job1", jobs.Cancellation{Force: true})
	w.must(err)
	w.want("after CancelJob with force", "job job1 cancellation_in_progress", "a job1 #1 canceled", "job job1 canceled")

	w.group("empty")
	w.jobOf(muster.Continuous, "job2", "@empty")
	_, err = w.CancelJob(t.Context(), "job2", jobs.Cancellation{})
	w.must(err)
	w.want("after CancelJob of a job without executions", "job job2 cancellation_in_progress", "job job2 canceled")
}

func TestACancellationThatWasForcedInBetweenIsToldOnceMore(t *testing.T) {
	w := newWatch(t, muster.EventJob)
	w.thing("a")
	w.job("job1", "a")
	w.start("a")
	for _, force := range []bool{false, true} {
		_, err := w.CancelJob(t.Context(), "job1", jobs.Cancellation{Force: force})
		w.must(err)
	}
	w.want("after both", "job job1 cancellation_in_progress", "job job1 cancellation_in_progress", "job job1 canceled")
}

func TestAnAbortIsACancellation(t *testing.T) {
	w := newWatch(t, muster.EventJob, muster.EventJobExecution)
	w.thing("a", "b")
	w.campaign("job1", muster.Snapshot, muster.JobConfig{Abort: []muster.AbortCriterion{
		{Failure: muster.FailureFailed, ThresholdPercent: 50, MinExecuted: 1},
	}}, "a", "b")
	w.mustReport("a", "job1", muster.Failed)
	w.want("when the criterion was met", "a job1 #1 failed", "job job1 cancellation_in_progress", "b job1 #1 canceled", "job job1 canceled")
}

func TestADeletionIsToldTwice(t *testing.T) {
	w := newWatch(t, muster.EventJob, muster.EventJobExecution)
	w.thing("a", "b")
	w.job("job1", "a", "b")
	w.mustReport("a", "job1", muster.Succeeded)
	w.want("when one ended", "a job1 #1 succeeded")
	w.must(w.DeleteJob(t.Context(), "job1", nil, true))
	w.want("after DeleteJob", "job job1 deletion_in_progress", "b job1 #1 deleted", "a job1 #1 deleted", "job job1 deleted")
}

func TestADeletionEndsACancellationThatIsUnderWay(t *testing.T) {
	w := newWatch(t, muster.EventJob, muster.EventJobExecution)
	w.thing("a")
	w.job("job1", "a")
	_, err := w.CancelJob(t.Context(), "job1", jobs.Cancellation{})
	w.must(err)
	w.must(w.DeleteJob(t.Context(), "job1", nil, true))
	w.want("after CancelJob and DeleteJob", "job job1 cancellation_in_progress", "job job1 canceled", "job job1 deletion_in_progress",
		"a job1 #1 deleted", "job job1 deleted")
}

func TestOneExecutionIsToldOfHoweverItEnds(t *testing.T) {
	w := newWatch(t, muster.EventJobExecution)
	w.thing("a", "b", "c")
	w.group("all", "a", "b", "c")
	w.campaign("job1", muster.Continuous, muster.JobConfig{TimeoutMinutes: 1, Retry: []muster.RetryCriterion{
		{Failure: muster.FailureTimedOut, Max: 1},
	}}, "@all")
	w.start("a")
	w.pass(61_000)
	w.want("when its time was up", "a job1 #1 timed_out")
	w.pass(2000)
	w.start("a")
	w.pass(61_000)
	w.want("when the time of its retry was up", "a job1 #2 timed_out")

	w.must(w.CancelExecution(t.Context(), jobs.ExecutionCancellation{Thing: "b", Job: "job1"}))
	w.want("after CancelJobExecution", "b job1 #1 canceled")
	w.must(w.DeleteExecution(t.Context(), "b", "job1", 1, nil, false))
	w.want("after DeleteJobExecution", "b job1 #1 deleted")
	w.must(w.RemoveThingFromThingGroup(t.Context(), "c", "all"))
	w.want("when the thing left the target", "c job1 #1 removed")
}

func TestADeviceMeetsACancellationBeforeTheBackground(t *testing.T) {
	w := newWatch(t, muster.EventJob, muster.EventJobExecution)
	w.thing("a")
	w.job("job1", "a")
	_, err := w.CancelJob(t.Context(), "job1", jobs.Cancellation{})
	w.must(err)
	if d := w.start("a"); d.Execution != nil {
		t.Fatalf("a was given %+v of a cancelled job", d.Execution)
	}
	w.want("when a asked", "job job1 cancellation_in_progress", "a job1 #1 canceled", "job job1 canceled")
}

// The state at the moment of the change decides; nothing is told later.
func TestOnlyWhatIsEnabledIsToldOf(t *testing.T) {
	w := newWatch(t)
	w.thing("a", "b", "c")
	w.job("job1", "a", "b", "c")
	w.mustReport("a", "job1", muster.Succeeded)
	w.want("while nothing is enabled")
	w.enable(true, muster.EventJobExecution)
	w.want("when it is enabled later")
	w.mustReport("b", "job1", muster.Succeeded)
	w.want("while executions are enabled", "b job1 #1 succeeded")
	w.enable(false, muster.EventJobExecution)
	w.enable(true, muster.EventJob)
	w.mustReport("c", "job1", muster.Succeeded)
	w.want("while jobs are enabled", "job job1 completed")
}

func TestARefusedCommandTellsNothing(t *testing.T) {
	w := newWatch(t, muster.EventJobExecution)
	w.thing("a")
	w.job("job1", "a")
	_, err := w.CancelJob(t.Context(), "job1", jobs.Cancellation{})
	w.must(err)
	end := w.stepsOf(w.Jobs)[0] // of the execution
	err = w.Commits.Do(t.Context(), func(tx *commit.Tx) error {
		if err := end(tx); err != nil {
			return err
		}
		return muster.Errorf(muster.Invalid, "refused after all")
	})
	wantKind(t, "the command", err, muster.Invalid)
	if all, err := w.Log.Events(t.Context(), eventlog.Subscribers, 1000); err != nil || len(all) > 0 {
		t.Errorf("after it, this happened: %+v, %v; want nothing", all, err)
	}
	w.want("when it is done and not refused", "a job1 #1 canceled")
}
