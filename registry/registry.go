// Package registry keeps things, their types and groups, the fleet index and the
// members of dynamic groups, and which things are connected. What a change of a
// thing means for jobs it tells through the interface Jobs, in the transaction of
// the change.
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

// Jobs is told, in the transaction of a change, what the change may mean for
// jobs. Its errors fail the command.
type Jobs interface {
	// Leaving says that a thing which joined a group at an instant is about to
	// leave it; lineage has the ids of the group and of those above it.
	Leaving(tx *commit.Tx, thing muster.ThingName, joined muster.Instant, lineage []string) error
	// Moved says, at the end of the command, which groups a thing has left and
	// joined.
	Moved(tx *commit.Tx, m Move) error
	// ThingDeleted says that a thing is gone.
	ThingDeleted(tx *commit.Tx, thing muster.ThingName) error
	// GroupKnown says that the dynamic group of an id knows its members now, or
	// will not learn them any more.
	GroupKnown(tx *commit.Tx, id string) error
	// GivenToMembers calls fn for every job that the things of the group with an id
	// are given when they join it.
	GivenToMembers(tx *commit.Tx, id string, fn func(muster.JobID) error) error
}

// Rank is when the registry settles the members of dynamic groups at the end of a
// command (commit.Tx.Before): before those ranks that are higher.
const Rank = 1

// stepMax bounds the things that one step of background work touches: what a
// caller waits for at most.
const stepMax = 128

// Options are the parts of a Registry. All but the last two are required.
type Options struct {
	Commits *commit.Committer
	Account muster.Account
	NewID   func() string // of things, types and groups; UUIDs
	Process string        // names this run of the server
	Pages   listing.Pager
	Events  *eventlog.Log
	Rights  *rights.Rights
	Catalog *catalog.Catalog

	// TypeDeletionWait is how long a thing type must have been deprecated before it
	// can be deleted; zero means not at all (registry.md REG-35).
	TypeDeletionWait time.Duration
	// DynamicGroupsMax bounds the dynamic thing groups; more are LimitExceeded. Zero
	// means no bound.
	DynamicGroupsMax int
}

// Registry is the service of things, types and groups. Make it with New, and
// connect it with Jobs before the first command.
type Registry struct {
	commits          *commit.Committer
	account          muster.Account
	newID            func() string
	pages            listing.Pager
	rights           *rights.Rights
	catalog          *catalog.Catalog
	events           teller
	index            *index
	connections      *connections
	typeDeletionWait time.Duration
	dynamicGroupsMax int
}

// New returns a Registry on o.
func New(o Options) *Registry {
	ix := &index{commits: o.Commits, events: teller{o.Events}}
	return &Registry{
		commits: o.Commits, account: o.Account, newID: o.NewID, pages: o.Pages, rights: o.Rights, catalog: o.Catalog,
		events: ix.events, index: ix, connections: &connections{ix, o.Process},
		typeDeletionWait: o.TypeDeletionWait, dynamicGroupsMax: o.DynamicGroupsMax,
	}
}

// Connect says whom the registry tells of changes. It is called once, before the
// first command.
func (s *Registry) Connect(j Jobs) { s.index.jobs = j }

// The kinds of resource of this package that can have tags.
const (
	KindGroup tags.Kind = "thinggroup"
	KindType  tags.Kind = "thingtype"
)

// Kinds say which resources there are.
func Kinds() tags.Kinds {
	return tags.Kinds{KindGroup: tables.groups.Has, KindType: tables.types.Has}
}

// Ready returns nil when the store answers.
func Ready(r store.Reader) error {
	_, err := tables.things.Has(r, "ready")
	return err
}

// Due looks up what there is to do in the background: groups that things leave,
// the fleet index, and dynamic groups that look for their members.
func (s *Registry) Due(r store.Reader, _ muster.Instant, grow bool) (due commit.Due, err error) {
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
	if !grow {
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
