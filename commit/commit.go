// Package commit changes the state of the service. Callers and background work submit
// commands; a Committer runs the waiting commands together in one transaction of the
// store, answers each when the transaction is durable, and then calls the notifications
// that the commands have asked for.
//
// The package knows the store and its queues and executions, but no rule about things
// or jobs: what a command does is decided by the package that submits it. The rules for
// every command are here: it may run more than once, it has no effect but what it writes
// into its Tx, and nothing is answered or notified before its transaction is durable.
package commit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/turns"
)

// Limits of a Committer. A sync of the disk takes far longer than a command, so
// commands that wait at the same time share a transaction and its sync: the batch. There
// is no timer: a batch starts as soon as there is a command, so a single caller does not
// wait for others, and under load the batches grow by themselves, up to BatchMax.
//
// A batch is either commands whose callers wait, or steps of background work, which read
// up to about workMax queues, and half of them while somebody asks. The two alternate, and a
// batch of background work ends after the step during which a caller arrives, so a caller
// waits for at most one step. While somebody asks, each step takes a turn, and background
// work rests after a batch. A request that finds no processor free waits for that rest, so
// batches are shorter then.
// If more than waitingMax commands of a lane wait, new ones fail with Throttled. Up to pipelineMax
// batches may be applied and not yet durable.
const (
	BatchMax    = 1024
	workMax     = 512
	waitingMax  = 200_000
	pipelineMax = 4
)

// Options are the parts of a Committer. Store and Now are required.
type Options struct {
	Store store.Store
	Now   func() muster.Instant
	// Room is asked before every command. While it refuses reserve.Finish nothing is
	// written at all; while it refuses reserve.Grow, Work asks its sources only for
	// work that does not make the data larger. It must be quick. Nil always has room.
	Room reserve.Room
	// Watcher is told of commits. Nil is allowed.
	Watcher Watcher
	// Turns are those of background work in this process. Nil holds nothing back.
	Turns *turns.Turns
	// Log receives the faults that cannot be shown to a caller. Nil discards them.
	Log *slog.Logger
}

// Watcher is told of commits by one goroutine at a time, in their order; those of several
// lanes have none. Its methods must not block.
type Watcher interface {
	// Due is called when there may be background work earlier than the last Agenda said.
	Due()
	// Told is called when what follows from commands of a durable transaction was told: nothing is told
	// of another one in between. wake is the earliest instant from which background work that these
	// commands have left can be done: zero is at once, and Never that there is none. Commands of no
	// single thing may be told of before the others (Tx).
	Told(wake muster.Instant)
	// Committed is called once for each durable transaction, with the number of its commands, when
	// all of it was told.
	Committed(commands int)
}

// Committer runs commands on one store. Make it with New and keep Run running: commands
// submitted before Run wait for it, and those submitted after it has ended fail with
// Unavailable. It may be used by many goroutines.
type Committer struct {
	store store.Store
	now   func() muster.Instant
	room  reserve.Room
	watch Watcher
	turns *turns.Turns
	log   *slog.Logger

	wide  *lane       // runs everything but what lanes run
	lanes []*lane     // of commands that concern one thing (lanes.go); none on a store without lanes
	laned store.Laned // says which lane that is; nil if there are none

	shared store.Shared // the store if other processes may change it (clustered.go), or nil
	clock  clock        // of such a store
	always []func(*Wants)

	gate gate  // of the transactions of lanes
	off  guard // those that do nothing: a test shows that each is needed

	mu     sync.Mutex // guards what follows, and the commands of all lanes
	closed bool
	away   map[muster.ThingName]int // how many commands of a thing the wide lane has from its own
	feeds  int                      // what may still hand commands to the wide lane: lanes, and batches that are not answered

	refused, alone atomic.Uint64 // of Stats

	telling sync.Mutex   // held while a batch is answered
	asked   atomic.Int64 // the instant at which Work last asked to be called

	// removed is the highest revision of a queue that was removed (Tx.PutQueue). With lanes
	// it may be that of a transaction that was given up: revisions may have gaps. It is not
	// needed where other processes may change the store, since that keeps revisions.
	removed atomic.Int64
}

// New returns a Committer on o.
func New(o Options) *Committer {
	c := &Committer{store: o.Store, now: o.Now, room: o.Room, watch: o.Watcher, turns: o.Turns, log: o.Log}
	c.gate.init()
	c.wide = newLane(c, o.Store.Apply)
	c.shared = sharedOf(o.Store)
	if s, ok := o.Store.(store.Laned); ok {
		c.laned, c.lanes = s, lanesOf(c, s)
		c.away = map[muster.ThingName]int{}
	}
	if c.room == nil {
		c.room = reserve.Endless
	}
	if c.watch == nil {
		c.watch = blind{}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c
}

// blind is the Watcher of a Committer without one.
type blind struct{}

func (blind) Due()                {}
func (blind) Told(muster.Instant) {}
func (blind) Committed(int)       {}

// View runs fn on a snapshot whose contents are durable. fn must not keep the reader. It
// returns the error of fn or of the store; while that cannot be reached it fails with
// Unavailable.
func (c *Committer) View(ctx context.Context, fn func(store.Reader) error) error {
	err := c.store.View(ctx, fn)
	if errors.Is(err, store.ErrUnavailable) {
		return notStored(err)
	}
	return err
}

// Shared reports whether several transactions may run at the same time (lanes.go).
func (c *Committer) Shared() bool { return len(c.lanes) > 0 }

// Log returns the log for faults that cannot be shown to a caller.
func (c *Committer) Log() *slog.Logger { return c.log }

// HasRoom returns nil if there is room on the disk for a small write for u, and an error
// of the kind NoRoom otherwise.
func (c *Committer) HasRoom(u reserve.Use) error {
	if err := c.room(u, 0); err != nil {
		return &muster.Error{Kind: muster.NoRoom, Msg: err.Error()}
	}
	return nil
}

var (
	errClosed     = muster.Errorf(muster.Unavailable, "the service is shutting down")
	errOverloaded = muster.Errorf(muster.Throttled, "too many requests are waiting")
)

// command is one operation on its way through the Committer.
type command struct {
	// run reads and writes in tx. It may run more than once, on a new transaction each
	// time. If it fails, what it wrote is undone.
	run func(tx *Tx) (value any, err error)
	// answer is called once with the outcome, after the transaction is durable. It must
	// be quick.
	answer func(value any, err error)
	// wants names what run will read, as far as that is known. Nil names nothing.
	wants func(*Wants)
	// thing is the one that the command concerns; empty if there may be others.
	thing muster.ThingName
	// away is set once the wide lane has the command although it concerns one thing.
	away bool
}

// Do runs fn in a transaction and returns its value when the transaction is durable. fn
// may run more than once and must change nothing but the Tx. If fn returns a
// *muster.Error, what fn wrote is undone and the other commands of the transaction are
// not affected; any other error is taken for a failure of the store. If ctx ends first,
// Do fails with Unavailable, and fn may still take effect. wants name what fn will read (see
// Submit). If ctx has a witness (Witnessed), that testifies.
func Do[T any](ctx context.Context, c *Committer, fn func(*Tx) (T, error), wants ...func(*Wants)) (T, error) {
	fn, wants = witnessed(ctx, fn, wants)
	return Await(ctx, func(done func(T, error)) { Submit(c, "", all(wants), fn, done) })
}

// all returns one function for wants, nil for none.
func all(wants []func(*Wants)) func(*Wants) {
	switch len(wants) {
	case 0:
		return nil
	case 1:
		return wants[0]
	}
	return func(w *Wants) {
		for _, want := range wants {
			want(w)
		}
	}
}

// Do is the function Do for an fn without a value.
func (c *Committer) Do(ctx context.Context, fn func(*Tx) error, wants ...func(*Wants)) error {
	_, err := Do(ctx, c, func(tx *Tx) (struct{}, error) { return struct{}{}, fn(tx) }, wants...)
	return err
}

// Submit is Do for a caller that does not wait. done is called once, with the value of
// the run whose transaction became durable, or with the zero value and an error. It must
// be quick. wants names what fn will read, as far as that is known, so that all commands
// of a batch are read for at once; nil names nothing. If the service is shutting down or
// overloaded, or the disk is full, Submit calls done with the error before it returns.
//
// thing is not empty if fn changes executions, queues and records of that thing only, and
// calls Tx.Wide before it does anything else. On a store with lanes such commands of
// different things run at the same time; those of one thing run in the order in which they
// were submitted.
func Submit[T any](c *Committer, thing muster.ThingName, wants func(*Wants), fn func(*Tx) (T, error), done func(T, error)) {
	c.submit(command{
		thing: thing,
		wants: wants,
		run: func(tx *Tx) (any, error) {
			v, err := fn(tx)
			return &v, err
		},
		answer: func(value any, err error) {
			var v T
			if err == nil {
				v = *value.(*T)
			}
			done(v, err)
		},
	})
}

// Await calls an operation that answers through done, and waits for the answer. If ctx
// ends first it fails with Unavailable, and the operation may still take effect.
func Await[T any](ctx context.Context, call func(done func(T, error))) (T, error) {
	type result struct {
		value T
		err   error
	}
	answered := make(chan result, 1)
	call(func(v T, err error) { answered <- result{v, err} })
	select {
	case r := <-answered:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, &muster.Error{Kind: muster.Unavailable, Msg: "the request took too long, or its client went away", Err: ctx.Err()}
	}
}

// submit queues a command whose caller waits, or fails it at once.
func (c *Committer) submit(cmd command) {
	full := c.HasRoom(reserve.Finish)
	l := c.laneOf(cmd.thing)
	c.mu.Lock()
	err := error(nil)
	switch {
	case c.closed:
		err = errClosed
	case full != nil:
		err = full
	case len(l.waiting) >= waitingMax:
		err = errOverloaded
	default:
		l.waiting = append(l.waiting, cmd)
	}
	c.mu.Unlock()
	if err != nil {
		cmd.answer(nil, err)
		return
	}
	l.announce()
}

// Background runs steps of background work in order, as many in one transaction as fit.
// It returns the first error of a step when all steps are durable or have failed, or the
// error of ctx as soon as that ends. A step that fails does not stop those after it.
func (c *Committer) Background(ctx context.Context, steps []func(*Tx) error) error {
	done := make(chan error, len(steps))
	commands := make([]command, len(steps))
	for i, step := range steps {
		commands[i] = command{
			run:    func(tx *Tx) (any, error) { return nil, step(tx) },
			answer: func(_ any, err error) { done <- err },
		}
	}
	c.submitWork(commands)
	var first error
	for range steps {
		select {
		case err := <-done:
			if first == nil {
				first = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return first
}

// submitWork queues background commands, or fails them at once if the service is
// shutting down.
func (c *Committer) submitWork(commands []command) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.wide.work = append(c.wide.work, commands...)
	}
	c.mu.Unlock()
	if closed {
		for _, cmd := range commands {
			cmd.answer(nil, errClosed)
		}
		return
	}
	c.wide.announce()
}
