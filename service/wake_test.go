package service

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// A command that makes background work is under way while Work looks for some,
// and becomes visible after Work has looked: then Due is called, whatever Work
// will be called for.
func TestNoWakeUpIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		before func(*env)
		call   func(context.Context, *env) error
	}{
		"an alarm": {nil, func(ctx context.Context, env *env) error {
			_, err := env.CreateJob(ctx, jobs.NewJob{ID: "new", Document: "{}", Targets: []muster.Target{{Name: "lamp"}}})
			return err
		}},
		"the next slice of a rollout": {nil, func(ctx context.Context, env *env) error {
			_, err := env.CreateJob(ctx, jobs.NewJob{
				ID: "new", Document: "{}", Targets: []muster.Target{{Name: "lamp"}, {Name: "bulb"}},
				Config: muster.JobConfig{Rollout: muster.RolloutConfig{MaximumPerMinute: 60}},
			})
			return err
		}},
		"the end of a job": {func(env *env) { env.job("job", "lamp") }, func(ctx context.Context, env *env) error {
			_, err := env.CancelJob(ctx, "job", jobs.Cancellation{})
			return err
		}},
		"a deadline": {func(env *env) { env.job("job", "lamp") }, func(ctx context.Context, env *env) error {
			_, err := commit.Await(ctx, func(done func(jobs.Described, error)) {
				env.StartNext(jobs.StartNextInput{Thing: "lamp", StepMinutes: 1}, done)
			})
			return err
		}},
		"the end of what is kept": {func(env *env) { env.job("job", "lamp") }, func(ctx context.Context, env *env) error {
			_, err := env.report("lamp", "job", muster.Succeeded)
			return err
		}},
		"a deleted group": {func(env *env) {
			names := make([]string, departMax+1)
			for i := range names {
				names[i] = fmt.Sprintf("thing-%d", i)
			}
			env.thing(names...)
			env.group("many", names...)
		}, func(ctx context.Context, env *env) error { return env.DeleteThingGroup(ctx, "many", nil) }},
		"a dynamic group": {nil, func(ctx context.Context, env *env) error {
			_, err := env.CreateDynamicThingGroup(ctx, muster.Group{Name: "new", Dynamic: &muster.MembershipRule{Query: "thingName:lamp"}}, nil)
			return err
		}},
		"another index": {nil, func(ctx context.Context, env *env) error {
			return env.UpdateIndexingConfiguration(ctx, func(c muster.IndexingConfig) muster.IndexingConfig {
				c.Connectivity = !c.Connectivity
				return c
			})
		}},
	} {
		for until, slow := range map[string]func(read, arrive func()) store.Store{
			"visible": func(read, arrive func()) store.Store {
				return storetest.Late(memstore.New(), storetest.Pauses{Read: read, Visible: arrive})
			},
			"durable": func(read, arrive func()) store.Store {
				return storetest.Late(storetest.Behind(memstore.New(), arrive), storetest.Pauses{Read: read})
			},
		} {
			t.Run(name+" that is not "+until+" yet", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var read, arrived gate
					var due atomic.Int32
					env := newEnvOnJust(t, slow(read.pass, arrived.pass), Options{
						Limits:  jobs.Limits{RetentionDays: 1},
						Watcher: watcher{due: func() { due.Add(1) }},
					})
					env.thing("lamp", "bulb")
					if test.before != nil {
						test.before(env)
					}
					env.settleDown()
					synctest.Wait()
					due.Store(0)

					look, arrive := read.close(), arrived.close()
					worked, called := make(chan error, 1), make(chan error, 1)
					go func() { _, err := env.Work(t.Context()); worked <- err }()
					synctest.Wait() // Work has begun, and does not see what comes now
					go func() { called <- test.call(t.Context(), env) }()
					synctest.Wait() // the command has done its work, which no view shows yet
					look()
					if err := <-worked; err != nil {
						t.Fatalf("Work = %v", err)
					}
					arrive()
					if err := <-called; err != nil {
						t.Fatalf("the command = %v", err)
					}
					synctest.Wait()
					if due.Load() == 0 {
						t.Error("Due was not called")
					}
				})
			})
		}
	}
}
