package engine

import (
	"context"

	"github.com/muster-iot/muster/store"
)

// recordTables are all tables of the engine; a test holds that none is missing.
var recordTables = []interface {
	Check(r store.Reader, bad func(error))
}{
	absences, things, thingTypes, groups, groupIDs, below, members, memberships, typed, tags, jobs, documents, newest,
	targets, standing, rolling, alarms, deletions, deferred, joining, concurrent, line, ended, tallies,
	certificates, certificatesByDate, certificatesOfCA, authorities, authoritiesByDate, authoritiesBySubject,
	settings, policies, policiesByDate, policyTargets, policiesOfTarget, principalsOfThing, thingsOfPrincipal,
	outbox, eventConfigs, eventLog, eventMarks, deadLetters, jobTemplates, jobTemplatesByDate, packages,
	packageVersions, packageConfigs, inventories, leaving, indexStates, entries, numbers, connections, present,
	dynamicNames, building, migrations,
}

// VerifyRecords decodes every record of the engine's tables and returns a problem
// for each that cannot be read, store.MaxProblems at most. Verify reads only what it
// compares.
func VerifyRecords(ctx context.Context, s store.Store) (problems []store.Problem, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		problems = nil
		for _, table := range recordTables {
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
