package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// paced is an env with a continuous job "job" of so many a minute for group
// "all", which is empty, that paces its joiners.
func paced(t *testing.T, perMinute int, windows ...muster.MaintenanceWindow) *env {
	t.Helper()
	env := newEnv(t)
	env.group("all")
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "job", Document: "{}", Selection: muster.Continuous, Targets: []muster.Target{{Group: true, Name: "all"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: perMinute}, Schedule: muster.Schedule{Windows: windows}},
	})
	noErr(t, "CreateJob", err)
	noErr(t, "SetJobOptions", env.SetJobOptions(t.Context(), "job", jobs.JobOptions{PaceJoiners: true}))
	env.settleDown()
	return env
}

// joins has new things join group "all".
func (env *env) joins(from, to int) {
	env.t.Helper()
	for i := from; i < to; i++ {
		name := fmt.Sprintf("t%03d", i)
		env.thing(name)
		noErr(env.t, "AddThingToThingGroup", env.AddThingToThingGroup(env.t.Context(), muster.ThingName(name), "all"))
	}
}

func (env *env) wantQueued(when string, want int64) {
	env.t.Helper()
	env.settleDown()
	if got := env.counts("job").Of(muster.Queued); got != want {
		env.t.Fatalf("%s %d executions are queued, want %d", when, got, want)
	}
}

func TestJoinersGoThroughTheRateIfTheJobIsToldSo(t *testing.T) {
	env := paced(t, 100)
	env.joins(0, 250)
	env.wantQueued("when 250 joined", 1)
	agenda, err := env.Work(t.Context())
	if err != nil || agenda.Next != env.clock()+600 {
		t.Errorf("Work wants to be called at %d, %v; want when the next one is due at %d", agenda.Next, err, env.clock()+600)
	}
	env.minutes(1)
	env.wantQueued("after a minute", 101)
	env.joins(250, 260)
	env.wantQueued("when 10 more joined after a minute", 101)
	env.minutes(1)
	env.wantQueued("after two minutes", 201)
	env.minutes(1)
	env.wantQueued("after three minutes", 260)
	env.joins(260, 261)
	env.wantQueued("when nothing waits, one that joins", 261)
}

func TestAJoinerThatWaitsMayLeave(t *testing.T) {
	env := paced(t, 100)
	env.joins(0, 150)
	env.settleDown()
	noErr(t, "RemoveThingFromThingGroup", env.RemoveThingFromThingGroup(t.Context(), "t149", "all"))
	noErr(t, "DeleteThing", env.DeleteThing(t.Context(), "t148", nil))
	env.minutes(2)
	env.wantQueued("when two of those who waited are gone", 148)
}

func TestThePaceOfJoinersCanBeLifted(t *testing.T) {
	env := paced(t, 100)
	env.joins(0, 600)
	env.wantQueued("when 600 joined", 1)
	noErr(t, "SetJobOptions", env.SetJobOptions(t.Context(), "job", jobs.JobOptions{}))
	env.wantQueued("when the pace is lifted", 600)
	env.joins(600, 601)
	env.wantQueued("when another one joined", 601)
}

func TestJoinersAndTheRolloutShareTheRate(t *testing.T) {
	env := newEnv(t)
	env.group("all")
	env.joins(0, 150)
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "job", Document: "{}", Selection: muster.Continuous, Targets: []muster.Target{{Group: true, Name: "all"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 100}},
	})
	noErr(t, "CreateJob", err)
	noErr(t, "SetJobOptions", env.SetJobOptions(t.Context(), "job", jobs.JobOptions{PaceJoiners: true}))
	env.wantQueued("at first", 1)
	env.joins(150, 250)
	env.wantQueued("when 100 joined", 1)
	env.minutes(1)
	env.wantQueued("after a minute", 101)
	env.minutes(1)
	env.wantQueued("after two minutes", 201)
	env.minutes(1)
	env.wantQueued("after three minutes", 250)
}

func TestJoinersOfAJobThatIsOverGetNothing(t *testing.T) {
	for name, end := range map[string]func(*env) error{
		"cancelled": func(env *env) error {
			_, err := env.CancelJob(env.t.Context(), "job", jobs.Cancellation{})
			return err
		},
		"deleted": func(env *env) error { return env.DeleteJob(env.t.Context(), "job", nil, true) },
	} {
		t.Run(name, func(t *testing.T) {
			env := paced(t, 100)
			env.joins(0, 600)
			env.settleDown()
			env.minutes(1)
			noErr(t, name, end(env))
			env.settleDown()
			env.pass(60_000)
			env.settleDown()
			env.write(func(tx store.Tx) {
				for row := range links("joining").Scan(tx, "", "") {
					t.Fatalf("%q still waits", row.Key)
				}
			})
			if name == "cancelled" {
				if got := env.counts("job"); got.Pending() != 0 || got.Of(muster.Canceled) != 101 {
					t.Errorf("the cancelled job has %v, want 101 CANCELED", got)
				}
			}
		})
	}
}

func TestJoinersWaitForAWindowAndThenForThePace(t *testing.T) {
	env := paced(t, 100, muster.MaintenanceWindow{StartTime: "cron(0 * * * ? *)", DurationMinutes: 30})
	if env.jobStatus("job") == muster.JobInProgress {
		env.pass(30 * 60_000)
		env.settleDown()
	}
	env.wantQueued("before anybody joined", 0)
	for env.jobStatus("job") != muster.JobInProgress { // the job must have begun
		env.pass(60_000)
		env.settleDown()
	}
	for env.jobStatus("job") == muster.JobInProgress {
		env.pass(60_000)
		env.settleDown()
	}
	env.joins(0, 150)
	env.wantQueued("outside the window", 0)
	for env.jobStatus("job") != muster.JobInProgress {
		env.pass(60_000)
		env.settleDown()
	}
	env.wantQueued("when the window opened", 1)
	env.minutes(1)
	env.wantQueued("a minute later", 101)
	env.minutes(1)
	env.wantQueued("two minutes later", 150)
}

func TestOptionsOfAJob(t *testing.T) {
	env := paced(t, 100)
	o, err := env.JobOptions(t.Context(), "job")
	if err != nil || !o.PaceJoiners {
		t.Errorf("JobOptions = %+v, %v; want joiners paced", o, err)
	}
	_, err = env.JobOptions(t.Context(), "none")
	wantKind(t, "JobOptions of no job", err, muster.NotFound)
	on := jobs.JobOptions{PaceJoiners: true}
	wantKind(t, "SetJobOptions of no job", env.SetJobOptions(t.Context(), "none", on), muster.NotFound)
	env.thing("lamp")
	env.job("snapshot", "lamp")
	wantKind(t, "pacing the joiners of a snapshot", env.SetJobOptions(t.Context(), "snapshot", on), muster.Invalid)
	noErr(t, "asking a snapshot for what it does anyhow", env.SetJobOptions(t.Context(), "snapshot", jobs.JobOptions{}))
	_, err = env.CancelJob(t.Context(), "job", jobs.Cancellation{})
	noErr(t, "CancelJob", err)
	wantKind(t, "SetJobOptions of a cancelled job", env.SetJobOptions(t.Context(), "job", jobs.JobOptions{}), muster.Invalid)
}
