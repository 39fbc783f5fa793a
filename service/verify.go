package service

import (
	"context"

	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// Verify is store.Verify, and also compares the fleet index and the members of
// dynamic groups with the registry, all records with those that they belong to and
// derive from, and checks the event log. Each thing takes some lookups, so a million
// take about half a minute, during which the store serves on. A store of a former
// format is looked at as Migrate will make it, without changing it.
func Verify(ctx context.Context, s store.Store) ([]store.Problem, error) {
	problems, err := store.Verify(ctx, s)
	if err != nil || len(problems) >= store.MaxProblems {
		return problems, err
	}
	err = s.View(ctx, func(r store.Reader) error {
		r, err := migrated(r, formatOf(s))
		if err != nil {
			return err
		}
		more, err := verify(ctx, r)
		problems = append(problems, more...)
		return err
	})
	return problems[:min(len(problems), store.MaxProblems)], err
}

// verify is Verify for the records.
func verify(ctx context.Context, r store.Reader) ([]store.Problem, error) {
	c := integrity.New(ctx, r)
	for _, part := range []func(){
		func() { registry.VerifyFleet(c) },
		func() { registry.Verify(c) },
		func() { tags.Verify(c, kinds()) },
		func() { jobs.Verify(c) },
		func() { rights.Verify(c, registry.ThingTable, registry.GroupTable) },
		func() { catalog.Verify(c, registry.ThingTable) },
		func() { c.Fail(eventlog.Verify(ctx, r, c.Problem)) },
	} {
		if part(); c.Done() {
			break
		}
	}
	return c.Result()
}
