package service

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// impatient is a store whose callers give up: leave, when it is set, is called
// between two runs of the next transaction. Only the second one counts, and it
// is not durable before the caller has left.
type impatient struct {
	store.Store
	leave func()
	left  chan struct{}
}

func (s *impatient) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	leave := s.leave
	if leave == nil {
		return s.Store.Apply(ctx, fn)
	}
	s.leave = nil
	undone := errors.New("undone")
	_, err := s.Store.Apply(ctx, func(tx store.Tx) error { return errors.Join(fn(tx), undone) })
	if !errors.Is(err, undone) {
		return nil, err
	}
	leave()
	wait, err := s.Store.Apply(ctx, fn)
	return func() error { <-s.left; return wait() }, err
}

var testTags = []muster.Tag{{Key: "k", Value: "v"}}

// valueCommands are commands that return a value; each begins with what
// givenCommands makes, and with before unless that is nil.
var valueCommands = map[string]struct {
	before func(*env)
	call   func(context.Context, *env) (any, error)
}{
	"CreateThing": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreateThing(ctx, muster.Thing{Name: "new"})
	}},
	"CreateThing that is there": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreateThing(ctx, muster.Thing{Name: "lamp"})
	}},
	"CreateThingType": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreateThingType(ctx, muster.ThingType{Name: "new"}, testTags)
	}},
	"CreateThingGroup": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreateThingGroup(ctx, muster.Group{Name: "new"}, testTags)
	}},
	"UpdateThingGroup": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.UpdateThingGroup(ctx, "lamps", muster.GroupUpdate{Description: new("late")})
	}},
	"CreateDynamicThingGroup": {func(env *env) { env.dynamic("other", "thingName:lamp") }, func(ctx context.Context, env *env) (any, error) {
		return env.CreateDynamicThingGroup(ctx, muster.Group{Name: "new", Dynamic: &muster.MembershipRule{Query: "thingName:lamp"}}, testTags)
	}},
	"UpdateDynamicThingGroup": {func(env *env) { env.dynamic("other", "thingName:lamp") }, func(ctx context.Context, env *env) (any, error) {
		return env.UpdateDynamicThingGroup(ctx, "other", muster.GroupUpdate{}, muster.MembershipRule{Query: "thingName:x*"})
	}},
	"CreatePackage": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreatePackage(ctx, muster.Package{Name: "new"}, testTags)
	}},
	"CreatePackageVersion": {func(env *env) { _, _ = env.CreatePackage(env.t.Context(), muster.Package{Name: "p"}, nil) }, func(ctx context.Context, env *env) (any, error) {
		return env.CreatePackageVersion(ctx, muster.PackageVersion{Package: "p", Name: "1"}, testTags)
	}},
	"AddCA": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.AddCA(ctx, muster.CA{ID: "ca"}, testTags)
	}},
	"AddCertificate": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.AddCertificate(ctx, muster.Certificate{ID: "c"})
	}},
	"RegistrationCode": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.RegistrationCode(ctx, "fresh")
	}},
	"CreatePolicy": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreatePolicy(ctx, "new", "{}", testTags)
	}},
	"CreatePolicyVersion": {func(env *env) { env.policy("p") }, func(ctx context.Context, env *env) (any, error) {
		return env.CreatePolicyVersion(ctx, "p", "{}", true)
	}},
	"CreateJob": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreateJob(ctx, jobs.NewJob{ID: "new", Document: "{}", Targets: []muster.Target{{Name: "lamp"}}, Tags: testTags})
	}},
	"AssociateTargets": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.AssociateTargets(ctx, "standing", nil, []muster.Target{{Name: "bulb"}}, new("late"))
	}},
	"CancelJob": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CancelJob(ctx, "standing", jobs.Cancellation{Comment: new("late")})
	}},
	"CreateJobTemplate": {nil, func(ctx context.Context, env *env) (any, error) {
		return env.CreateJobTemplate(ctx, jobs.NewJobTemplate{ID: "new", Job: "arn:aws:iot:us-east-1:000000000000:job/standing", Tags: testTags})
	}},
	"Forget": {func(env *env) { env.bury("dead") }, func(ctx context.Context, env *env) (any, error) {
		return env.Forget(ctx, nil)
	}},
	"StartNext": {nil, func(ctx context.Context, env *env) (any, error) {
		return commit.Await(ctx, func(done func(jobs.Described, error)) { env.StartNext(jobs.StartNextInput{Thing: "lamp"}, done) })
	}},
	"UpdateExecution": {nil, func(ctx context.Context, env *env) (any, error) {
		return commit.Await(ctx, func(done func(jobs.Described, error)) {
			env.UpdateExecution(jobs.UpdateInput{Thing: "lamp", Job: "standing", Status: muster.Succeeded}, done)
		})
	}},
}

// givenCommands makes what valueCommands begin with.
func (env *env) givenCommands(before func(*env)) {
	env.t.Helper()
	env.thing("lamp", "bulb")
	env.group("lamps", "lamp")
	env.jobOf(muster.Continuous, "standing", "@lamps")
	if before != nil {
		before(env)
	}
}

// A caller whose context ends before the commit gets nothing, and shares
// nothing with the command, which goes on without it. The race detector sees
// the second half of that.
func TestACallerThatGivesUpGetsNothing(t *testing.T) {
	for name, test := range valueCommands {
		t.Run(name, func(t *testing.T) {
			s := &impatient{Store: memstore.New(), left: make(chan struct{})}
			env := newEnvOnJust(t, s, Options{Sinks: eventlog.Sinks{Webhook: map[muster.EventType]bool{muster.EventThing: true}}})
			env.givenCommands(test.before)
			ctx, leave := context.WithCancel(t.Context())
			s.leave = leave
			got, err := test.call(ctx, env)
			close(s.left)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the caller gave up and was told %v", err)
			}
			if !reflect.ValueOf(got).IsZero() {
				t.Errorf("the caller gave up and got %+v", got)
			}
		})
	}
}
