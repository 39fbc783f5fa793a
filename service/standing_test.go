package service

import (
	"fmt"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// place returns where "job" is for a thing now.
func (env *env) place(thing muster.ThingName) jobs.Place {
	env.t.Helper()
	var p jobs.Place
	now := env.clock()
	noErr(env.t, "View", env.Commits.View(env.t.Context(), func(view store.Reader) error {
		r := jobs.Read(env.Service.Jobs, view)
		s, err := r.Standing("job", now)
		if err != nil {
			return err
		}
		t, err := registry.Lookup{}.Thing(view, thing)
		if err != nil {
			return err
		}
		latest, err := r.LatestOn(s.Job, thing, t, now)
		if err == nil {
			p, err = r.Place(s, t, latest, now)
		}
		return err
	}))
	return p
}

// until lets time pass up to an instant, and does what is due when it is.
func (env *env) until(at muster.Instant) {
	env.t.Helper()
	for {
		env.settleDown()
		agenda, err := env.Work(env.t.Context())
		noErr(env.t, "Work", err)
		if agenda.Next == 0 || agenda.Next > at {
			break
		}
		env.pass(int64(agenda.Next - env.clock()))
	}
	env.pass(int64(at - env.clock()))
	env.settleDown()
}

// Each thing of a rollout is told how many come before it and when it is its turn, and then it is.
func TestThePlaceOfAThingIsWhenTheRolloutReachesIt(t *testing.T) {
	env := newEnv(t)
	env.group("all")
	env.joins(0, 150)
	_, err := env.CreateJob(t.Context(), jobs.NewJob{
		ID: "job", Document: "{}", Targets: []muster.Target{{Group: true, Name: "all"}},
		Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 100}},
	})
	noErr(t, "CreateJob", err)
	env.pass(1)
	env.joins(150, 151)
	for _, i := range []int{1, 30, 149} {
		env.settleDown()
		thing := muster.ThingName(fmt.Sprintf("t%03d", i))
		p := env.place(thing)
		if p.Coverage != jobs.NotReached || !p.AtIsExact {
			t.Fatalf("%s: %+v, want one that is not reached and whose turn is known", thing, p)
		}
		if queued := env.counts("job").Of(muster.Queued); queued != int64(i-p.Ahead) {
			t.Errorf("%s has %d before it, and %d have the job", thing, p.Ahead, queued)
		}
		env.until(p.At - 1)
		if p := env.place(thing); p.Coverage != jobs.NotReached {
			t.Errorf("%s a millisecond before its turn: %+v", thing, p)
		}
		env.pass(1)
		env.settleDown()
		if p := env.place(thing); p.Coverage != jobs.Reached {
			t.Errorf("%s at its turn: %+v", thing, p)
		}
	}
	if p := env.place("t150"); p.Coverage != jobs.JoinedLate || p.Target == nil {
		t.Errorf("a thing that joined after the snapshot: %+v", p)
	}
	env.thing("apart")
	if p := env.place("apart"); p.Coverage != jobs.NotCovered {
		t.Errorf("a thing in no target: %+v", p)
	}
}

func TestThePlaceOfAJoinerIsWhenThePaceReachesIt(t *testing.T) {
	env := paced(t, 60)
	env.joins(0, 20)
	env.settleDown()
	p := env.place("t019")
	if p.Coverage != jobs.JoinWaits || p.Ahead != 18 {
		t.Fatalf("the last of 20 joiners: %+v, want 18 before it", p)
	}
	env.until(p.At - 1)
	if again := env.place("t019"); again.Coverage != jobs.JoinWaits || again.At != p.At {
		t.Errorf("a millisecond before its turn: %+v, want the same instant %d", again, p.At)
	}
	env.pass(1)
	env.settleDown()
	if p := env.place("t019"); p.Coverage != jobs.Reached {
		t.Errorf("at its turn: %+v", p)
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
