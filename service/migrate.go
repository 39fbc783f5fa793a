package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/transfer"
)

// This file migrates a store that an older release wrote to the present format
// (docs/decisions/0014-formats-and-migrations.md). The store keeps the number of its
// format; what the number means is written here, as the steps from each format to the
// next.

// theMigration is the key of the only record of migrations.
const theMigration = "migration"

// migrations hold the one record of a migration, while there is one.
var migrations = store.Of[migration]{Table: "migration"}

// migration is the progress of a migration. While the record exists nothing may be
// served.
type migration struct {
	From  int    // the format that the store had
	Step  int    // the current one of migrationSteps(From)
	After string `json:",omitempty"` // the last record that the step has migrated
}

// migrationStep migrates at most limit records that come after the key after. It returns
// the key of the last and whether there are more, and calls note with what an operator
// should know.
type migrationStep func(s store.Records, after string, limit int, note func(string)) (last string, more bool, err error)

// migrationSteps returns the steps from a format to the present one, in order.
func migrationSteps(from int) []migrationStep {
	toNext := [store.Format][]migrationStep{
		1: {registry.GroupPaths, registry.DepartureIDs, jobs.TargetIDs},
		2: {eventlog.EventsBySink, eventlog.LetterPlaces, eventlog.NoMarks}, // and bare executions: nothing to do, but format 2 cannot read them
		3: {registry.ConnectivityRows, registry.NoneConnected, registry.NoConnectivityEntries},
		4: {}, // the last use of keys was in a file beside the store, which the data folder imports; format 4 would not find it again
		5: {}, // new tables only, of which format 5 knows nothing
	}
	return slices.Concat(toNext[from:]...)
}

// migrationStepMax bounds the records that one transaction of a migration touches.
const migrationStepMax = 128

// notesMax bounds the notes that one migration logs.
const notesMax = 100

// Migrate brings a store that an older release wrote to the present format, in short
// transactions. If it is interrupted, the next call continues. Nothing else may use the
// store before it has returned nil. The store gets the number of the present format
// before the first change, so that an older release does not open a store that is half
// migrated. It refuses a store into which an import is unfinished. A nil log discards what an
// operator should know.
func Migrate(ctx context.Context, s store.Store, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := s.View(ctx, transfer.CheckFinished); err != nil {
		return err
	}
	return migrate(ctx, s, migrationStepMax, log)
}

func migrate(ctx context.Context, s store.Store, limit int, log *slog.Logger) error {
	if err := beginMigration(ctx, s, log); err != nil {
		return err
	}
	noted := 0
	for {
		var notes []string
		more := false
		err := store.Update(ctx, s, func(tx store.Tx) (err error) {
			notes = nil
			more, err = migrateSome(tx, limit, func(n string) { notes = append(notes, n) })
			return err
		})
		if err != nil {
			return fmt.Errorf("bring the store into format %d: %w", store.Format, err)
		}
		for _, n := range notes {
			if noted++; noted <= notesMax {
				log.Warn(n)
			}
		}
		if !more {
			return nil
		}
	}
}

// beginMigration stores the old format in the migration record, then sets the number of
// the store. If it is interrupted between the two, the next call keeps the record and sets
// the number.
func beginMigration(ctx context.Context, s store.Store, log *slog.Logger) error {
	f, ok := s.(store.Formatted)
	if !ok || f.Format() == store.Format {
		return nil
	}
	log.Info("bringing the store into the present format", "from", f.Format(), "to", store.Format)
	err := store.Update(ctx, s, func(tx store.Tx) error {
		if begun, err := migrations.Has(tx, theMigration); err != nil || begun {
			return err
		}
		migrations.Put(tx, theMigration, migration{From: f.Format()})
		return nil
	})
	if err != nil {
		return err
	}
	return f.SetFormat(ctx, store.Format)
}

// MigrateLater has the next Migrate bring records of an older format, which are in a store of
// the present one, into the present format.
func MigrateLater(w store.Writer, from int) { migrations.Put(w, theMigration, migration{From: from}) }

// migrateSome migrates the next records and reports whether there is more to do.
func migrateSome(s store.Records, limit int, note func(string)) (more bool, err error) {
	m, err := migrations.Get(s, theMigration)
	if err != nil || m == nil {
		return false, err
	}
	steps := migrationSteps(m.From)
	if m.Step == len(steps) {
		migrations.Delete(s, theMigration)
		return false, nil
	}
	m.After, more, err = steps[m.Step](s, m.After, limit, note)
	if err != nil {
		return false, err
	}
	if !more {
		m.Step, m.After = m.Step+1, ""
	}
	migrations.Put(s, theMigration, *m)
	return true, nil
}

// migrated returns a reader of the records of r in the present format: r itself, or an
// overlay with the migrated records in memory, which changes nothing in the store.
func migrated(r store.Reader, format int) (store.Reader, error) {
	begun, err := migrations.Has(r, theMigration)
	if err != nil || !begun && format == store.Format {
		return r, err
	}
	o := store.NewOverlay(r)
	if !begun {
		migrations.Put(o, theMigration, migration{From: format})
	}
	for {
		if more, err := migrateSome(o, migrationStepMax, func(string) {}); err != nil || !more {
			return o, err
		}
	}
}

// CheckFormat returns an error for a store whose migration has not begun or not finished, or
// into which an import is unfinished. It returns nil for a store that cannot be read: each call on it fails anyway.
func CheckFormat(ctx context.Context, s store.Store) error {
	begun, unfinished := false, error(nil)
	err := s.View(context.WithoutCancel(ctx), func(r store.Reader) (err error) {
		unfinished = transfer.CheckFinished(r)
		begun, err = migrations.Has(r, theMigration)
		return err
	})
	if err == nil && unfinished != nil {
		return unfinished
	}
	if err == nil && (begun || formatOf(s) != store.Format) {
		return fmt.Errorf("it is not in format %d yet: serve it once with this release", store.Format)
	}
	return nil
}

// formatOf returns the format of the records in a store. A store that keeps no number,
// such as one in memory, has the present format.
func formatOf(s store.Store) int {
	if f, ok := s.(store.Formatted); ok {
		return f.Format()
	}
	return store.Format
}
