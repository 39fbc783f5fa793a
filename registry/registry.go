// Package registry keeps things, their types and groups, the fleet index, the members
// of dynamic groups, and which things are connected (registry.md). It does not know
// what jobs do: changes that matter for jobs are reported through the interface Jobs,
// in the transaction of the change. Certificates and policies are in package rights,
// software packages in catalog, the query language in fleetquery.
package registry

import (
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// Jobs is what the registry needs of jobs. All methods are called in the transaction of
// the change, and an error fails the command.
type Jobs interface {
	// Leaving is called before a thing leaves a group that it joined at an instant.
	// lineage has the id of the group and those of all groups above it.
	Leaving(tx *commit.Tx, thing muster.ThingName, joined muster.Instant, lineage []string) error
	// Moved is called at the end of the command for each thing that left or joined
	// groups.
	Moved(tx *commit.Tx, m Move) error
	// WantMove names what Leaving and Moved will read if a thing leaves and joins groups with
	// these ids.
	WantMove(w *commit.Wants, thing muster.ThingName, left, joined []string)
	// ThingDeleted is called after the records of a thing were deleted.
	ThingDeleted(tx *commit.Tx, thing muster.ThingName) error
	// WantDeletion names what ThingDeleted will read.
	WantDeletion(w *commit.Wants, thing muster.ThingName)
	// GroupKnown is called when jobs need no longer wait for the members of the
	// dynamic group with an id: they are complete, the group was deleted, or things are
	// no longer indexed.
	GroupKnown(tx *commit.Tx, id string) error
	// GivenToMembers calls fn for every job that a thing is given when it joins the
	// group with an id, and returns the first error of fn.
	GivenToMembers(tx *commit.Tx, id string, fn func(muster.JobID) error) error
}

// Diaries are what was seen of things, which goes with them.
type Diaries interface {
	// ThingDeleted is called in the transaction that deletes a thing.
	ThingDeleted(tx *commit.Tx, thing muster.ThingName)
}

// Rank is the rank at which the registry settles the members of dynamic groups at the
// end of a command (commit.Tx.Before). Packages that depend on the result use higher
// ranks.
const Rank = 1

// stepMax bounds the things that one step of background work changes. A caller may have
// to wait for one step.
const stepMax = 128

// Options are the parts of a Registry. All but the last three are required.
type Options struct {
	Commits *commit.Committer
	Account muster.Account
	NewID   func() string // of things, types and groups; UUIDs
	Process string        // the name of this run of the server, different for each
	Pages   listing.Pager
	Events  *eventlog.Log
	Rights  *rights.Rights
	Catalog *catalog.Catalog
	Diaries Diaries

	// Gone reports whether a process, which is not this one, is gone and will write nothing any
	// more: then things that it has written to be connected are not. Of a process that it does not
	// know it must be false if that may have begun lately. It must be quick, and when its answer has
	// changed the background work must be called. Nil is true of all: the store has one process at a
	// time.
	Gone func(process string) bool
	// TypeDeletionWait is how long a thing type must have been deprecated before it
	// can be deleted; zero means not at all (registry.md REG-35).
	TypeDeletionWait time.Duration
	// DynamicGroupsMax bounds the dynamic thing groups; more are LimitExceeded. Zero
	// means no bound.
	DynamicGroupsMax int
}

// Registry is the service of things, types and groups. Make it with New, and call
// Connect before the first command. It may be used by many goroutines.
type Registry struct {
	commits          *commit.Committer
	account          muster.Account
	newID            func() string
	pages            listing.Pager
	rights           *rights.Rights
	catalog          *catalog.Catalog
	diaries          Diaries
	events           teller
	index            *index
	connections      *connections
	typeDeletionWait time.Duration
	dynamicGroupsMax int
}

// New returns a Registry on o.
func New(o Options) *Registry {
	ix := &index{commits: o.Commits, events: teller{o.Events}}
	if o.Gone == nil {
		o.Gone = func(string) bool { return true }
	}
	o.Commits.AlwaysWants(wantRevision)
	return &Registry{
		commits: o.Commits, account: o.Account, newID: o.NewID, pages: o.Pages, rights: o.Rights, catalog: o.Catalog, diaries: o.Diaries,
		events: ix.events, index: ix, connections: &connections{ix, o.Process, o.Gone},
		typeDeletionWait: o.TypeDeletionWait, dynamicGroupsMax: o.DynamicGroupsMax,
	}
}

// Connect sets the Jobs that are told of changes. It must be called once, before the
// first command.
func (s *Registry) Connect(j Jobs) { s.index.jobs = j }

// The kinds of resource of this package that can have tags.
const (
	KindGroup tags.Kind = "thinggroup"
	KindType  tags.Kind = "thingtype"
)

// Kinds returns, for the kinds of this package, whether a resource of a name exists.
func Kinds() tags.Kinds {
	return tags.Kinds{KindGroup: tables.groups.Has, KindType: tables.types.Has}
}

// Ready reads from the store and returns its error.
func Ready(r store.Reader) error {
	_, err := tables.things.Has(r, "ready")
	return err
}

// Wants implements commit.Source.
func (s *Registry) Wants(w *commit.Wants) {
	w.Range(tables.departures.Table, "", "")
	w.Record(tables.indexStates.Table, theIndex)
	w.Record(tables.absences.Table, s.connections.process)
	w.Range(tables.absences.Table, "", "")
	w.Range(tables.building.Table, "", "")
}

// Due implements commit.Source. The background work of the registry is: members leave
// deleted groups, things that a process which is gone left connected are marked as
// disconnected, the fleet index is cleared or filled, and dynamic groups search for
// their members. The last two make the data larger.
func (s *Registry) Due(r store.Reader, asked commit.Asked) (due commit.Due, err error) {
	if !asked.Mine("registry") {
		return due, nil
	}
	var departures []string
	for row, err := range tables.departures.Scan(r, "", "") {
		if err != nil {
			return due, err
		}
		departures = append(departures, row.Key)
	}
	work, err := s.indexWork(r)
	if err != nil {
		return due, err
	}
	if !asked.Grow {
		work.extent, work.groups = false, nil
	}
	if len(departures) > 0 || work.any() {
		due.Steps = func() []func(*commit.Tx) error {
			var steps []func(*commit.Tx) error
			for _, id := range departures {
				steps = append(steps, func(tx *commit.Tx) error { return s.departSome(tx, id, stepMax) })
			}
			return append(steps, s.indexSteps(work)...)
		}
	}
	return due, nil
}
