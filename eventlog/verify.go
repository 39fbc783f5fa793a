package eventlog

import (
	"context"

	"github.com/muster-iot/muster/store"
)

// LogIsComplete is what Verify checks.
const LogIsComplete store.Invariant = "the event log holds every place that was not removed, and dead letters are counted"

// Verify calls problem for each violation of LogIsComplete. It fails with the error of
// the store or of ctx.
func Verify(ctx context.Context, r store.Reader, problem func(store.Invariant, string, ...any)) error {
	m, err := readMarks(r)
	if err != nil {
		return err
	}
	next := m.Removed + 1
	for row, err := range tables.log.Scan(r, "", "") {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if place := placeIn(row.Key); place != next {
			problem(LogIsComplete, "place %d follows place %d", place, next-1)
			next = place
		}
		next++
	}
	if next != m.Last+1 {
		problem(LogIsComplete, "the log ends at place %d and should end at %d", next-1, m.Last)
	}
	letters := 0
	for _, err := range tables.letters.Scan(r, "", "") {
		if err != nil {
			return err
		}
		letters++
	}
	counted, err := store.Tally(r, deadLetterTally)
	if err == nil && counted != letters {
		problem(LogIsComplete, "%d dead letters are counted and there are %d", counted, letters)
	}
	return err
}
