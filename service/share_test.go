package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
)

// Two processes share the work of a store: each does what has one of its keys.
func TestWorkIsDividedByKey(t *testing.T) {
	s := newStore(t)
	here, there := newEnvOnJust(t, s, Options{}), newEnvOnJust(t, s, Options{})
	mine := func(keys ...string) func(string) bool {
		return func(key string) bool {
			return slices.Contains(keys, key)
		}
	}
	work := func(env *env, mine func(string) bool) commit.Agenda {
		t.Helper()
		for range 1000 {
			agenda, err := env.WorkOn(t.Context(), mine)
			if err != nil {
				t.Fatal(err)
			}
			if !agenda.More {
				return agenda
			}
		}
		t.Fatal("the work never ends")
		return commit.Agenda{}
	}
	here.thing("lamp", "pump")
	here.group("all", "lamp", "pump")
	for _, id := range []muster.JobID{"a", "b"} {
		in := jobs.NewJob{ID: id, Document: "{}", Targets: targetsNamed([]string{"@all"}), Config: muster.JobConfig{TimeoutMinutes: 1}}
		in.Config.Rollout.MaximumPerMinute = 60
		if _, err := here.CreateJob(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		here.pass(1)
		there.pass(1)
	}
	here.pass(60_000)
	there.pass(60_000)
	if agenda := work(here, mine("registry", "a")); agenda.Next != 0 {
		t.Errorf("work on a asks to be called at %d, and all of it is done", agenda.Next)
	}
	if a, b := here.counts("a").Pending(), here.counts("b").Pending(); a != 2 || b == 2 {
		t.Errorf("work on a gave %d executions of a and %d of b; want 2, and what b began with", a, b)
	}
	work(there, mine("b"))
	if b := here.counts("b").Pending(); b != 2 {
		t.Errorf("work on b gave %d executions of b, want 2", b)
	}

	for _, thing := range []string{"lamp", "pump"} {
		here.start(thing)
	}
	here.pass(60_000)
	there.pass(60_000)
	work(here, mine("lamp"))
	if got := here.counts("a").Of(muster.TimedOut); got != 1 {
		t.Errorf("work on lamp has timed out %d executions, want 1", got)
	}
	work(there, mine("pump"))
	if got := here.counts("a").Of(muster.TimedOut); got != 2 {
		t.Errorf("work on pump has timed out %d executions, want 2", got)
	}
}

// The work of others is passed over up to a bound, so that it costs little however much of it
// there is.
func TestOnesOwnWorkIsFoundBehindThatOfOthers(t *testing.T) {
	const others = 1100 // more than a search passes over
	env := newEnvOnJust(t, newStore(t), Options{})
	env.thing("lamp")
	for i := range others {
		in := jobs.NewJob{ID: muster.JobID(fmt.Sprint("j", i)), Document: "{}", Targets: targetsNamed([]string{"lamp"})}
		in.Config.Schedule = muster.Schedule{StartTime: "2027-06-01 10:00", EndTime: "2027-06-02 10:00", EndBehavior: muster.CancelAtEnd}
		if _, err := env.CreateJob(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	agenda, err := env.WorkOn(t.Context(), func(key string) bool { return key == "lamp" })
	if err != nil || agenda.More || agenda.Next == 0 {
		t.Errorf("WorkOn = %+v, %v; want a later look, since not all alarms were looked at", agenda, err)
	}
}
