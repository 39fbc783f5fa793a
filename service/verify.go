package service

import (
	"context"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/integrity"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
	"github.com/muster-iot/muster/transfer"
)

// ImportsAreFinished is the invariant of a store that was filled by an import.
const ImportsAreFinished store.Invariant = "a store is used when the import into it is finished"

// Verify does store.Verify and then VerifyAgreement. It returns the problems of both,
// store.MaxProblems at most. The store can be used meanwhile.
func Verify(ctx context.Context, s store.Store) ([]store.Problem, error) {
	problems, err := store.Verify(ctx, s)
	if err != nil || len(problems) >= store.MaxProblems {
		return problems, err
	}
	more, err := VerifyAgreement(ctx, s)
	problems = append(problems, more...)
	return problems[:min(len(problems), store.MaxProblems)], err
}

// VerifyAgreement checks the records: the fleet index and the members of dynamic groups
// against the registry, all records against those that they belong to or derive from,
// the audit records and the event log. It returns the problems, store.MaxProblems at most. A million things
// take some twenty seconds, during which the store can be used. A store in an older format
// is verified as Migrate would leave it, without changing it.
func VerifyAgreement(ctx context.Context, s store.Store) (problems []store.Problem, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		if err := transfer.CheckFinished(r); err != nil {
			problems = []store.Problem{{Invariant: ImportsAreFinished, Detail: err.Error()}}
			return nil
		}
		r, err := migrated(r, formatOf(s))
		if err != nil {
			return err
		}
		problems, err = verify(ctx, r)
		return err
	})
	return problems[:min(len(problems), store.MaxProblems)], err
}

// verify is VerifyAgreement of what r shows.
func verify(ctx context.Context, r store.Reader) ([]store.Problem, error) {
	return integrity.Run(ctx, r,
		registry.VerifyFleet,
		registry.Verify,
		func(c *integrity.Check) { tags.Verify(c, kinds()) },
		jobs.Verify,
		func(c *integrity.Check) { rights.Verify(c, registry.ThingTable, registry.GroupTable) },
		func(c *integrity.Check) { catalog.Verify(c, registry.ThingTable) },
		func(c *integrity.Check) { diary.Verify(c, registry.ThingTable) },
		audit.Verify,
		func(c *integrity.Check) { c.Fail(eventlog.Verify(ctx, c.Reader(), c.Problem)) },
	)
}
