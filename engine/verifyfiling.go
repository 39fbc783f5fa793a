package engine

import (
	"context"
	"fmt"

	"github.com/muster-iot/muster/store"
)

// More invariants that Verify checks.
const (
	JobsAreFiled  store.Invariant = "every job is filed where its state says, and nothing else is"
	LogIsComplete store.Invariant = "the event log holds every place that was not removed, and dead letters are counted"
)

// verifyFiling checks what is kept of jobs as a whole, and the event log.
func verifyFiling(ctx context.Context, r store.Reader) (problems []store.Problem, err error) {
	problem := func(i store.Invariant, format string, args ...any) {
		problems = append(problems, store.Problem{Invariant: i, Detail: fmt.Sprintf(format, args...)})
	}
	filed := map[store.Table]map[string]bool{concurrent.Table: {}, line.Table: {}, ended.Table: {}}
	active := 0
	for row, err := range jobs.Scan(r, "", "") {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return problems, err
		}
		f := jobFile(&row.Value)
		for table, key := range map[store.Table]string{concurrent.Table: f.concurrent, line.Table: f.line, ended.Table: f.ended} {
			if key != "" {
				filed[table][key] = true
			}
		}
		if f.active {
			active++
		}
	}
	for _, t := range []store.Of[link]{concurrent, line, ended} {
		found := 0
		for row, err := range t.Scan(r, "", "") {
			if err != nil {
				return problems, err
			}
			if found++; !filed[t.Table][row.Key] {
				problem(JobsAreFiled, "table %s holds %q, where no job belongs", t.Table, row.Key)
			}
		}
		if found < len(filed[t.Table]) {
			problem(JobsAreFiled, "table %s holds %d jobs and should hold %d", t.Table, found, len(filed[t.Table]))
		}
	}
	if n, err := countActive(r); err != nil {
		return problems, err
	} else if n != active {
		problem(JobsAreFiled, "%d jobs are counted as active and %d are", n, active)
	}
	return problems, verifyLog(ctx, r, problem)
}

func verifyLog(ctx context.Context, r store.Reader, problem func(store.Invariant, string, ...any)) error {
	m, err := readMarks(r)
	if err != nil {
		return err
	}
	next := m.Removed + 1
	for row, err := range eventLog.Scan(r, "", "") {
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
	for _, err := range deadLetters.Scan(r, "", "") {
		if err != nil {
			return err
		}
		letters++
	}
	counted, err := tally(r, deadLetterTally)
	if err == nil && counted != letters {
		problem(LogIsComplete, "%d dead letters are counted and there are %d", counted, letters)
	}
	return err
}
