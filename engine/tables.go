package engine

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// The tables of records and their keys. Names are for ever.
var (
	things      = store.Of[muster.Thing]{Table: "thing"}       // thing
	thingTypes  = store.Of[muster.ThingType]{Table: "type"}    // type
	groups      = store.Of[muster.Group]{Table: "group"}       // group
	groupIDs    = store.Of[muster.GroupName]{Table: "groupid"} // thingGroupId
	below       = store.Of[link]{Table: "below"}               // group, level, group that many levels below it
	members     = store.Of[membership]{Table: "member"}        // thingGroupId, thing
	memberships = store.Of[belonging]{Table: "groupof"}        // thing, group
	typed       = store.Of[link]{Table: "typed"}               // type, thing
	tags        = store.Of[[]muster.Tag]{Table: "tag"}         // kind of resource, its name
	jobs        = store.Of[muster.Job]{Table: "job"}           // job
	documents   = store.Of[jobDocument]{Table: "document"}     // job
	newest      = store.Of[link]{Table: "newest"}              // newestKey of a job
	targets     = store.Of[link]{Table: "target"}              // id of a target, job
	standing    = store.Of[link]{Table: "standing"}            // id of a target, job: continuous jobs that are not over
	rolling     = store.Of[link]{Table: "rolling"}             // id of a target, job: snapshot jobs whose rollout is under way
	alarms      = store.Of[link]{Table: "alarm"}               // alarmKey: jobs with background work, by when it is due
	deletions   = store.Of[link]{Table: "deletion"}            // job that is being deleted
	deferred    = store.Of[deferral]{Table: "deferred"}        // job, thing that gets it later

	joining    = store.Of[link]{Table: "joining"}    // job, thing that joined and waits for its pace
	concurrent = store.Of[link]{Table: "concurrent"} // job that rolls out or is being cancelled
	line       = store.Of[link]{Table: "line"}       // alarmKey by creation: jobs that wait for their turn to roll out
	ended      = store.Of[link]{Table: "ended"}      // alarmKey by end: jobs that are COMPLETED or CANCELED
	tallies    = store.Of[int]{Table: "tally"}       // what is counted as it changes: activeJobs, deadLetterTally

	certificates       = store.Of[muster.Certificate]{Table: "certificate"} // certificate id
	certificatesByDate = store.Of[link]{Table: "certificatedate"}           // datedKey
	certificatesOfCA   = store.Of[link]{Table: "certificateca"}             // CA id, certificate id

	authorities          = store.Of[muster.CA]{Table: "ca"}   // CA id
	authoritiesByDate    = store.Of[link]{Table: "cadate"}    // datedKey
	authoritiesBySubject = store.Of[link]{Table: "casubject"} // subject, CA id
	settings             = store.Of[string]{Table: "setting"} // its name

	policies         = store.Of[muster.Policy]{Table: "policy"} // policy name
	policiesByDate   = store.Of[link]{Table: "policydate"}      // datedKey
	policyTargets    = store.Of[link]{Table: "policytarget"}    // policy, target
	policiesOfTarget = store.Of[link]{Table: "targetpolicy"}    // target, policy

	principalsOfThing = store.Of[muster.Attachment]{Table: "principal"}   // thing, certificate id
	thingsOfPrincipal = store.Of[muster.Attachment]{Table: "principalof"} // certificate id, thing

	outbox       = store.Of[owing]{Table: "outbox"}              // thing, namespace: what it is still owed
	eventConfigs = store.Of[muster.EventConfig]{Table: "events"} // theEventConfig

	eventLog    = store.Of[logged]{Table: "event"}          // placeKey
	eventMarks  = store.Of[marks]{Table: "eventmark"}       // theMarks
	deadLetters = store.Of[DeadLetter]{Table: "deadletter"} // placeKey that the event had

	jobTemplates       = store.Of[muster.JobTemplate]{Table: "template"} // job template
	jobTemplatesByDate = store.Of[link]{Table: "templatedate"}           // datedKey

	packages        = store.Of[muster.Package]{Table: "package"}               // package
	packageVersions = store.Of[muster.PackageVersion]{Table: "packageversion"} // package, version
	packageConfigs  = store.Of[PackageConfig]{Table: "packageconfig"}          // thePackageConfig
	inventories     = store.Of[muster.Inventory]{Table: "inventory"}           // thing: what it carries

	migrations = store.Of[migration]{Table: "migration"} // theMigration, while there is one

	leaving = store.Of[departure]{Table: "leaving"} // thingGroupId of a deleted group whose members are to leave

	indexStates  = store.Of[indexState]{Table: "indexing"}   // theIndex
	entries      = store.Of[link]{Table: "entry"}            // fleetquery.Entry: field, value, thing
	numbers      = store.Of[link]{Table: "number"}           // the same of values that are numbers
	connections  = store.Of[connection]{Table: "connection"} // thing
	present      = store.Of[link]{Table: "present"}          // thing that is connected
	absences     = store.Of[absence]{Table: "absence"}       // process: how far it looked for things that an earlier one left connected
	dynamicNames = store.Of[link]{Table: "dynamic"}          // dynamic group
	building     = store.Of[sweep]{Table: "building"}        // dynamic group whose members are still looked for
)

// link is a record whose key says everything.
type link struct{}

// membership is a thing's place in a group. It is filed under the id of the
// group, so that a new group of the same name begins empty.
type membership struct {
	Joined muster.Instant
}

// belonging is the same as the thing sees it. It is void when the group that
// has the name now has another id.
type belonging struct {
	GroupID string
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

// departure is a deleted group whose members still have to be told.
type departure struct {
	Group muster.GroupName
	IDs   []string // of the group and of those above it, its own first
	After string   // the last thing that was dealt with
}
