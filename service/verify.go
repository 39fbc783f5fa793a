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

// Verify does store.Verify, and then checks the records: the fleet index and the members
// of dynamic groups against the registry, all records against those that they belong to
// or derive from, and the event log. It returns the problems, store.MaxProblems at most.
// Each thing takes some lookups, so a million take about half a minute; the store can be
// used meanwhile. A store in an older format is verified as Migrate would leave it,
// without changing it.
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
	return integrity.Run(ctx, r,
		registry.VerifyFleet,
		registry.Verify,
		func(c *integrity.Check) { tags.Verify(c, kinds()) },
		jobs.Verify,
		func(c *integrity.Check) { rights.Verify(c, registry.ThingTable, registry.GroupTable) },
		func(c *integrity.Check) { catalog.Verify(c, registry.ThingTable) },
		func(c *integrity.Check) { c.Fail(eventlog.Verify(ctx, c.Reader(), c.Problem)) },
	)
}
