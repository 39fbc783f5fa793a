package eventlog

import (
	"context"

	"github.com/muster-iot/muster/store"
)

// LogIsOrdered is what Verify checks.
const LogIsOrdered store.Invariant = "each event in the log has a place of an origin that has begun, and dead letters are counted"

// Verify calls problem for each violation of LogIsOrdered. It fails with the error of
// the store or of ctx.
func Verify(ctx context.Context, r store.Reader, problem func(store.Invariant, string, ...any)) error {
	o, err := readOrigins(r)
	if err != nil {
		return err
	}
	letters := 0
	check := func(table store.Table, each func()) error {
		for row, err := range r.Scan(table, "", "") {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			each()
			if !o.begun(row.Key) {
				problem(LogIsOrdered, "in table %s, %q is no place up to origin %d", table, row.Key, o.Last)
			}
		}
		return nil
	}
	for sink := range sinkCount {
		if err := check(sink.table().Table, func() {}); err != nil {
			return err
		}
	}
	if err := check(tables.letters.Table, func() { letters++ }); err != nil {
		return err
	}
	counted, err := store.Tally(r, deadLetterTally)
	if err == nil && counted != letters {
		problem(LogIsOrdered, "%d dead letters are counted and there are %d", counted, letters)
	}
	return err
}
