package service

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// place returns where "job" is for a thing now.
func (env *env) place(thing muster.ThingName) jobs.Place {
	env.t.Helper()
	var p jobs.Place
	noErr(env.t, "View", env.Commits.View(env.t.Context(), func(view store.Reader) error {
		r := jobs.Read(env.Service.Jobs, view)
		s, err := r.Standing("job")
		if err != nil {
			return err
		}
		t, err := registry.Lookup{}.Thing(view, thing)
		if err != nil {
			return err
		}
		latest, err := r.LatestOn(s.Job, thing, t)
		if err == nil {
			p, err = r.Place(s, t, latest)
		}
		return err
	}))
	return p
}

// Each thing of a rollout is told how many come before it, as long as it has not been given the job.
func TestThePlaceOfAThingIsThatInTheRollout(t *testing.T) {
	env := newEnv(t)
	env.group("all")
	env.joins(0, 150)
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "job", Document: "{}", Targets: []muster.Target{{Group: true, Name: "all"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 50}},
	})
	noErr(t, "CreateJob", err)
	env.pass(1)
	env.joins(150, 151)
	for range 3 {
		env.settleDown()
		queued := int(env.counts("job").Of(muster.Queued))
		for i := range 150 {
			thing := muster.ThingName(fmt.Sprintf("t%03d", i))
			p := env.place(thing)
			if i < queued && p.Coverage != jobs.Reached {
				t.Errorf("%d have the job, and %s is %+v", queued, thing, p)
			}
			if i >= queued && (p.Coverage != jobs.NotReached || p.Ahead != i-queued || p.AtLeast || p.About) {
				t.Errorf("%d have the job, and %s is %+v, want %d before it", queued, thing, p, i-queued)
			}
		}
		env.minutes(1)
	}
	if p := env.place("t150"); p.Coverage != jobs.JoinedLate || p.Target == nil || p.Joined == 0 {
		t.Errorf("a thing that joined after the snapshot: %+v", p)
	}
	env.thing("apart")
	if p := env.place("apart"); p.Coverage != jobs.NotCovered {
		t.Errorf("a thing in no target: %+v", p)
	}
}

func TestThePlaceOfAJoinerIsThatInItsPace(t *testing.T) {
	env := paced(t, 60)
	env.joins(0, 20)
	for range 3 {
		env.settleDown()
		queued := int(env.counts("job").Of(muster.Queued))
		if p := env.place("t019"); p.Coverage != jobs.JoinWaits || p.Ahead != 19-queued {
			t.Fatalf("%d of 20 joiners have the job, and the last one is %+v", queued, p)
		}
		env.pass(1000)
	}
	noErr(t, "RemoveThingFromThingGroup", env.RemoveThingFromThingGroup(t.Context(), "t000", "all"))
	if p := env.place("t000"); p.Coverage != jobs.Left {
		t.Errorf("one that has left with an execution: %+v", p)
	}
}

// A rollout takes a group before those below it, and these by level and name.
func TestThePlaceInAHierarchyIsThatOfTheWalk(t *testing.T) {
	env := newEnv(t)
	env.group("root")
	env.group("root/b")
	env.group("root/a")
	env.group("root/a/below")
	order := []struct{ thing, group string }{{"z", "root"}, {"y", "a"}, {"a", "b"}, {"b", "b"}, {"0", "below"}}
	for _, o := range order {
		env.thing(o.thing)
		noErr(t, "AddThingToThingGroup", env.AddThingToThingGroup(t.Context(), muster.ThingName(o.thing), muster.GroupName(o.group)))
	}
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "job", Document: "{}", Targets: []muster.Target{{Group: true, Name: "root"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 1}},
	})
	noErr(t, "CreateJob", err)
	for reached := 1; reached <= len(order); reached++ {
		env.settleDown()
		for i, o := range order {
			p := env.place(muster.ThingName(o.thing))
			switch {
			case i < reached && p.Coverage != jobs.Reached:
				t.Errorf("after %d: %s is %+v, want reached", reached, o.thing, p)
			case i >= reached && (p.Coverage != jobs.NotReached || p.Ahead != i-reached):
				t.Errorf("after %d: %s is %+v, want %d before it", reached, o.thing, p, i-reached)
			}
		}
		env.minutes(1)
	}
}

// A thing that is not in a dynamic group is told which term of the query fails on which of its values.
func TestWhyAThingIsOutsideADynamicGroup(t *testing.T) {
	env := newEnv(t)
	env.indexing(func(c *muster.IndexingConfig) { c.Things = true })
	env.settleDown()
	thing, err := env.CreateThing(t.Context(), muster.Thing{Name: "lamp", Attributes: map[string]string{"fw": "1.9"}})
	noErr(t, "CreateThing", err)
	for query, want := range map[string]*registry.Outside{
		"thingName:lamp AND attributes.fw:2*": {Query: "thingName:lamp AND attributes.fw:2*", Fails: "attributes.fw:2*", Has: "1.9"},
		"attributes.site:north":               {Query: "attributes.site:north", Fails: "attributes.site:north"},
		"thingName:l*":                        nil,
	} {
		g := muster.Group{Name: "group", Dynamic: &muster.MembershipRule{Query: query, Index: muster.ThingIndex, Version: fleetquery.Version}}
		noErr(t, "View", env.Commits.View(t.Context(), func(r store.Reader) error {
			got, err := registry.Lookup{}.Outside(r, thing, g)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", query, got, want)
			}
			return err
		}))
	}
}

// The search for the members of a dynamic group tells how far it is.
func TestHowFarADynamicGroupIsBuilt(t *testing.T) {
	env := newEnvOnJust(t, memstore.New(), Options{})
	env.thing(fleetNames(2500)...)
	env.indexing(func(c *muster.IndexingConfig) { c.Things = true })
	began := env.clock()
	_, err := env.CreateDynamicThingGroup(t.Context(), muster.Group{Name: "group", Dynamic: &muster.MembershipRule{Query: "thingName:t*"}}, nil)
	noErr(t, "CreateDynamicThingGroup", err)
	env.pass(1000)
	last, since := 0, muster.Instant(0)
	for more := true; more; {
		agenda, err := env.Work(t.Context())
		noErr(t, "Work", err)
		more = agenda.More
		var n int
		noErr(t, "View", env.Commits.View(t.Context(), func(r store.Reader) (err error) {
			if n, since, err = (registry.Lookup{}).Looked(r, "group"); n > 0 && (n < last || since != began) {
				t.Errorf("it has looked at %d things since %d, after %d; it began at %d", n, since, last, began)
			}
			return err
		}))
		last = max(last, n)
	}
	if last < 1000 || last >= 2500 || since != 0 {
		t.Errorf("it told of %d things at most, and in the end of one since %d", last, since)
	}
}

// What a device has to get in is its certificates, with the policies in force.
func TestTheCredentialsOfAThing(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.group("site/hall", "lamp")
	const first, second = "a", "b"
	env.certificate(first, muster.CertificateActive)
	env.certificate(second, muster.CertificateInactive)
	for _, name := range []string{"own", "site"} {
		_, err := env.CreatePolicy(t.Context(), name, "{}", nil)
		noErr(t, "CreatePolicy", err)
	}
	for _, id := range []muster.CertificateID{first, second} {
		noErr(t, "AttachPrincipal", env.AttachPrincipal(t.Context(), "lamp", id, muster.Attachment{}))
	}
	noErr(t, "AttachPolicy", env.AttachPolicy(t.Context(), "own", rights.PolicyTarget{Certificate: first}))
	noErr(t, "AttachPolicy", env.AttachPolicy(t.Context(), "site", rights.PolicyTarget{Group: "site"}))
	noErr(t, "View", env.Commits.View(t.Context(), func(r store.Reader) error {
		in, err := registry.Lookup{}.GroupsOf(r, "lamp")
		if err != nil {
			return err
		}
		all, err := rights.CredentialsOf(r, "lamp", in, 10)
		got := fmt.Sprint(len(all))
		for _, c := range all {
			got += fmt.Sprint(" ", c.ID == first, c.Status, c.Policies)
		}
		if want := "2 true ACTIVE [own site] false INACTIVE [site]"; err == nil && got != want {
			t.Errorf("the certificates are %s, want %s", got, want)
		}
		if all, err := rights.CredentialsOf(r, "lamp", in, 1); err == nil && len(all) != 1 {
			t.Errorf("of at most one there are %d", len(all))
		}
		return err
	}))
}

// What executions took is told once a few have ended.
func TestWhatExecutionsTook(t *testing.T) {
	env := newEnv(t)
	env.group("all")
	env.joins(0, 10)
	_, err := env.CreateJob(t.Context(), jobs.NewJob{ID: "job", Document: "{}", Targets: []muster.Target{{Group: true, Name: "all"}}})
	noErr(t, "CreateJob", err)
	for i := range 10 {
		thing := muster.ThingName(fmt.Sprintf("t%03d", i))
		env.pass(1000)
		env.start(string(thing))
		env.pass(int64(i) * 60_000)
		env.mustReport(string(thing), "job", muster.Succeeded)
		var took jobs.Times
		noErr(t, "View", env.Commits.View(t.Context(), func(r store.Reader) (err error) {
			took, err = jobs.Read(env.Service.Jobs, r).Times("job")
			return err
		}))
		switch {
		case took.Sample != i+1:
			t.Errorf("after %d it rests on %d", i+1, took.Sample)
		case i < 4 && took.Work90 != 0:
			t.Errorf("after %d nine of ten took %d", i+1, took.Work90)
		case i == 9 && (took.Work90 != 8*60_000 || took.ToStart == 0 || took.Work99 < took.Work90):
			t.Errorf("after 10 of 0 to 9 minutes: %+v, want 8 minutes for nine of ten", took)
		}
	}
}
