package service

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// dynamic makes a dynamic group and lets it find its members.
func (env *env) dynamic(name, query string) {
	env.t.Helper()
	_, err := env.CreateDynamicThingGroup(env.t.Context(), muster.Group{Name: muster.GroupName(name), Dynamic: &muster.MembershipRule{Query: query}}, nil)
	if err != nil {
		env.t.Fatalf("CreateDynamicThingGroup(%s, %s): %v", name, query, err)
	}
	env.settleDown()
}

// register makes things with one attribute.
func (env *env) register(attribute, value string, names ...string) {
	env.t.Helper()
	for _, name := range names {
		if _, err := env.CreateThing(env.t.Context(), muster.Thing{Name: muster.ThingName(name), Attributes: map[string]string{attribute: value}}); err != nil {
			env.t.Fatalf("CreateThing(%s): %v", name, err)
		}
	}
}

// set gives a thing another value of an attribute.
func (env *env) set(thing, attribute, value string) {
	env.t.Helper()
	err := env.UpdateThing(env.t.Context(), muster.ThingName(thing), muster.ThingUpdate{
		Attributes: muster.AttributePayload{Attributes: map[string]string{attribute: value}, Merge: true},
	})
	if err != nil {
		env.t.Fatalf("UpdateThing(%s, %s=%s): %v", thing, attribute, value, err)
	}
}

func (env *env) wantMembers(when, group string, want ...string) {
	env.t.Helper()
	list, err := env.ListThingsInThingGroup(env.t.Context(), muster.GroupName(group), false, listing.Page{Limit: listing.Max})
	if err != nil {
		env.t.Fatalf("ListThingsInThingGroup(%s): %v", group, err)
	}
	var got []string
	for _, name := range list.Things {
		got = append(got, string(name))
	}
	if !slices.Equal(got, want) {
		env.t.Fatalf("%s, group %s has %v, want %v", when, group, got, want)
	}
}

func TestADynamicGroupFollowsAttributes(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a", "b")
	env.register("site", "south", "c")
	env.dynamic("northern", "attributes.site:North")
	env.wantMembers("at first", "northern", "a", "b")
	env.set("c", "site", "north")
	env.set("a", "site", "south")
	env.wantMembers("after two changes", "northern", "b", "c")
	env.register("site", "north", "d")
	env.wantMembers("after a thing was registered", "northern", "b", "c", "d")
	if err := env.DeleteThing(t.Context(), "b", nil); err != nil {
		t.Fatal(err)
	}
	env.wantMembers("after a thing was deleted", "northern", "c", "d")
}

func TestAContinuousJobReachesWhoeverComesToMatch(t *testing.T) {
	env := newEnv(t)
	env.register("fw", "1", "a", "b")
	env.register("fw", "2", "c")
	env.dynamic("old", "attributes.fw<2")
	env.jobOf(muster.Continuous, "upgrade", "@old")
	wantTold(t, "when the job begins", env.told(), "a notify QUEUED[upgrade]", "a next upgrade QUEUED v1", "b notify QUEUED[upgrade]", "b next upgrade QUEUED v1")

	env.set("c", "fw", "1.5")
	wantTold(t, "when c comes to match", env.told(), "c notify QUEUED[upgrade]", "c next upgrade QUEUED v1")
	env.set("b", "fw", "2")
	wantTold(t, "when b no longer matches", env.told(), "b notify ", "b next none")

	env.mustReport("a", "upgrade", muster.InProgress)
	env.set("a", "fw", "2")
	env.mustReport("a", "upgrade", muster.Succeeded)
	counts := env.counts("upgrade")
	if counts.Of(muster.Succeeded) != 1 || counts.Of(muster.Removed) != 1 || counts.Of(muster.Queued) != 1 {
		t.Errorf("the job counts %v; want one each of SUCCEEDED, REMOVED and QUEUED", counts)
	}
}

func TestAJobWaitsForAGroupThatIsBuilding(t *testing.T) {
	for _, selection := range []muster.Selection{muster.Snapshot, muster.Continuous} {
		t.Run(selection.String(), func(t *testing.T) {
			env := newEnv(t)
			names := env.fleet("all", 600)
			for _, name := range names {
				env.set(name, "site", "north")
			}
			if _, err := env.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "northern", Dynamic: &muster.MembershipRule{Query: "attributes.site:north"}}, nil); err != nil {
				t.Fatal(err)
			}
			in := jobs.NewJob{ID: "job", Document: "{}", Selection: selection, Targets: []muster.Target{{Group: true, Name: "northern"}}, Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 60}}}
			if _, err := env.CreateJob(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the index has to be filled first
				if g, err := env.DescribeThingGroup(t.Context(), "northern"); err != nil || g.Dynamic.Status() != "BUILDING" {
					t.Fatalf("the group is %+v, %v; want it BUILDING", g.Dynamic, err)
				}
				if n := env.counts("job").Total(); n != 0 {
					t.Fatalf("the job has %d executions while the group is BUILDING", n)
				}
				env.pass(10)
				if _, err := env.Work(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			env.settleDown()
			if g, err := env.DescribeThingGroup(t.Context(), "northern"); err != nil || g.Dynamic.Status() != "ACTIVE" {
				t.Fatalf("the group is %+v, %v; want it ACTIVE", g.Dynamic, err)
			}
			if n := env.counts("job").Total(); n < 1 || n > 60 {
				t.Fatalf("the job has %d executions after a moment, want those of its rate", n)
			}
			env.minutes(10)
			if n := env.counts("job").Total(); n != 600 {
				t.Errorf("the job has %d executions in the end, want 600", n)
			}
		})
	}
}

func TestADynamicGroupCannotFeedItself(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	env.dynamic("idle", "NOT jobs.work.status:IN_PROGRESS AND thingName:*")
	target := func(group string) []muster.Target { return []muster.Target{{Group: true, Name: group}} }
	_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: "work", Document: "{}", Selection: muster.Continuous, Targets: target("idle")})
	wantKind(t, "CreateJob for a group that asks for the job", err, muster.Invalid)
	if _, err := env.CreateJob(t.Context(), jobs.NewJob{ID: "work", Document: "{}", Targets: target("idle")}); err != nil {
		t.Fatalf("a snapshot gives nobody anything later: %v", err)
	}

	env.dynamic("first", "attributes.site:north")
	env.dynamic("second", "thingGroupNames:first")
	env.jobOf(muster.Continuous, "one", "@second")
	_, err = env.UpdateDynamicThingGroup(t.Context(), "first", muster.GroupUpdate{}, muster.MembershipRule{Query: "jobs.one.status:FAILED"})
	wantKind(t, "UpdateDynamicThingGroup to ask for a job that another group feeds", err, muster.Invalid)
	env.wantMembers("after what was refused", "second", "a")
	env.dynamic("failed", "jobs.one.status:FAILED")
	env.jobOf(muster.Continuous, "two", "@failed")
	_, err = env.AssociateTargets(t.Context(), "two", nil, target("second"), nil)
	if err != nil {
		t.Errorf("AssociateTargets without a circle: %v", err)
	}
	_, err = env.AssociateTargets(t.Context(), "one", nil, target("failed"), nil)
	wantKind(t, "AssociateTargets with a circle", err, muster.Invalid)
}

func TestTheOutcomeOfAJobMovesThings(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a", "b")
	env.job("fw", "a", "b")
	env.dynamic("failed", "jobs.fw.status:(FAILED OR REJECTED)")
	env.jobOf(muster.Continuous, "repair", "@failed")
	env.mustReport("a", "fw", muster.Succeeded)
	env.told()
	env.mustReport("b", "fw", muster.Failed)
	env.wantMembers("after b failed", "failed", "b")
	wantTold(t, "after b failed", env.told(), "b notify QUEUED[repair]", "b next repair QUEUED v1")
}

func TestDynamicGroupsSeeOlderOnes(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	env.register("site", "south", "b")
	env.dynamic("old", "attributes.site:north")
	env.pass(1)
	env.dynamic("middle", "thingGroupNames:old OR thingGroupNames:young")
	env.pass(1)
	env.dynamic("young", "NOT thingGroupNames:middle")
	env.wantMembers("at first", "middle", "a")
	env.wantMembers("at first", "young", "b")
	env.set("b", "site", "north")
	env.wantMembers("after b moved north", "middle", "a", "b")
	env.wantMembers("after b moved north", "young")
}

func TestOneCommandHasOneOutcome(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	env.group("hall", "a")
	env.group("yard")
	env.dynamic("anywhere", "thingGroupNames:(hall OR yard)")
	env.jobOf(muster.Continuous, "job", "@hall", "@anywhere")
	env.told()
	if err := env.UpdateThingGroupsForThing(t.Context(), "a", []muster.GroupName{"yard"}, []muster.GroupName{"hall"}); err != nil {
		t.Fatal(err)
	}
	wantTold(t, "after a move that leaves the thing covered", env.told())
	if got := env.counts("job"); got.Total() != 1 || got.Of(muster.Queued) != 1 {
		t.Errorf("the job counts %v; want the one execution it had", got)
	}
}

func TestAThingThatWasTakenOutIsGivenAJobAgain(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	env.group("hall", "a")
	env.group("yard", "a")
	env.jobOf(muster.Continuous, "job", "@hall")
	if err := env.RemoveThingFromThingGroup(t.Context(), "a", "hall"); err != nil {
		t.Fatal(err)
	}
	if _, err := env.AssociateTargets(t.Context(), "job", nil, []muster.Target{{Group: true, Name: "yard"}}, nil); err != nil {
		t.Fatal(err)
	}
	env.settleDown()
	if got := env.counts("job"); got.Of(muster.Removed) != 1 || got.Of(muster.Queued) != 1 {
		t.Errorf("the job counts %v; want the one that was removed and a new one", got)
	}
}

func TestWhatIsNotForDynamicGroups(t *testing.T) {
	env := newEnvOn(t, newStore(t), Options{DynamicGroupsMax: 2})
	ctx := t.Context()
	env.register("site", "north", "a")
	env.dynamic("d", "*")
	env.group("s", "a")
	env.dynamic("d2", "*")
	_, err := env.CreateDynamicThingGroup(ctx, muster.Group{Name: "d3", Dynamic: &muster.MembershipRule{Query: "*"}}, nil)
	wantKind(t, "CreateDynamicThingGroup beyond the limit", err, muster.LimitExceeded)
	wantKind(t, "AddThingToThingGroup", env.AddThingToThingGroup(ctx, "a", "d"), muster.Invalid)
	wantKind(t, "RemoveThingFromThingGroup", env.RemoveThingFromThingGroup(ctx, "a", "d"), muster.Invalid)
	wantKind(t, "DeleteThingGroup", env.DeleteThingGroup(ctx, "d", nil), muster.Invalid)
	wantKind(t, "DeleteDynamicThingGroup of a static one", env.DeleteDynamicThingGroup(ctx, "s", nil), muster.Invalid)
	_, err = env.UpdateThingGroup(ctx, "d", muster.GroupUpdate{})
	wantKind(t, "UpdateThingGroup", err, muster.Invalid)
	_, err = env.UpdateDynamicThingGroup(ctx, "s", muster.GroupUpdate{}, muster.MembershipRule{})
	wantKind(t, "UpdateDynamicThingGroup of a static one", err, muster.Invalid)
	_, err = env.CreateThingGroup(ctx, muster.Group{Name: "child", Parent: "d"}, nil)
	wantKind(t, "CreateThingGroup below one", err, muster.Invalid)
	if _, err := env.CreatePolicy(ctx, "p", `{"Version":"2012-10-17","Statement":[]}`, nil); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "AttachPolicy", env.AttachPolicy(ctx, "p", rights.PolicyTarget{Group: "d"}), muster.Invalid)
}

// A group whose members are looked for by one process after another, each of
// which does one step.
func TestTheSearchForMembersGoesOnAfterARestart(t *testing.T) {
	s := newStore(t)
	first := newEnvOn(t, s, Options{})
	const n = 3 * stepMax
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("t%04d", i))
	}
	first.register("site", "north", names...)
	first.settleDown()
	if _, err := first.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "northern", Dynamic: &muster.MembershipRule{Query: "attributes.site:north"}}, nil); err != nil {
		t.Fatal(err)
	}
	for steps := 1; ; steps++ {
		env := newEnvOn(t, s, Options{})
		env.firstOfEach()
		g, err := env.DescribeThingGroup(t.Context(), "northern")
		if err != nil {
			t.Fatal(err)
		}
		if !g.Dynamic.Building {
			if steps <= n/stepMax {
				t.Errorf("%d things were looked at in %d steps", n, steps)
			}
			break
		}
		if steps > n {
			t.Fatal("the search never ends")
		}
	}
	if problems, err := Verify(t.Context(), s); err != nil || len(problems) > 0 {
		t.Errorf("Verify: %v, %v", problems, err)
	}
}

func TestManyGroupsAreBuilt(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "a")
	for i := range 3 * buildingMax {
		if _, err := env.CreateDynamicThingGroup(t.Context(), muster.Group{Name: muster.GroupName(fmt.Sprint("g", i)), Dynamic: &muster.MembershipRule{Query: "attributes.site:north"}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	env.settleDown()
	list, err := env.ListThingGroupsForThing(t.Context(), "a", listing.Page{Limit: listing.Max})
	if err != nil || len(list.Groups) != 3*buildingMax {
		t.Errorf("the thing is in %d groups, %v; want %d", len(list.Groups), err, 3*buildingMax)
	}
}
