package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold jobs and what belongs to them; executions and queues are the
// store's own. Names are for ever.
var tables = struct {
	jobs      store.Of[muster.Job]  // job
	documents store.Of[jobDocument] // job
	newest    store.Of[store.Link]  // newestKey of a job
	byTarget  store.Of[store.Link]  // id of a target, job
	standing  store.Of[store.Link]  // id of a target, job: continuous jobs that are not over
	rolling   store.Of[store.Link]  // id of a target, job: snapshot jobs whose rollout is under way
	alarms    store.Of[store.Link]  // alarmKey: jobs with background work, by when it is due
	deletions store.Of[store.Link]  // job that is being deleted
	deferred  store.Of[deferral]    // job, thing that gets it later
	joining   store.Of[store.Link]  // job, thing that joined and waits for its pace

	concurrent store.Of[store.Link] // job that rolls out or is being cancelled
	line       store.Of[store.Link] // alarmKey by creation: jobs that wait for their turn to roll out
	ended      store.Of[store.Link] // alarmKey by end: jobs that are COMPLETED or CANCELED

	outbox          store.Of[owing]              // thing, namespace: what it is still owed
	templates       store.Of[muster.JobTemplate] // job template
	templatesByDate store.Of[store.Link]         // listing.DatedKey
}{
	jobs:      store.Of[muster.Job]{Table: "job"},
	documents: store.Of[jobDocument]{Table: "document"},
	newest:    store.Of[store.Link]{Table: "newest"},
	byTarget:  store.Of[store.Link]{Table: "target"},
	standing:  store.Of[store.Link]{Table: "standing"},
	rolling:   store.Of[store.Link]{Table: "rolling"},
	alarms:    store.Of[store.Link]{Table: "alarm"},
	deletions: store.Of[store.Link]{Table: "deletion"},
	deferred:  store.Of[deferral]{Table: "deferred"},
	joining:   store.Of[store.Link]{Table: "joining"},

	concurrent: store.Of[store.Link]{Table: "concurrent"},
	line:       store.Of[store.Link]{Table: "line"},
	ended:      store.Of[store.Link]{Table: "ended"},

	outbox:          store.Of[owing]{Table: "outbox"},
	templates:       store.Of[muster.JobTemplate]{Table: "template"},
	templatesByDate: store.Of[store.Link]{Table: "templatedate"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{
		tables.jobs, tables.documents, tables.newest, tables.byTarget, tables.standing, tables.rolling, tables.alarms, tables.deletions,
		tables.deferred, tables.joining, tables.concurrent, tables.line, tables.ended, tables.outbox, tables.templates, tables.templatesByDate,
	}
}

// jobDocument is the frozen text of a job, byte for byte as submitted, but for
// what was resolved when it was made: parameters, signatures and what it
// asked of packages. Its links are
// as they were written.
type jobDocument struct {
	Text       string
	Before     string            `json:",omitempty"` // the text before that, if it is another
	Parameters map[string]string `json:",omitempty"` // as they were given
}
