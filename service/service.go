// Package service puts the parts of the service together on one store: rights, catalog,
// registry, jobs, tags and the event log share a Committer. It has no rules of its own. It
// also does what concerns all records of a store: it verifies that they agree, and
// migrates them from older formats.
package service

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/catalog"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/internal/uuid"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/tags"
	"github.com/muster-iot/muster/turns"
)

// Watcher is told of what was committed. Its methods are called after the transaction is
// durable, in the order of commits, and must not block.
type Watcher interface {
	commit.Watcher
	rights.Watcher
	eventlog.Watcher
}

// Options are the parts of a Service. Store, Account and Now are required.
type Options struct {
	Store   store.Store
	Account muster.Account
	Now     func() muster.Instant

	// Audience is told of changes of queues (jobs.Audience). Nil is allowed.
	Audience jobs.Audience
	// Watcher is told of commits. Nil is allowed.
	Watcher Watcher
	// Sinks are the receivers of events; they read them with Service.Events.
	Sinks eventlog.Sinks
	// Objects are the files that job documents name. Nil refuses documents that
	// name some.
	Objects jobs.Objects
	// Room is asked before every write. While it refuses reserve.Finish nothing is
	// written at all; while it refuses reserve.Grow, rollouts and the fleet index wait.
	// Other requests that make the data larger are refused by the edges. It must be
	// quick. Nil always has room.
	Room reserve.Room
	// Turns are those of background work in this process. Nil holds nothing back.
	Turns *turns.Turns
	// Log receives the faults that cannot be shown to a caller. Nil discards them.
	Log *slog.Logger
	// NewID makes ids for things, groups, types, generations and events. Some may stay
	// unused, because a transaction can run twice. Nil means random UUIDs.
	NewID func() string
	// Process is the name of this run of the server, different for each. Empty means a random
	// one.
	Process string
	// Gone reports whether another process is gone (registry.Options). Nil is true of all: the store
	// has one process at a time.
	Gone func(process string) bool
	// PageKey authenticates page tokens. Nil means a random key, so that tokens are
	// invalid after a restart.
	PageKey []byte

	// StrictTransitions refuses REJECTED from IN_PROGRESS (arbitration A10).
	StrictTransitions bool
	// RemovedInProgress ends the running execution of a thing that left the
	// last target of a continuous job, instead of letting it finish
	// (arbitration A6).
	RemovedInProgress bool
	// SkipSucceeded spares a thing that rejoins a continuous job which it has
	// SUCCEEDED in, instead of giving it the job again (jobs-lifecycle.md J9).
	SkipSucceeded bool
	// TypeDeletionWait is how long a thing type must have been deprecated
	// before it can be deleted; zero means not at all (registry.md REG-35).
	TypeDeletionWait time.Duration
	// DynamicGroupsMax bounds the dynamic thing groups; more are LimitExceeded. Zero
	// means no bound.
	DynamicGroupsMax int
	// RolloutPerMinute is the rate of jobs that set none; zero is as fast as
	// the service goes (arbitration A8).
	RolloutPerMinute int
	// Limits bound what jobs there may be at once; the zero Limits bound nothing.
	Limits jobs.Limits
	// Audit says how long audit records are kept, and what is in them. The zero Settings keep none.
	Audit audit.Settings
}

// Service is the parts of the service on one store. Make it with New and keep Run
// running: operations called before Run wait for it, and those called after it has ended
// fail with Unavailable.
type Service struct {
	Commits  *commit.Committer
	Events   *eventlog.Log
	Rights   *rights.Rights
	Catalog  *catalog.Catalog
	Registry *registry.Registry
	Jobs     *jobs.Jobs
	Tags     *tags.Tags
	Diary    *diary.Recorder
	Audit    *audit.Log

	store store.Store
}

// New returns a Service on o.
func New(o Options) *Service {
	if o.NewID == nil {
		o.NewID = uuid.New
	}
	if o.Process == "" {
		o.Process = uuid.New()
	}
	pages := listing.NewPager(o.PageKey)
	s := &Service{store: o.Store}
	s.Commits = commit.New(commit.Options{Store: o.Store, Now: o.Now, Room: o.Room, Watcher: o.Watcher, Turns: o.Turns, Log: o.Log})
	s.Events = eventlog.New(eventlog.Options{Commits: s.Commits, NewID: o.NewID, Sinks: o.Sinks, Watcher: o.Watcher})
	s.Rights = rights.New(rights.Options{
		Commits: s.Commits, Account: o.Account, NewID: o.NewID, Pages: pages, Registry: registry.Lookup{}, Watcher: o.Watcher, Shared: shared(o.Store),
	})
	s.Catalog = catalog.New(s.Commits, o.Account, pages, registry.Lookup{})
	s.Registry = registry.New(registry.Options{
		Commits: s.Commits, Account: o.Account, NewID: o.NewID, Process: o.Process, Gone: o.Gone, Pages: pages, Events: s.Events, Rights: s.Rights, Catalog: s.Catalog, Diaries: diary.Deleted{},
		TypeDeletionWait: o.TypeDeletionWait, DynamicGroupsMax: o.DynamicGroupsMax,
	})
	s.Jobs = jobs.New(jobs.Options{
		Commits: s.Commits, Account: o.Account, Pages: pages, Events: s.Events, Catalog: s.Catalog, Registry: s.Registry,
		Audience: o.Audience, Objects: o.Objects,
		StrictTransitions: o.StrictTransitions, RemovedInProgress: o.RemovedInProgress, SkipSucceeded: o.SkipSucceeded,
		RolloutPerMinute: o.RolloutPerMinute, Limits: o.Limits,
	})
	s.Tags = tags.New(s.Commits, o.Account, kinds())
	s.Diary = diary.New(diary.Options{Commits: s.Commits, Things: registry.Lookup{}, Now: o.Now, Pages: pages, Log: o.Log})
	s.Audit = audit.New(audit.Options{Settings: o.Audit, Store: o.Store, Commits: s.Commits, Pages: pages, Shown: shown(), Events: recordEvents{s.Events}, Log: o.Log})
	return s
}

// shared returns s if several processes share it, and otherwise nil.
func shared(s store.Store) store.Shared {
	if shared, ok := s.(store.Shared); ok && shared.Shared() {
		return shared
	}
	return nil
}

// shown says what audit records show of all tables.
func shown() []audit.Shown {
	return slices.Concat(rights.Audited(), catalog.Audited(), registry.Audited(), jobs.Audited(), tags.Audited(), eventlog.Audited())
}

// kinds returns the kinds of all resources that can have tags.
func kinds() tags.Kinds {
	all := tags.Kinds{}
	for _, of := range []tags.Kinds{rights.Kinds(), catalog.Kinds(), registry.Kinds(), jobs.Kinds()} {
		maps.Copy(all, of)
	}
	return all
}

// Run commits and answers until ctx ends, then finishes the operations that wait and
// returns nil. If the store stops for good it does the same and returns store.ErrStopped.
// On a store that is not in the present format (CheckFormat) it returns an error at once.
func (s *Service) Run(ctx context.Context) error {
	if err := CheckFormat(ctx, s.store); err != nil {
		return err
	}
	return s.Commits.Run(ctx)
}

// Work does one round of the background work that is due (commit.Committer.Work).
func (s *Service) Work(ctx context.Context) (commit.Agenda, error) { return s.WorkOn(ctx, nil) }

// WorkOn is Work on what is this process's part of it: work with a key for which mine returns
// true. Several processes that share a store may divide it so; whatever mine says, nothing is done
// twice.
func (s *Service) WorkOn(ctx context.Context, mine func(key string) bool) (commit.Agenda, error) {
	return s.Commits.Work(ctx, mine, s.Jobs, s.Registry, s.Events, s.Audit)
}

// Ready reads from the store and returns its error.
func (s *Service) Ready(ctx context.Context) error { return s.Commits.View(ctx, registry.Ready) }
