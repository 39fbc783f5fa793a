// Package engine is where a rule meets a transaction: one method per operation,
// whichever wire it came by. A method loads the state it needs, applies a pure
// rule of package muster at one instant, commits, and only then answers and
// notifies. The engine knows no transport, ticks no clock, and has no second
// door: devices, operators, rollouts and timers all change executions through
// the thing's queue in commit.go and queue.go.
package engine

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/internal/uuid"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Options are the parts an Engine is made of. Store, Account and Now are
// required.
type Options struct {
	Store   store.Store
	Account muster.Account
	Now     func() muster.Instant

	// Notify is handed what the things must be told, after the commit and after
	// the answer to whoever caused it, in commit order. It is called by one
	// goroutine at a time, should be quick, and must call nothing of the
	// engine but Delivered.
	// Nil tells nobody.
	Notify func([]Notification)
	// Keep reports whether what is owed to a thing must outlive the process,
	// because somebody who is kept across restarts has subscribed to it; then
	// Delivered must be called once it is safe. It must be quick and not call
	// the engine. Nil keeps nothing.
	Keep func(store.QueueKey, muster.Change) bool
	// Sinks are who takes events; they read them with Events.
	Sinks Sinks
	// Recorded is called after a commit that recorded events, and after Notify
	// was. It must not block. Nil is allowed.
	Recorded func()
	// Due is called, after the commit, whenever there may be background work
	// sooner than the caller of Work was last told. It must not block. Nil is
	// allowed.
	Due func()
	// Access is told whose rights may have changed, after the commit and before
	// the answer. It must be quick and not call the engine. Nil is allowed.
	Access func(AccessChange)
	// Observe is told of every commit. Nil is allowed.
	Observe func(commands int)
	// Objects are the files that job documents name. Nil refuses documents that
	// name some.
	Objects Objects
	// Room is asked before every write; while it refuses Finish nothing is
	// written at all, and while it refuses Grow rollouts wait. It must be quick.
	// What else makes the data more is for the edges to refuse. Nil has room.
	Room reserve.Room
	// Hears reports whether somebody would get the next notification of a queue
	// now. It must be quick and not call the engine. Nil says no.
	Hears func(store.QueueKey) bool
	// Log takes the faults that no caller can be shown. Nil discards them.
	Log *slog.Logger
	// NewID makes identities for things, groups and types; not all of them are
	// used. Nil means random UUIDs.
	NewID func() string

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
	// RolloutPerMinute is the rate of jobs that set none; zero is as fast as
	// the engine goes (arbitration A8).
	RolloutPerMinute int
	// Limits bound what there may be at once; the zero Limits bound nothing.
	Limits Limits
	// PageKey makes page tokens tamper-proof; nil means a random one, so that
	// tokens end with the process.
	PageKey []byte
}

// watcher makes a commit.Watcher of functions.
type watcher struct {
	due       func()
	committed func(commands int)
}

func (w watcher) Due()            { w.due() }
func (w watcher) Committed(n int) { w.committed(n) }

// Engine runs operations on one store. Make it with New and keep Run running;
// operations called before Run wait for it, those after it fail with
// Unavailable.
type Engine struct {
	o          Options
	commits    *commit.Committer
	jobs       *decodedCache[muster.Job]
	documents  *decodedCache[jobDocument]
	waiters    waiters
	pages      pager
	fleetIndex *fleetIndex // as committed; nil until it is needed. For the committer only
	process    string      // names this run of the server
}

// New returns an engine on o.
func New(o Options) *Engine {
	if o.Notify == nil {
		o.Notify = func([]Notification) {}
	}
	if o.Keep == nil {
		o.Keep = func(store.QueueKey, muster.Change) bool { return false }
	}
	if o.Hears == nil {
		o.Hears = func(store.QueueKey) bool { return false }
	}
	if o.Recorded == nil {
		o.Recorded = func() {}
	}
	if o.Due == nil {
		o.Due = func() {}
	}
	if o.Access == nil {
		o.Access = func(AccessChange) {}
	}
	if o.Observe == nil {
		o.Observe = func(int) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.NewID == nil {
		o.NewID = uuid.New
	}
	if o.PageKey == nil {
		o.PageKey = make([]byte, 32)
		rand.Read(o.PageKey)
	}
	e := &Engine{o: o, pages: pager{key: o.PageKey}, process: uuid.New()}
	e.jobs, e.documents = newDecodedCache(jobs, decodedJobsMax), newDecodedCache(documents, decodedDocumentsMax)
	e.commits = commit.New(commit.Options{Store: o.Store, Now: o.Now, Room: o.Room, Watcher: watcher{o.Due, o.Observe}, Log: o.Log})
	e.waiters.init()
	return e
}

// view runs fn on a snapshot whose contents are durable.
func (e *Engine) view(ctx context.Context, fn func(store.Reader) error) error {
	return e.o.Store.View(ctx, fn)
}

// Ready returns nil when the store answers.
func (e *Engine) Ready(ctx context.Context) error {
	return e.view(ctx, func(r store.Reader) error {
		_, err := things.Has(r, "ready")
		return err
	})
}
