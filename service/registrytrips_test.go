package service

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
)

// some returns the names of n things.
func some(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("t%02d", i))
	}
	return names
}

// costs fails the test unless do, which must succeed, makes n round trips.
func (env *env) costs(trips *teststore.Trips, n int, what string, do func() error) {
	env.t.Helper()
	trips.Want(env.t, n, what, func() { noErr(env.t, what, do()) })
}

func TestRoundTripsOfGroups(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnv(t)
	ctx := t.Context()
	env.register("a", "1", "lamp", "door")
	env.register("a", "1", some(30)...)
	env.group("idle")
	env.group("root/plain", some(30)...)
	env.group("site/floor")
	env.jobOf(muster.Continuous, "job1", "@site")
	env.jobOf(muster.Continuous, "job2", "@floor")
	add := func(thing, group string) func() error {
		return func() error {
			return env.AddThingToThingGroup(ctx, muster.ThingName(thing), muster.GroupName(group))
		}
	}
	remove := func(thing, group string) func() error {
		return func() error {
			return env.RemoveThingFromThingGroup(ctx, muster.ThingName(thing), muster.GroupName(group))
		}
	}
	env.costs(trips, 3, "AddThingToThingGroup", add("lamp", "idle"))
	env.costs(trips, 3, "AddThingToThingGroup of a thing that is in another group", add("lamp", "plain"))
	env.costs(trips, 3, "RemoveThingFromThingGroup", remove("lamp", "plain"))
	env.costs(trips, 4, "AddThingToThingGroup with two jobs", add("lamp", "floor"))
	env.costs(trips, 5, "RemoveThingFromThingGroup with two jobs", remove("lamp", "floor"))
	env.costs(trips, 2, "ListThingGroupsForThing", func() error {
		_, err := env.ListThingGroupsForThing(ctx, "lamp", listing.Page{})
		return err
	})

	for _, name := range some(30) {
		noErr(t, "AddThingToThingGroup", add(name, "floor")())
	}
	env.costs(trips, 5, "DeleteThingGroup with 30 things", func() error { return env.DeleteThingGroup(ctx, "plain", nil) })
	env.costs(trips, 6, "DeleteThingGroup with 30 things and two jobs", func() error { return env.DeleteThingGroup(ctx, "floor", nil) })

	env.costs(trips, 2, "UpdateThing", func() error { env.set("lamp", "a", "2"); return nil })
	env.group("site/one", "lamp", "t00")
	env.group("site/two", "t01")
	env.costs(trips, 5, "a list of the things in a group and below it", func() error {
		_, err := env.ListThingsInThingGroup(ctx, "site", true, listing.Page{})
		return err
	})
	env.createType(muster.ThingType{Name: "bulb"})
	for _, name := range some(20) {
		env.createThing(muster.Thing{Name: muster.ThingName("bulb-" + name), Type: "bulb"})
	}
	env.costs(trips, 2, "a list of 20 things of a type", func() error {
		_, err := env.ListThings(ctx, registry.ThingFilter{Type: "bulb"}, listing.Page{})
		return err
	})
	env.costs(trips, 1, "a list of the groups below another", func() error {
		_, err := env.ListThingGroups(ctx, registry.GroupFilter{Parent: "site"}, listing.Page{})
		return err
	})
	env.costs(trips, 3, "DeleteThing", func() error { return env.DeleteThing(ctx, "door", nil) })
	env.costs(trips, 3, "DeleteThing with two groups and a job", func() error { return env.DeleteThing(ctx, "lamp", nil) })
}

func TestRoundTripsOfDynamicGroups(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnv(t)
	ctx := t.Context()
	env.register("a", "1", some(30)...)
	env.group("idle", some(30)...)
	env.dynamic("other", "attributes.a:9 OR connectivity.connected:true")
	step := func() error { return env.Commits.Background(ctx, env.stepsOf(env.Registry)[:1]) }
	withoutLook := func(what string, n int) {
		t.Helper()
		steps := env.stepsOf(env.Registry)
		env.costs(trips, n, what, func() error { return env.Commits.Background(ctx, steps[:1]) })
	}
	env.costs(trips, 4, "CreateDynamicThingGroup", func() error {
		_, err := env.CreateDynamicThingGroup(ctx, muster.Group{Name: "dyn", Dynamic: &muster.MembershipRule{Query: "attributes.a:1"}}, nil)
		return err
	})
	noErr(t, "the search for members that must leave", step())
	withoutLook("the search for 30 members", 9)
	env.settleDown()

	env.jobOf(muster.Continuous, "job1", "@dyn")
	env.costs(trips, 2, "CreateThing without a group", func() error { env.register("a", "3", "idler"); return nil })
	env.costs(trips, 4, "CreateThing that joins a group with a job", func() error { env.register("a", "1", "new"); return nil })
	env.costs(trips, 5, "UpdateThing that leaves it", func() error { env.set("new", "a", "2"); return nil })
	env.costs(trips, 4, "UpdateThing that joins it", func() error { env.set("new", "a", "1"); return nil })
	env.costs(trips, 3, "UpdateThing that stays", func() error { env.set("new", "b", "1"); return nil })
	env.costs(trips, 4, "SearchIndex that finds 31 things", func() error {
		_, err := env.SearchIndex(ctx, registry.IndexQuery{Text: "attributes.a:1"}, listing.Page{})
		return err
	})
	env.costs(trips, 4, "Aggregate of 31 things", func() error {
		_, err := env.Aggregate(ctx, registry.IndexQuery{Text: "attributes.a:1"}, "thingGroupNames")
		return err
	})

	env.costs(trips, 5, "UpdateDynamicThingGroup", func() error {
		_, err := env.UpdateDynamicThingGroup(ctx, "dyn", muster.GroupUpdate{}, muster.MembershipRule{Query: "attributes.a:2"})
		return err
	})
	withoutLook("the search that makes 31 things leave", 7)
	env.settleDown()
	env.costs(trips, 5, "DeleteDynamicThingGroup", func() error { return env.DeleteDynamicThingGroup(ctx, "dyn", nil) })

	noErr(t, "UpdateIndexingConfiguration", env.UpdateIndexingConfiguration(ctx, func(c muster.IndexingConfig) muster.IndexingConfig {
		c.Connectivity = false
		return c
	}))
	noErr(t, "the step that clears the index", step())
	withoutLook("the step that indexes 32 things", 5)
}

func TestRoundTripsOfRights(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnv(t)
	ctx := t.Context()
	env.thing("lamp", "door")
	env.group("site/floor", "lamp")
	env.policy("p1")
	id := muster.CertificateID(fmt.Sprintf("%064x", 1))
	grounds := func(client string, policies int) func() error {
		return func() error {
			g, err := env.Grounds(ctx, id, client)
			if err == nil && (g.Thing == nil || g.Thing.Name != "lamp" || len(g.Policies) != policies) {
				t.Errorf("Grounds(%q) = %v, want lamp with %d policies", client, g, policies)
			}
			return err
		}
	}
	env.costs(trips, 2, "AddCertificate", func() error { env.certificate(string(id), muster.CertificateActive); return nil })
	env.costs(trips, 2, "AttachPrincipal", func() error { return env.AttachPrincipal(ctx, "lamp", id, muster.Attachment{Exclusive: true}) })
	env.costs(trips, 2, "AttachPolicy", func() error { return env.AttachPolicy(ctx, "p1", rights.PolicyTarget{Certificate: id}) })
	env.costs(trips, 3, "Grounds of a thing in a group below another", grounds("lamp", 1))
	env.policy("p2", rights.PolicyTarget{Group: "floor"})
	env.costs(trips, 3, "Grounds with a policy of the group", grounds("lamp", 2))
	env.policy("p3", rights.PolicyTarget{Group: "site"})
	env.costs(trips, 4, "Grounds with a policy of the group above", grounds("lamp", 3))
	env.costs(trips, 5, "Grounds without a client id", grounds("", 3))
	env.costs(trips, 6, "Grounds of a client that has another name", grounds("door", 3))
	noErr(t, "RemoveThingFromThingGroup", env.RemoveThingFromThingGroup(ctx, "lamp", "floor"))
	env.costs(trips, 2, "Grounds of a thing in no group", grounds("lamp", 1))
	env.costs(trips, 2, "DetachPrincipal", func() error { return env.DetachPrincipal(ctx, "lamp", id) })
	for _, name := range some(20) {
		env.policy(name)
	}
	env.costs(trips, 1, "a list of the targets of a policy", func() error {
		_, err := env.TargetsOfPolicy(ctx, "p1", false, listing.Page{})
		return err
	})
	env.costs(trips, 2, "a list of 23 policies", func() error {
		_, err := env.Policies(ctx, listing.Page{}, false)
		return err
	})
}

// Commands of one batch cost as many round trips as one of them.
func TestRoundTripsOfBatches(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnv(t)
	names := some(20)
	for _, name := range names {
		env.group("g" + name)
	}
	env.jobOf(muster.Continuous, "job1", "@gt00", "@gt01", "@gt02", "@gt03")
	env.group("all")
	env.jobOf(muster.Continuous, "job2", "@all")
	for _, step := range []struct {
		name  string
		trips int
		do    func(ctx context.Context, name string) error
	}{
		{"CreateThing", 2, func(ctx context.Context, name string) error {
			_, err := env.CreateThing(ctx, muster.Thing{Name: muster.ThingName(name)})
			return err
		}},
		{"UpdateThing", 2, func(ctx context.Context, name string) error {
			return env.UpdateThing(ctx, muster.ThingName(name), muster.ThingUpdate{
				Attributes: muster.AttributePayload{Attributes: map[string]string{"a": "2"}},
			})
		}},
		{"AddThingToThingGroup", 4, func(ctx context.Context, name string) error {
			return env.AddThingToThingGroup(ctx, muster.ThingName(name), muster.GroupName("g"+name))
		}},
		{"AddThingToThingGroup of things that have a job", 4, func(ctx context.Context, name string) error {
			return env.AddThingToThingGroup(ctx, muster.ThingName(name), "all")
		}},
		{"RemoveThingFromThingGroup of things that keep a job", 5, func(ctx context.Context, name string) error {
			return env.RemoveThingFromThingGroup(ctx, muster.ThingName(name), muster.GroupName("g"+name))
		}},
		{"DeleteThing", 3, func(ctx context.Context, name string) error {
			return env.DeleteThing(ctx, muster.ThingName(name), nil)
		}},
	} {
		trips.Want(t, step.trips, "20 times "+step.name, func() { env.atOnce(names, step.do) })
	}
	changes := func() (all []registry.ConnectionChange) {
		for _, name := range names {
			all = append(all, registry.ConnectionChange{Client: name, Connectivity: muster.Connectivity{Connected: true, At: 1}})
		}
		return all
	}
	env.thing(names...)
	env.costs(trips, 2, "RecordConnections of 20 clients", func() error { return env.RecordConnections(t.Context(), changes()) })
	env.costs(trips, 1, "Connectivity", func() error {
		_, err := env.Connectivity(t.Context(), "t00")
		return err
	})
}

// atOnce has do submit a command for each name, in one batch.
func (env *env) atOnce(names []string, do func(ctx context.Context, name string) error) {
	env.t.Helper()
	var submitted, answered sync.WaitGroup
	begun, end := make(chan struct{}), make(chan struct{})
	env.submit(func(*commit.Tx) error { close(begun); <-end; return nil }, func(error) {})
	<-begun // until end, all commands wait
	submitted.Add(len(names))
	for _, name := range names {
		answered.Go(func() {
			if err := do(&submitting{Context: env.t.Context(), done: sync.OnceFunc(submitted.Done)}, name); err != nil {
				env.t.Errorf("%s: %v", name, err)
			}
		})
	}
	submitted.Wait()
	close(end)
	answered.Wait()
}

// submitting is the context of a command, whose end is asked for once the command is submitted.
type submitting struct {
	context.Context
	done func()
}

func (s *submitting) Done() <-chan struct{} {
	s.done()
	return s.Context.Done()
}
