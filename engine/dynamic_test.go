package engine

import (
	"slices"
	"testing"

	"github.com/muster-iot/muster"
)

// dynamic makes a dynamic group and lets it find its members.
func (env *env) dynamic(name, query string) {
	env.t.Helper()
	_, err := env.CreateDynamicThingGroup(env.t.Context(), muster.Group{Name: muster.GroupName(name), Dynamic: &muster.Membership{Query: query}}, nil)
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
	list, err := env.ListThingsInThingGroup(env.t.Context(), muster.GroupName(group), false, Page{Limit: PageMax})
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
			if _, err := env.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "northern", Dynamic: &muster.Membership{Query: "attributes.site:north"}}, nil); err != nil {
				t.Fatal(err)
			}
			in := NewJob{ID: "job", Document: "{}", Selection: selection, Targets: []muster.Target{{Group: true, Name: "northern"}}, Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 60}}}
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
