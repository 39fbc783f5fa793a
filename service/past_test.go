package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// past returns the executions of a thing, such as "fw 1 CANCELED 10": that long after the epoch of the tests it changed last.
func (env *env) past(thing muster.ThingName) (all []string) {
	env.t.Helper()
	noErr(env.t, "View", env.Commits.View(env.t.Context(), func(view store.Reader) error {
		all = nil
		t, err := registry.Lookup{}.ExistingThing(view, thing)
		if err != nil {
			return err
		}
		for x, err := range jobs.Read(env.Service.Jobs, view).History(&t) {
			if err != nil {
				return err
			}
			if x.Of.ID != x.Job {
				return fmt.Errorf("an execution of %s comes with job %s", x.Job, x.Of.ID)
			}
			all = append(all, fmt.Sprint(x.Job, " ", x.Number, " ", x.Status, " ", int64(x.UpdatedAt-testEpoch)))
		}
		return nil
	}))
	return all
}

func (env *env) wantPast(when string, thing muster.ThingName, want ...string) {
	env.t.Helper()
	if got := env.past(thing); !slices.Equal(got, want) {
		env.t.Errorf("%s: %q, want %q", when, got, want)
	}
}

// Everybody sees what a command decided about executions before the background has changed them.
func TestThePastOfAThing(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("a", "lamp")
	env.start("lamp")
	env.pass(1000)
	env.mustReport("lamp", "a", muster.Succeeded)
	env.job("b", "lamp")
	env.job("c", "lamp")
	env.start("lamp")
	at := int64(env.clock() - testEpoch)
	env.pass(1000)
	want := []string{"a 1 SUCCEEDED 1010", fmt.Sprint("b 1 IN_PROGRESS ", at), fmt.Sprint("c 1 QUEUED ", at-10)}
	env.wantPast("at first", "lamp", want...)

	_, err := env.CancelJob(t.Context(), "c", jobs.Cancellation{})
	noErr(t, "CancelJob", err)
	want[2] = fmt.Sprint("c 1 CANCELED ", int64(env.clock()-testEpoch))
	env.pass(5000)
	env.wantPast("after a cancellation", "lamp", want...)
	_, err = env.CancelJob(t.Context(), "b", jobs.Cancellation{Force: true})
	noErr(t, "CancelJob with force", err)
	want[1] = fmt.Sprint("b 1 CANCELED ", int64(env.clock()-testEpoch))
	env.wantPast("after a cancellation with force", "lamp", want...)
	noErr(t, "DeleteJob", env.DeleteJob(t.Context(), "a", nil, true))
	env.wantPast("after a deletion", "lamp", want[1:]...)

	env.settleDown()
	if got := env.past("lamp"); len(got) != 2 {
		t.Errorf("after the background: %q", got)
	}
	env.pass(10_000)
	env.deleteThing("lamp")
	env.settleDown()
	env.thing("lamp")
	env.wantPast("of a later thing of the name", "lamp")
}

// What the end time of a job ends has ended then.
func TestThePastOfAJobThatIsOver(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	minute := func(n int) muster.Instant { return env.clock().Minutes(n) / 60_000 * 60_000 }
	start, end := minute(41), minute(121)
	form := func(at muster.Instant) string { return at.Time().Format("2006-01-02 15:04") }
	env.campaign("job", muster.Snapshot, muster.JobConfig{
		Schedule: muster.Schedule{StartTime: form(start), EndTime: form(end), EndBehavior: muster.CancelAtEnd},
	}, "lamp")
	env.pass(int64(start - env.clock()))
	env.settleDown()
	env.wantPast("in its time", "lamp", fmt.Sprint("job 1 QUEUED ", int64(start-testEpoch)))
	env.pass(int64(end - env.clock()))
	env.settleDown()
	env.pass(60_000)
	env.wantPast("after its end", "lamp", fmt.Sprint("job 1 CANCELED ", int64(end-testEpoch)))
}
