package service

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// These tests are about small jobs, whose executions are there when the command
// is answered that asked for them (arbitration A21). Nothing in them does
// background work unless it says so.

// order creates a job for targets as env.job takes them, and nothing else.
func (env *env) order(id string, selection muster.Selection, c muster.JobConfig, names ...string) muster.Job {
	env.t.Helper()
	in := jobs.NewJob{ID: muster.JobID(id), Document: "{}", Selection: selection, Config: c}
	for _, name := range names {
		group, isGroup := strings.CutPrefix(name, "@")
		in.Targets = append(in.Targets, muster.Target{Group: isGroup, Name: group})
	}
	j, err := env.CreateJob(env.t.Context(), in)
	noErr(env.t, "CreateJob", err)
	return j
}

// fill puts things t<from> to t<to> into a group; they may be in others.
func (env *env) fill(group string, from, to int) {
	env.t.Helper()
	for i := from; i < to; i++ {
		name := fmt.Sprintf("t%03d", i)
		env.thing(name)
		noErr(env.t, "AddThingToThingGroup", env.AddThingToThingGroup(env.t.Context(), muster.ThingName(name), muster.GroupName(group)))
	}
}

// apart makes groups that are in one hierarchy each, and returns them as targets.
func (env *env) apart(n int) []string {
	env.t.Helper()
	var names []string
	for i := range n {
		name := fmt.Sprintf("apart%02d", i)
		env.group(name)
		names = append(names, "@"+name)
	}
	return names
}

func TestASmallJobIsThereWhenItIsAnswered(t *testing.T) {
	perMinute := func(n int) muster.JobConfig {
		return muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: n}}
	}
	group := func(n int) func(*env) []string {
		return func(env *env) []string { env.group("all"); env.fill("all", 0, n); return []string{"@all"} }
	}
	for _, test := range []struct {
		name   string
		o      Options
		config muster.JobConfig
		make   func(*env) []string
		want   int64
	}{
		{"one thing", Options{}, muster.JobConfig{}, func(env *env) []string { env.thing("lamp"); return []string{"lamp"} }, 1},
		{"a hundred things", Options{}, muster.JobConfig{}, func(env *env) []string {
			var names []string
			for i := range 100 {
				names = append(names, fmt.Sprint("lamp", i))
			}
			env.thing(names...)
			return names
		}, 100},
		{"128 of a group", Options{}, muster.JobConfig{}, group(128), 128},
		{"129 of a group", Options{}, muster.JobConfig{}, group(129), 0},
		{"128 of a hierarchy", Options{}, muster.JobConfig{}, func(env *env) []string {
			env.group("top/middle/low")
			for i, part := range []string{"top", "middle", "low"} {
				env.fill(part, i*40, (i+1)*40)
			}
			for i := range 8 {
				child := muster.Group{Name: muster.GroupName(fmt.Sprint("child", i)), Parent: "top"}
				_, err := env.CreateThingGroup(env.t.Context(), child, nil)
				noErr(env.t, "CreateThingGroup", err)
				env.fill(string(child.Name), 120+i, 121+i)
			}
			return []string{"@top"}
		}, 128},
		{"129 of a hierarchy", Options{}, muster.JobConfig{}, func(env *env) []string {
			env.group("top/low")
			env.fill("top", 0, 100)
			env.fill("low", 100, 129)
			return []string{"@top"}
		}, 0},
		{"the same things in many groups, some of which are empty", Options{}, muster.JobConfig{}, func(env *env) []string {
			groups := env.apart(10)
			for i := range 5 {
				env.fill(strings.TrimPrefix(groups[2*i], "@"), 0, 128)
			}
			return groups
		}, 128},
		{"a thing, and the group that it is in", Options{}, muster.JobConfig{}, func(env *env) []string {
			return append(group(128)(env), "t000")
		}, 128},
		{"one a minute", Options{}, perMinute(1), group(10), 1},
		{"59 a minute", Options{}, perMinute(59), group(10), 1},
		{"119 a minute", Options{}, perMinute(119), group(10), 1},
		{"240 a minute", Options{}, perMinute(240), group(10), 4},
		{"600 a minute", Options{}, perMinute(600), group(9), 9},
		{"7680 a minute", Options{}, perMinute(7680), group(128), 128},
		{"100,000 a minute, some in groups that are empty", Options{}, perMinute(100_000), func(env *env) []string {
			groups := env.apart(5)
			env.fill("apart01", 0, 64)
			env.fill("apart03", 64, 128)
			return groups
		}, 128},
		{"240 a minute, of 129", Options{}, perMinute(240), group(129), 0},
		{"an exponential rate", Options{}, muster.JobConfig{Rollout: muster.RolloutConfig{
			Exponential: &muster.ExponentialRate{BasePerMinute: 180, Factor: 2, NotifiedThings: 1}}}, group(10), 3},
		{"the rate of the server", Options{RolloutPerMinute: 300}, muster.JobConfig{}, group(10), 5},
		{"a window that is open", Options{}, muster.JobConfig{Schedule: muster.Schedule{
			Windows: []muster.MaintenanceWindow{{StartTime: "cron(* * * * ? *)", DurationMinutes: 10}}}}, group(10), 10},
		{"a window that is closed", Options{}, muster.JobConfig{Schedule: muster.Schedule{
			Windows: []muster.MaintenanceWindow{{StartTime: "cron(0 0 1 1 ? *)", DurationMinutes: 1}}}}, group(10), 0},
		{"a start that has to come", Options{}, muster.JobConfig{Schedule: muster.Schedule{
			StartTime: testEpoch.Minutes(60).Time().Format("2006-01-02 15:04")}}, group(10), 0},
		{"a turn that is free", Options{Limits: jobs.Limits{ConcurrentJobs: 1}}, muster.JobConfig{}, group(10), 10},
		{"a turn that is not", Options{Limits: jobs.Limits{ConcurrentJobs: 1}}, muster.JobConfig{}, func(env *env) []string {
			targets := group(10)(env)
			env.order("before", muster.Snapshot, perMinute(1), targets...)
			return targets
		}, 0},
		{"a dynamic group", Options{}, muster.JobConfig{}, func(env *env) []string {
			env.register("site", "north", "a", "b", "c")
			env.dynamic("northern", "attributes.site:north")
			return []string{"@northern"}
		}, 3},
		{"a dynamic group that is BUILDING", Options{}, muster.JobConfig{}, func(env *env) []string {
			env.register("site", "north", "a", "b", "c")
			_, err := env.CreateDynamicThingGroup(env.t.Context(), muster.Group{Name: "northern", Dynamic: &muster.MembershipRule{Query: "attributes.site:north"}}, nil)
			noErr(env.t, "CreateDynamicThingGroup", err)
			return []string{"@northern"}
		}, 0},
		{"nobody at all", Options{}, muster.JobConfig{}, group(0), 0},
	} {
		for _, selection := range []muster.Selection{muster.Snapshot, muster.Continuous} {
			if len(test.config.Schedule.Windows) > 0 && selection == muster.Snapshot {
				continue // only continuous jobs have windows
			}
			t.Run(test.name+" "+selection.String(), func(t *testing.T) {
				env := newEnvOn(t, newStore(t), test.o)
				env.order("job", selection, test.config, test.make(env)...)
				if got := env.counts("job"); got != (muster.Counts{}).Add(muster.Queued, test.want) {
					t.Errorf("when CreateJob has answered the job counts %v, want %d QUEUED", got, test.want)
				}
				if problems, err := Verify(t.Context(), env.store); err != nil || len(problems) > 0 {
					t.Errorf("Verify = %v, %v", problems, err)
				}
			})
		}
	}
}

// What the command does is what the first step of background work would have
// done: no test of the job can tell when it is asked later.
func TestASmallJobIsLikeOneRolledOutInTheBackground(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp", "pump")
	env.group("all", "lamp")
	if j := env.order("nobody", muster.Snapshot, muster.JobConfig{}, func() string { env.group("none"); return "@none" }()); j.Status != muster.JobCompleted {
		t.Errorf("CreateJob for nobody answers a job that is %s, want COMPLETED", j.Status)
	}
	if j := env.order("once", muster.Snapshot, muster.JobConfig{}, "@all", "pump"); j.Status != muster.JobInProgress || j.Concurrent() || len(j.Processing()) > 0 {
		t.Errorf("CreateJob answers %+v, want a job that is rolled out", j)
	}
	env.write(func(store.Tx) {}) // answered after what was answered before has been told
	env.mu.Lock()
	notes := env.notes
	env.mu.Unlock()
	want := []string{"lamp notify QUEUED[once]", "lamp next once QUEUED v1", "pump notify QUEUED[once]", "pump next once QUEUED v1"}
	wantTold(t, "when CreateJob has answered", notes, want...)
	env.told()
	if d := env.start("lamp"); d.Execution == nil || d.Execution.Job != "once" {
		t.Errorf("start-next gives %+v", d.Execution)
	}
	env.order("slow", muster.Snapshot, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 60}}, "@all", "pump")
	wantTold(t, "when CreateJob of a slow job has answered", env.told(), "lamp notify IN_PROGRESS[once]QUEUED[slow]")
	env.pass(999)
	if got := env.queued("slow"); got != 1 {
		t.Errorf("within a second the slow job was given to %d things", got)
	}
	env.pass(1)
	wantTold(t, "a second later", env.told(), "pump notify QUEUED[once,slow]")
	env.mustReport("pump", "once", muster.Succeeded)
	env.mustReport("lamp", "once", muster.Succeeded)
	if got := env.jobStatus("once"); got != muster.JobCompleted {
		t.Errorf("when both have ended the job is %s", got)
	}
}

// However large a fleet is, a command that makes a job for it looks at a few
// members only.
func TestALargeJobCostsItsCommandLittle(t *testing.T) {
	cost := map[int]int{}
	for _, n := range []int{200, 2000} {
		s := &counting{Store: memstore.New()}
		env := newEnvOnJust(t, s, Options{}) // not made to run transactions again, which are counted
		env.group("all")
		env.fill("all", 0, n)
		env.group("below/deep")
		s.n = 0
		env.order("job", muster.Snapshot, muster.JobConfig{}, "@below", "@all")
		cost[n] = s.n
		if got := env.counts("job").Total(); got != 0 {
			t.Errorf("a job for %d things has %d executions when it is answered", n, got)
		}
	}
	if cost[2000] > cost[200]+10 {
		t.Errorf("CreateJob touches %d records for 200 things and %d for 2000", cost[200], cost[2000])
	}
}

// A hierarchy of empty groups is looked at in the background.
func TestAJobForManyEmptyGroupsIsNotSmall(t *testing.T) {
	env := newEnv(t)
	env.group("top")
	parent := muster.GroupName("top")
	for i := range smallLooks + 10 {
		child := muster.GroupName(fmt.Sprint("child", i))
		_, err := env.CreateThingGroup(t.Context(), muster.Group{Name: child, Parent: parent}, nil)
		noErr(t, "CreateThingGroup", err)
		if i%50 == 0 {
			parent = "top"
		}
		if i%50 == 1 {
			parent = child
		}
	}
	env.thing("lamp")
	if j := env.order("job", muster.Snapshot, muster.JobConfig{}, "@top", "lamp"); j.Rollout.Done || env.queued("job") != 0 {
		t.Errorf("CreateJob answers %+v", j.Rollout)
	}
	env.settleDown()
	if got := env.queued("job"); got != 1 {
		t.Errorf("in the end %d things have the job, want 1", got)
	}
}

func TestWhoComesUnderAContinuousJobHasItWhenItIsAnswered(t *testing.T) {
	add := func(thing, group string) func(*env) error {
		return func(env *env) error {
			return env.AddThingToThingGroup(env.t.Context(), muster.ThingName(thing), muster.GroupName(group))
		}
	}
	targets := func(names ...string) func(*env) error {
		return func(env *env) error {
			var all []muster.Target
			for _, name := range names {
				group, isGroup := strings.CutPrefix(name, "@")
				all = append(all, muster.Target{Group: isGroup, Name: group})
			}
			_, err := env.AssociateTargets(env.t.Context(), "job", nil, all, nil)
			return err
		}
	}
	for _, test := range []struct {
		name string
		do   func(*env) error
		want int64
	}{
		{"AddThingToThingGroup", add("lamp", "all"), 1},
		{"AddThingToThingGroup of a group below", add("lamp", "low"), 1},
		{"UpdateThingGroupsForThing", func(env *env) error {
			return env.UpdateThingGroupsForThing(env.t.Context(), "lamp", []muster.GroupName{"low"}, []muster.GroupName{"other"})
		}, 1},
		{"CreateThing that matches", func(env *env) error { env.register("site", "north", "new"); return nil }, 1},
		{"UpdateThing that comes to match", func(env *env) error { env.set("c", "site", "north"); return nil }, 1},
		{"AssociateTargets of a thing", targets("lamp"), 1},
		{"AssociateTargets of groups", targets("@other", "lamp", "@big"), 121},
		{"AssociateTargets of more than are small", targets("@big", "@bigger"), 0},
		{"AssociateTargets of a target that it has", targets("@all"), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := newEnv(t)
			env.thing("lamp", "pump", "heater")
			env.register("site", "south", "c")
			env.group("all/low")
			env.group("other", "pump")
			env.group("big")
			env.fill("big", 0, 119)
			env.group("bigger")
			env.fill("bigger", 119, 129)
			env.dynamic("northern", "attributes.site:north")
			env.order("job", muster.Continuous, muster.JobConfig{}, "@all", "@northern")
			noErr(t, test.name, test.do(env))
			if got := env.queued("job"); got != test.want {
				t.Errorf("when it is answered %d things have the job, want %d", got, test.want)
			}
		})
	}
}

func TestATargetThatIsAddedGoesAtTheRate(t *testing.T) {
	env := newEnv(t)
	env.group("all")
	env.fill("all", 0, 20)
	env.group("more")
	env.fill("more", 20, 40)
	env.order("job", muster.Continuous, muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 300}}, "@all")
	more := []muster.Target{{Group: true, Name: "more"}}
	_, err := env.AssociateTargets(t.Context(), "job", nil, more, nil)
	noErr(t, "AssociateTargets", err)
	if got := env.queued("job"); got != 5 {
		t.Errorf("%d things have the job, want those of the first slice", got)
	}
	for range 40 {
		env.pass(250)
		env.settleDown()
	}
	if got := env.queued("job"); got != 40 {
		t.Fatalf("after 10 seconds %d things have the job, want 40", got)
	}
	env.group("last")
	env.fill("last", 40, 50)
	env.pass(60_000)
	_, err = env.AssociateTargets(t.Context(), "job", nil, []muster.Target{{Group: true, Name: "last"}}, nil)
	noErr(t, "AssociateTargets", err)
	if got := env.queued("job"); got != 45 {
		t.Errorf("a minute later %d things have the job, want a first slice of 5 more", got)
	}
	env.settleDown()
	env.pass(10_000)
	env.settleDown()
	noErr(t, "UpdateJob", env.UpdateJob(t.Context(), "job", nil, jobs.JobChange{Rollout: &muster.RolloutConfig{MaximumPerMinute: 480}}))
	env.group("fast")
	env.fill("fast", 60, 70)
	env.pass(60_000)
	_, err = env.AssociateTargets(t.Context(), "job", nil, []muster.Target{{Group: true, Name: "fast"}}, nil)
	noErr(t, "AssociateTargets", err)
	if got := env.queued("job"); got != 58 {
		t.Errorf("after the rate was raised and a minute passed %d things have the job, want a first slice of 8 more", got)
	}
	env.settleDown()
	env.pass(10_000)
	env.settleDown()
	noErr(t, "SetJobOptions", env.SetJobOptions(t.Context(), "job", jobs.JobOptions{PaceJoiners: true}))
	env.thing("lamp")
	env.pass(60_000)
	_, err = env.AssociateTargets(t.Context(), "job", nil, []muster.Target{{Name: "lamp"}}, nil)
	noErr(t, "AssociateTargets", err)
	if got := env.queued("job"); got != 60 {
		t.Errorf("a job that paces its joiners went to %d things before its background work", got)
	}
	env.settleDown()
	env.pass(10_000)
	env.settleDown()
	if got := env.queued("job"); got != 61 {
		t.Errorf("in the end %d things have the job, want 61", got)
	}
}
