// Package jobs is the Jobs service: one method per operation, whichever wire it
// came by. A method loads the state it needs, applies a pure rule of package
// muster at one instant, commits, and only then answers and notifies. Devices,
// operators, rollouts, timers and the registry all change executions through the
// thing's queue, in transaction.go and fate.go; there is no second way.
package jobs

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
)

// Audience is who is told of changes of queues. Keep and Hears are asked within
// transactions, of which several may run at the same time: they must be quick, hand in no
// command, and may be asked again.
type Audience interface {
	// Keep reports whether what is owed to a thing must outlive the process,
	// because a session that is kept across restarts has subscribed to it; then
	// Delivered must be called once it is safe.
	Keep(store.QueueKey, muster.Change) bool
	// Hears reports whether the next notification of a queue would have a receiver
	// now.
	Hears(store.QueueKey) bool
	// Notify is handed what the things must be told, after the commit and after
	// the answer to the caller, in commit order; on a store with lanes only the
	// revisions tell which of two notifications of a thing is newer. It is called by
	// one goroutine at a time, should be quick, and must call nothing of this package
	// but Delivered.
	Notify([]Notification)
}

// Options are the parts of Jobs. Commits, Account, Pages, Events, Catalog and
// Registry are required.
type Options struct {
	Commits  *commit.Committer
	Account  muster.Account
	Pages    listing.Pager
	Events   *eventlog.Log
	Catalog  *catalog.Catalog
	Registry *registry.Registry

	// Audience is told of changes. Nil tells nobody.
	Audience Audience
	// Objects are the files that job documents name. Nil refuses documents that
	// name some.
	Objects Objects

	// StrictTransitions refuses REJECTED from IN_PROGRESS (arbitration A10).
	StrictTransitions bool
	// RemovedInProgress ends the running execution of a thing that left the
	// last target of a continuous job, instead of letting it finish
	// (arbitration A6).
	RemovedInProgress bool
	// SkipSucceeded spares a thing that rejoins a continuous job which it has
	// SUCCEEDED in, instead of giving it the job again (jobs-lifecycle.md J9).
	SkipSucceeded bool
	// RolloutPerMinute is the rate of jobs that set none; zero is as fast as
	// the service goes (arbitration A8).
	RolloutPerMinute int
	// Limits bound what there may be at once; the zero Limits bound nothing.
	Limits Limits
}

// Jobs is the service of jobs and executions. Make it with New.
type Jobs struct {
	commits  *commit.Committer
	account  muster.Account
	pages    listing.Pager
	events   *eventlog.Log
	catalog  *catalog.Catalog
	registry *registry.Registry
	audience Audience
	objects  Objects

	strictTransitions bool
	removedInProgress bool
	skipSucceeded     bool
	rolloutPerMinute  int
	limits            Limits

	decoded   *decodedCache[muster.Job]
	documents *decodedCache[jobDocument]
	waiters   waiters
	undecided undecided
	delivered deliveries
}

// lookup reads the registry.
var lookup registry.Lookup

// New returns Jobs on o, connected with its registry.
func New(o Options) *Jobs {
	s := &Jobs{
		commits: o.Commits, account: o.Account, pages: o.Pages, events: o.Events, catalog: o.Catalog, registry: o.Registry,
		audience: o.Audience, objects: o.Objects,
		strictTransitions: o.StrictTransitions, removedInProgress: o.RemovedInProgress, skipSucceeded: o.SkipSucceeded,
		rolloutPerMinute: o.RolloutPerMinute, limits: o.Limits,
		decoded: newDecodedCache(tables.jobs, decodedJobsMax), documents: newDecodedCache(tables.documents, decodedDocumentsMax),
	}
	if s.audience == nil {
		s.audience = nobody{}
	}
	s.waiters.init()
	s.undecided.init(s.commits.Shared())
	o.Registry.Connect(members{s})
	return s
}

// nobody is the Audience when there is none.
type nobody struct{}

func (nobody) Keep(store.QueueKey, muster.Change) bool { return false }
func (nobody) Hears(store.QueueKey) bool               { return false }
func (nobody) Notify([]Notification)                   {}

// now is the instant at which a question is answered.
func (s *Jobs) now() muster.Instant { return s.commits.Now() }

// The kinds of resource of this package that can have tags.
const (
	KindJob      tags.Kind = "job"
	KindTemplate tags.Kind = "jobtemplate"
)

// Kinds say which resources there are.
func Kinds() tags.Kinds {
	return tags.Kinds{KindJob: tables.jobs.Has, KindTemplate: tables.templates.Has}
}
