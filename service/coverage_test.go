package service

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// states returns the executions of a job, each as "thing#number status".
func (env *env) states(job string) map[string]muster.Status {
	env.t.Helper()
	list, err := env.ExecutionsOfJob(env.t.Context(), muster.JobID(job), 0, listing.Page{})
	if err != nil {
		env.t.Fatalf("ExecutionsOfJob(%s): %v", job, err)
	}
	all := map[string]muster.Status{}
	for _, x := range list.Executions {
		all[string(x.Thing)+"#"+string('0'+rune(x.Number))] = x.Status
	}
	return all
}

func (env *env) moves(thing, add, remove string) {
	env.t.Helper()
	noErr(env.t, "UpdateThingGroupsForThing", env.move(thing, add, remove))
}

func (env *env) deleteGroup(name muster.GroupName) {
	env.t.Helper()
	noErr(env.t, "DeleteThingGroup", env.DeleteThingGroup(env.t.Context(), name, nil))
}

func (env *env) deleteThing(name muster.ThingName) {
	env.t.Helper()
	noErr(env.t, "DeleteThing", env.DeleteThing(env.t.Context(), name, nil))
}

func wantStates(t *testing.T, when string, got, want map[string]muster.Status) {
	t.Helper()
	same := len(got) == len(want)
	for k, v := range want {
		same = same && got[k] == v
	}
	if !same {
		t.Errorf("%s: executions are %v, want %v", when, got, want)
	}
}

func TestMembershipMovesContinuousJobs(t *testing.T) {
	type states = map[string]muster.Status
	for name, test := range map[string]struct {
		targets []string
		first   string // groups that the lamp is in when the job is made
		then    func(env *env)
		want    states
	}{
		"who joins gets the job (REG-83)": {
			[]string{"@house"}, "", func(env *env) { env.moves("lamp", "house", "") }, states{"lamp#1": muster.Queued}},
		"who joins a descendant gets the job (REG-83)": {
			[]string{"@house"}, "", func(env *env) { env.moves("lamp", "floor", "") }, states{"lamp#1": muster.Queued}},
		"who joins a descendant made later gets the job (REG-83)": {
			[]string{"@house"}, "", func(env *env) { env.group("house/attic", "lamp") }, states{"lamp#1": muster.Queued}},
		"who joins the parent of a target does not get it": {
			[]string{"@floor"}, "", func(env *env) { env.moves("lamp", "house", "") }, states{}},
		"who leaves while it is queued has it removed (REG-84)": {
			[]string{"@house"}, "floor", func(env *env) { env.moves("lamp", "", "floor") }, states{"lamp#1": muster.Removed}},
		"who leaves while it runs finishes it (REG-84)": {
			[]string{"@house"}, "floor", func(env *env) { env.start("lamp"); env.moves("lamp", "", "floor") }, states{"lamp#1": muster.InProgress}},
		"who comes back gets it anew (REG-84)": {
			[]string{"@house"}, "floor", func(env *env) { env.moves("lamp", "", "floor"); env.moves("lamp", "floor", "") },
			states{"lamp#1": muster.Removed, "lamp#2": muster.Queued}},
		"the group is deleted (REG-87)": {
			[]string{"@floor"}, "floor", func(env *env) { env.deleteGroup("floor") }, states{"lamp#1": muster.Removed}},
		"a group below the target is deleted (REG-87)": {
			[]string{"@house"}, "floor", func(env *env) { env.deleteGroup("floor") }, states{"lamp#1": muster.Removed}},
		"one of two groups is left (REG-85)": {
			[]string{"@house", "@all"}, "floor all", func(env *env) { env.moves("lamp", "", "floor") }, states{"lamp#1": muster.Queued}},
		"one of two groups is deleted (REG-85)": {
			[]string{"@floor", "@all"}, "floor all", func(env *env) { env.deleteGroup("all") }, states{"lamp#1": muster.Queued}},
		"both groups are left (REG-85)": {
			[]string{"@house", "@all"}, "floor all", func(env *env) { env.moves("lamp", "", "floor"); env.moves("lamp", "", "all") }, states{"lamp#1": muster.Removed}},
		"a group is left, but the thing is a target itself (REG-85)": {
			[]string{"@house", "lamp"}, "floor", func(env *env) { env.moves("lamp", "", "floor") }, states{"lamp#1": muster.Queued}},
		"moving below the target changes nothing": {
			[]string{"@house"}, "floor", func(env *env) { env.moves("lamp", "roof", "floor") }, states{"lamp#1": muster.Queued}},
		"moving below the target does not give a done job again": {
			[]string{"@house"}, "floor",
			func(env *env) {
				env.start("lamp")
				env.mustReport("lamp", "fix", muster.Succeeded)
				env.moves("lamp", "roof", "floor")
			},
			states{"lamp#1": muster.Succeeded}},
		"moving from one target to another does not give a done job again (REG-81)": {
			[]string{"@floor", "@roof"}, "floor",
			func(env *env) {
				env.start("lamp")
				env.mustReport("lamp", "fix", muster.Succeeded)
				env.moves("lamp", "roof", "floor")
			},
			states{"lamp#1": muster.Succeeded}},
		"a second target joined does not give a done job again (REG-81)": {
			[]string{"@house", "@all"}, "floor",
			func(env *env) {
				env.start("lamp")
				env.mustReport("lamp", "fix", muster.Succeeded)
				env.moves("lamp", "all", "")
			},
			states{"lamp#1": muster.Succeeded}},
		"the thing is deleted and joins again (REG-86)": {
			[]string{"@house"}, "floor",
			func(env *env) {
				env.deleteThing("lamp")
				env.thing("lamp")
				env.moves("lamp", "floor", "")
			},
			states{"lamp#1": muster.Removed, "lamp#2": muster.Queued}},
		"the thing is deleted and made again, nothing more (REG-86)": {
			[]string{"@house"}, "floor", func(env *env) { env.deleteThing("lamp"); env.thing("lamp") },
			states{"lamp#1": muster.Removed}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp", "bulb")
			env.group("house/floor")
			env.group("house/roof")
			env.group("all")
			env.moves("lamp", test.first, "")
			env.jobOf(muster.Continuous, "fix", test.targets...)
			test.then(env)
			env.settleDown()
			wantStates(t, "in the end", env.states("fix"), test.want)
		})
	}
}

func TestAMoveDuringTheRolloutLosesNobody(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.group("house/floor")
	env.group("house/roof", "lamp")
	in := jobs.NewJob{ID: "fix", Document: "{}", Selection: muster.Continuous, Targets: []muster.Target{{Group: true, Name: "house"}}}
	_, err := env.CreateJob(t.Context(), in)
	noErr(t, "CreateJob", err)
	// The rollout has not begun; the lamp moves to where it would not look again.
	noErr(t, "UpdateThingGroupsForThing", env.move("lamp", "floor", "roof"))
	wantStates(t, "before the rollout", env.states("fix"), map[string]muster.Status{"lamp#1": muster.Queued})
	env.settleDown()
	wantStates(t, "after the rollout", env.states("fix"), map[string]muster.Status{"lamp#1": muster.Queued})
}

func TestSnapshotsDoNotFollowGroups(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "bulb")
	env.group("house/floor", "lamp")
	env.job("fix", "@house")
	noErr(t, "leave", env.move("lamp", "", "floor"))
	noErr(t, "join", env.move("bulb", "floor", ""))
	noErr(t, "DeleteThingGroup", env.DeleteThingGroup(t.Context(), "floor", nil))
	env.settleDown()
	wantStates(t, "a snapshot job (REG-82, REG-84)", env.states("fix"), map[string]muster.Status{"lamp#1": muster.Queued})
}
