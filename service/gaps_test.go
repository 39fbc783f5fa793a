package service

import (
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// The first execution of a thing is deleted and a later one stays: when targets
// are added to the job, the rollout must not take the thing for a new one.
func TestARolloutSeesThatAThingHasHadTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t)
		env.thing("lamp")
		env.group("hall", "lamp")
		_, err := env.CreateJob(t.Context(), jobs.NewJob{
			ID: "fw", Selection: muster.Continuous, Document: "{}", Targets: []muster.Target{{Name: "lamp"}},
			Config: muster.JobConfig{Retry: []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 1}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		env.settleDown()
		env.mustReport("lamp", "fw", muster.Failed)
		if err := env.CancelExecution(t.Context(), jobs.ExecutionCancellation{Thing: "lamp", Job: "fw"}); err != nil {
			t.Fatal(err)
		}
		if err := env.DeleteExecution(t.Context(), "lamp", "fw", 1, nil, false); err != nil {
			t.Fatal(err)
		}
		if _, err := env.AssociateTargets(t.Context(), "fw", nil, []muster.Target{{Group: true, Name: "hall"}}, nil); err != nil {
			t.Fatal(err)
		}
		env.settleDown()
		if d := env.start("lamp"); d.Execution != nil {
			t.Errorf("the thing is given execution %d, want none: its latest one is CANCELED", d.Execution.Number)
		}
		problems, err := store.Verify(t.Context(), env.store, "fw")
		if err != nil || len(problems) > 0 {
			t.Errorf("Verify = %v, %v, want no problem", problems, err)
		}
	})
}
