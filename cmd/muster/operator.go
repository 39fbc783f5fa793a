package main

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/scheduler"
)

// operatorParts are what the operator's paths act on.
func (s *server) operatorParts() operator.Parts {
	p := operator.Parts{
		Account: s.account(), Metrics: s.figures.Handler(), Backups: s, Policies: s.authz,
		DeadLetters: deadLetters{s.service.Events}, Keys: accessKeys{s.keys}, Jobs: jobOptions{s.service.Jobs},
		Timelines: s.watch, Explainer: s.watch, Refusals: s.service.Diary,
	}
	if s.nodes != nil {
		p.Nodes = clusterNodes{s.nodes.node}
	}
	if s.clock != nil {
		p.Clock, p.Resets = testClock{s.clock, s.service}, s.resets
	}
	return p
}

// deadLetters are those of an event log.
type deadLetters struct{ of *eventlog.Log }

func (d deadLetters) DeadLetters(ctx context.Context, after string, limit int) ([]operator.DeadLetter, error) {
	kept, err := d.of.DeadLetters(ctx, after, limit)
	var letters []operator.DeadLetter
	for _, l := range kept {
		letters = append(letters, operator.DeadLetter{
			Place: l.Place, ID: l.ID, EventType: l.Type.String(), Operation: string(l.Operation), Time: operator.Instant(l.At), GivenUp: operator.Instant(l.GivenUp), Attempts: l.Attempts, Why: l.Why,
		})
	}
	return letters, err
}

func (d deadLetters) Replay(ctx context.Context, ids []string) (int, error) {
	return d.of.Replay(ctx, ids)
}

func (d deadLetters) Forget(ctx context.Context, ids []string) (int, error) {
	return d.of.Forget(ctx, ids)
}

// accessKeys are those of a deployment.
type accessKeys struct{ of *identity.Keys }

func (a accessKeys) Keys() []operator.KeyUse {
	all := []operator.KeyUse{}
	for _, k := range a.of.List() {
		all = append(all, operator.KeyUse{AccessKeyID: k.AccessKeyID, Principal: k.Principal, LastUsed: operator.At(k.LastUsed), Expires: operator.At(k.Expires)})
	}
	return all
}

// jobOptions are those of jobs.
type jobOptions struct{ of *jobs.Jobs }

func (j jobOptions) JobOptions(ctx context.Context, job muster.JobID) (operator.JobOptions, error) {
	o, err := j.of.JobOptions(ctx, job)
	return operator.JobOptions(o), err
}

func (j jobOptions) SetJobOptions(ctx context.Context, job muster.JobID, o operator.JobOptions) error {
	return j.of.SetJobOptions(ctx, job, jobs.JobOptions(o))
}

// testClock moves a clock over the work that is due meanwhile.
type testClock struct {
	*scheduler.TestClock
	work scheduler.Work
}

func (c testClock) Move(ctx context.Context, to muster.Instant) error {
	return c.TestClock.Move(ctx, c.work, to)
}
