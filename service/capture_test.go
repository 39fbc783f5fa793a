package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
)

// A snapshot is of its members when its rollout begins (jobs-lifecycle.md
// section 4), whatever becomes of their membership before the rollout has come
// to them.
func TestASnapshotIsOfItsMembersAtTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*env) error
		want   bool // that "z", the last member, is given the job
	}{
		"it stays":                  {func(*env) error { return nil }, true},
		"it moves within a target":  {func(env *env) error { return env.move("z", "right", "left") }, true},
		"it moves between targets":  {func(env *env) error { return env.move("z", "other", "left") }, true},
		"it leaves":                 {func(env *env) error { return env.move("z", "", "left") }, true},
		"it leaves and comes again": {func(env *env) error { _ = env.move("z", "", "left"); return env.move("z", "left", "") }, true},
		"it leaves twice": {func(env *env) error {
			_ = env.move("z", "apart", "left")
			return env.move("z", "left", "apart")
		}, true},
		"its group is deleted": {func(env *env) error { return env.DeleteThingGroup(env.t.Context(), "left", nil) }, true},
		"it is deleted":        {func(env *env) error { return env.DeleteThing(env.t.Context(), "z", nil) }, false},
		"it leaves and is another thing of the name by now": {func(env *env) error {
			_ = env.move("z", "", "left")
			_ = env.DeleteThing(env.t.Context(), "z", nil)
			_, err := env.CreateThing(env.t.Context(), muster.Thing{Name: "z"})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			for _, thing := range []string{"a", "b", "z"} {
				if _, err := env.CreateThing(t.Context(), muster.Thing{Name: muster.ThingName(thing)}); err != nil {
					t.Fatal(err)
				}
			}
			env.group("root/left", "a", "b", "z")
			env.group("root/right")
			env.group("other")
			env.group("apart")
			env.pass(1)
			env.campaign("job", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}}, "@root", "@other")
			env.pass(1)
			if err := test.change(env); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := env.counts("job").Total(); got != 1 {
				t.Fatalf("%d things have the job at the start, want 1", got)
			}
			env.minutes(4)
			_, given := env.states("job")["z#1"]
			if given != test.want {
				t.Errorf("z was given the job: %v, want %v; there are %v", given, test.want, env.states("job"))
			}
			if d, err := env.DescribeJob(t.Context(), "job"); err != nil || !d.Rollout.Done {
				t.Errorf("the rollout is not done: %+v, %v", d.Rollout, err)
			}
		})
	}
}

// A group of more things than leave it in the transaction that deletes it.
func TestASnapshotOfAGroupThatIsDeleted(t *testing.T) {
	env := newEnv(t)
	names := env.fleet("all", 3*departMax)
	for _, name := range names {
		env.thing(name)
	}
	env.pass(1)
	env.campaign("job", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 100}}, "@all")
	if err := env.DeleteThingGroup(t.Context(), "all", nil); err != nil {
		t.Fatal(err)
	}
	env.minutes(3)
	if got := env.counts("job"); got.Total() != 3*departMax {
		t.Errorf("%v were given the job, want all %d that were members at the start", got, 3*departMax)
	}
}

// Whom a snapshot still had in mind when it was cancelled is not given a later
// job of the name.
func TestACancelledSnapshotForgetsItsMembers(t *testing.T) {
	env := newEnv(t)
	env.fleet("all", 5)
	env.pass(1)
	slow := muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}}
	env.campaign("job", muster.Snapshot, slow, "@all")
	for i := range 5 {
		if err := env.move(fmt.Sprintf("t%03d", i), "", "all"); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.DeleteJob(t.Context(), "job", nil, true); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	env.campaign("job", muster.Snapshot, slow, "@all")
	env.minutes(10)
	if got := env.counts("job"); got.Total() != 0 {
		t.Errorf("a job for an empty group was given to %v", env.states("job"))
	}
}
