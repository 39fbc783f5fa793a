package service

import (
	"context"
	"slices"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/keyuse"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
	"github.com/muster-iot/muster/transfer"
)

// Tables are the tables of all records of the service.
func Tables() []store.Checker {
	return slices.Concat(
		registry.Tables(), rights.Tables(), catalog.Tables(), jobs.Tables(), eventlog.Tables(), audit.Tables(), diary.Tables(), tags.Tables(), keyuse.Tables(),
		transfer.Tables(), []store.Checker{store.Settings, store.Tallies, migrations},
	)
}

// FormerTables are those of former formats, which only migrations read. A store in the present
// format has no records in them.
func FormerTables() []store.Table {
	return slices.Concat(registry.FormerTables(), eventlog.FormerTables())
}

// VerifyRecords decodes every record of the service and returns a problem for each that
// cannot be read, store.MaxProblems at most. Verify does not do that: it reads only the
// records that it compares.
func VerifyRecords(ctx context.Context, s store.Store) (problems []store.Problem, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		problems = nil
		for _, table := range Tables() {
			if err := ctx.Err(); err != nil {
				return err
			}
			table.Check(r, func(err error) {
				if len(problems) < store.MaxProblems {
					problems = append(problems, store.Problem{Invariant: store.Readable, Detail: err.Error()})
				}
			})
		}
		return nil
	})
	return problems, err
}
