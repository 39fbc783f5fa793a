package service

import (
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// TestATargetIsTheOneThatExisted deletes targets of jobs and makes others of
// their names (arbitration A22).
func TestATargetIsTheOneThatExisted(t *testing.T) {
	type states = map[string]muster.Status
	const noon = "cron(0 12 * * ? *)"
	daily := muster.JobConfig{
		Schedule: muster.Schedule{Windows: []muster.MaintenanceWindow{{StartTime: noon, DurationMinutes: 60}}},
		Retry:    []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: 3}},
	}
	slow := muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}}
	remakeGroup := func(env *env, name string) {
		env.pass(1)
		env.deleteGroup(muster.GroupName(name))
		env.pass(1)
		env.group(name)
		env.pass(1)
	}
	remakeThing := func(env *env, name string) {
		env.pass(1)
		env.deleteThing(muster.ThingName(name))
		env.pass(1)
		env.createThing(muster.Thing{Name: muster.ThingName(name)})
		env.pass(1)
	}
	const hour, day = 3600_000, 24 * 3600_000
	for name, test := range map[string]struct {
		selection muster.Selection
		config    muster.JobConfig
		targets   []string
		then      func(env *env)
		want      states
	}{
		"who joins a later group of the name gets nothing": {
			muster.Continuous, muster.JobConfig{}, []string{"@all"},
			func(env *env) { remakeGroup(env, "all"); env.moves("bulb", "all", "") },
			states{"lamp#1": muster.Removed}},
		"nor who joins a group below it": {
			muster.Continuous, muster.JobConfig{}, []string{"@all"},
			func(env *env) { remakeGroup(env, "all"); env.group("all/some", "bulb") },
			states{"lamp#1": muster.Removed}},
		"nor when the rollout has not come to it yet": {
			muster.Continuous, slow, []string{"spot", "@all"},
			func(env *env) { remakeGroup(env, "all"); env.moves("bulb", "all", ""); env.pass(day) },
			states{"spot#1": muster.Queued}},
		"nor in a snapshot, which its members of then still get": {
			muster.Snapshot, slow, []string{"spot", "@all"},
			func(env *env) { env.deleteGroup("all"); env.group("all", "bulb"); env.minutes(3) },
			states{"spot#1": muster.Queued, "lamp#1": muster.Queued}},
		"nor in one that starts later": {
			muster.Snapshot, muster.JobConfig{Schedule: muster.Schedule{StartTime: "2026-12-01 00:00"}}, []string{"@all"},
			func(env *env) { remakeGroup(env, "all"); env.moves("bulb", "all", ""); env.pass(100 * day) },
			states{}},
		"nor when the rollout is in the midst of it": {
			muster.Snapshot, slow, []string{"@two"},
			func(env *env) { env.deleteGroup("two"); env.group("two", "spot"); env.minutes(3) },
			states{"bulb#1": muster.Queued, "lamp#1": muster.Queued}},
		"nor when the group is dynamic": {
			muster.Continuous, muster.JobConfig{}, []string{"@lit"},
			func(env *env) {
				noErr(env.t, "DeleteDynamicThingGroup", env.DeleteDynamicThingGroup(env.t.Context(), "lit", nil))
				env.settleDown()
				env.dynamic("lit", "thingName:*")
			},
			states{"lamp#1": muster.Removed}},
		"nor when it is dynamic and still to be built": {
			muster.Snapshot, slow, []string{"spot", "@lit"},
			func(env *env) {
				noErr(env.t, "DeleteDynamicThingGroup", env.DeleteDynamicThingGroup(env.t.Context(), "lit", nil))
				_, err := env.CreateDynamicThingGroup(env.t.Context(), muster.Group{Name: "lit", Dynamic: &muster.MembershipRule{Query: "thingName:*"}}, nil)
				noErr(env.t, "CreateDynamicThingGroup", err)
				env.minutes(3)
			},
			states{"spot#1": muster.Queued, "lamp#1": muster.Queued}},
		"a later thing of the name gets nothing": {
			muster.Continuous, muster.JobConfig{}, []string{"lamp"},
			func(env *env) { remakeThing(env, "lamp") },
			states{"lamp#1": muster.Removed}},
		"nor when the rollout has not come to it yet, the later thing": {
			muster.Snapshot, slow, []string{"spot", "lamp"},
			func(env *env) { remakeThing(env, "lamp"); env.pass(day) },
			states{"spot#1": muster.Queued}},
		"nor a retry of the one before it": {
			muster.Continuous, daily, []string{"lamp"},
			func(env *env) {
				env.pass(22*hour - 10*60_000) // three minutes past noon
				env.settleDown()
				env.start("lamp")
				env.pass(2 * hour)
				env.settleDown()
				env.mustReport("lamp", "fix", muster.Failed)
				remakeThing(env, "lamp")
				env.pass(22 * hour)
			},
			states{"lamp#1": muster.Failed}},
		"nor what its predecessor joined a group for": {
			muster.Continuous, daily, []string{"@all"},
			func(env *env) {
				env.pass(22*hour - 10*60_000) // three minutes past noon
				env.settleDown()
				env.pass(2 * hour)
				env.settleDown()
				env.moves("bulb", "all", "") // it waits for the window
				remakeThing(env, "bulb")
				env.pass(22 * hour)
			},
			states{"lamp#1": muster.Queued}},
		"the new one can be a target, too": {
			muster.Continuous, muster.JobConfig{}, []string{"@all"},
			func(env *env) {
				remakeGroup(env, "all")
				env.moves("bulb", "all", "")
				env.associate("fix", "@all")
				env.settleDown()
				env.moves("spot", "all", "")
			},
			states{"lamp#1": muster.Removed, "bulb#1": muster.Queued, "spot#1": muster.Queued}},
		"also a thing, whose predecessor has done the job": {
			muster.Continuous, muster.JobConfig{}, []string{"lamp", "@all"},
			func(env *env) {
				env.mustReport("lamp", "fix", muster.Succeeded)
				remakeThing(env, "lamp")
				env.associate("fix", "lamp")
			},
			states{"lamp#1": muster.Succeeded, "lamp#2": muster.Queued}},
		"a thing gets what its predecessor has done, when it joins": {
			muster.Continuous, muster.JobConfig{}, []string{"@all"},
			func(env *env) {
				env.mustReport("lamp", "fix", muster.Succeeded)
				remakeThing(env, "lamp")
				env.moves("lamp", "all", "")
			},
			states{"lamp#1": muster.Succeeded, "lamp#2": muster.Queued}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnvOn(t, newStore(t), Options{SkipSucceeded: true})
			env.indexing(func(c *muster.IndexingConfig) { c.Things = true })
			env.createThing(muster.Thing{Name: "bulb"})
			env.createThing(muster.Thing{Name: "spot"})
			env.createThing(muster.Thing{Name: "lamp", Attributes: map[string]string{"lit": "yes"}})
			env.dynamic("lit", "attributes.lit:yes")
			env.group("all", "lamp")
			env.group("two", "bulb", "lamp")
			env.campaign("fix", test.selection, test.config, test.targets...)
			test.then(env)
			env.settleDown()
			wantStates(t, "in the end", env.states("fix"), test.want)
			problems, err := Verify(t.Context(), env.store)
			noErr(t, "Verify", err)
			for _, p := range problems {
				t.Error(p)
			}
		})
	}
}

func TestListsOfJobsKnowGroupsByTheirID(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.group("all", "lamp")
	env.jobOf(muster.Continuous, "old", "@all")
	env.pass(1)
	env.deleteGroup("all")
	env.group("all")
	env.jobOf(muster.Snapshot, "new", "@all")
	g, err := env.DescribeThingGroup(t.Context(), "all")
	noErr(t, "DescribeThingGroup", err)
	wantJobs := func(when string, f jobs.JobFilter, want ...muster.JobID) {
		t.Helper()
		list, err := env.ListJobs(t.Context(), f, listing.Page{})
		noErr(t, "ListJobs", err)
		var got []muster.JobID
		for _, j := range list.Jobs {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: jobs are %v, want %v", when, got, want)
		}
	}
	wantJobs("by name", jobs.JobFilter{Group: "all"}, "new")
	wantJobs("by id", jobs.JobFilter{GroupID: g.ID}, "new")
	env.associate("old", "@all")
	wantJobs("when it is a target of the older job too", jobs.JobFilter{Group: "all"}, "new", "old")
	if d, err := env.DescribeJob(t.Context(), "old"); err != nil || len(d.Targets) != 2 {
		t.Errorf("the job has the targets %v, %v; want the deleted group and the new one", d.Targets, err)
	}
	env.associate("old", "@all")
	if d, err := env.DescribeJob(t.Context(), "old"); err != nil || len(d.Targets) != 2 {
		t.Errorf("associated again, the job has the targets %v, %v", d.Targets, err)
	}
}

// TestHistoryBelongsToTheThingThatHadIt makes a thing again that has done a job
// (arbitration A26).
func TestHistoryBelongsToTheThingThatHadIt(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.job("old", "lamp")
	env.mustReport("lamp", "old", muster.Succeeded)
	env.job("cut", "lamp")
	env.pass(1)
	env.deleteThing("lamp")
	if _, err := env.ShowExecution(t.Context(), "lamp", "old", nil); err != nil {
		t.Errorf("the history of a thing that is gone: %v", err)
	}
	env.pass(1)
	env.thing("lamp")
	env.job("new", "lamp")

	list, err := env.ExecutionsOfThing(t.Context(), "lamp", jobs.ThingExecutions{}, listing.Page{})
	noErr(t, "ExecutionsOfThing", err)
	if len(list.Executions) != 1 || list.Executions[0].Job != "new" {
		t.Errorf("the new thing has %v, want its own execution", list.Executions)
	}
	for _, job := range []muster.JobID{"old", "cut"} {
		_, err := env.ShowExecution(t.Context(), "lamp", job, nil)
		wantKind(t, "ShowExecution", err, muster.NotFound)
		_, err = env.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: "lamp", Job: job})
		wantKind(t, "DescribeExecution", err, muster.NotFound)
		_, err = env.report("lamp", string(job), muster.InProgress)
		wantKind(t, "UpdateExecution", err, muster.NotFound)
	}
	wantStates(t, "with its job", env.states("old"), map[string]muster.Status{"lamp#1": muster.Succeeded})
	wantStates(t, "with its job", env.states("cut"), map[string]muster.Status{"lamp#1": muster.Removed})
	env.mustReport("lamp", "new", muster.Succeeded)
	if _, err := env.ShowExecution(t.Context(), "lamp", "new", nil); err != nil {
		t.Errorf("its own: %v", err)
	}
	noErr(t, "DeleteExecution", env.DeleteExecution(t.Context(), "lamp", "old", 1, nil, false))
}

func (env *env) associate(job string, names ...string) {
	env.t.Helper()
	_, err := env.AssociateTargets(env.t.Context(), muster.JobID(job), nil, targetsNamed(names), nil)
	noErr(env.t, "AssociateTargets", err)
}
