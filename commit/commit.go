// Package commit is how state changes: callers and background work hand in
// commands, and a Committer runs those that wait together in one transaction of
// the store, answers each when it is durable, and then says what else is owed.
// It knows of no thing and no job. What a command does is its caller's; the rules
// that hold for every command are here: it may run more than once, it leaves
// nothing but what it writes, and nothing is answered or told before its
// transaction is durable.
package commit

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Limits of a Committer. A batch is either what callers wait for, up to BatchMax
// commands, so that an idle caller waits for no other and a thousand share a
// sync; or steps of background work that read up to about workMax queues. The
// two take turns, and a batch of work ends after the step during which a caller
// arrives, so a caller waits for at most one step. Beyond waitingMax the
// service is overloaded and says so. Up to pipelineMax batches may be applied
// and not yet durable.
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
	// Room is asked before every command; while it refuses reserve.Finish nothing
	// is written at all, and while it refuses reserve.Grow Work asks its sources
	// for what does not make the data larger. It must be quick. Nil has room.
	Room reserve.Room
	// Watcher is told of commits. Nil is allowed.
	Watcher Watcher
	// Log takes the faults that no caller can be shown. Nil discards them.
	Log *slog.Logger
}

// Watcher is told of commits by one goroutine, in their order. Its methods must
// not block.
type Watcher interface {
	// Due says that there may be background work sooner than the last Agenda said.
	Due()
	// Committed says how many commands a transaction carried that is durable now.
	Committed(commands int)
}

// Committer runs commands on one store. Make it with New and keep Run running:
// commands handed in before Run wait for it, and those after it fail with
// Unavailable.
type Committer struct {
	store store.Store
	now   func() muster.Instant
	room  reserve.Room
	watch Watcher
	log   *slog.Logger

	mu       sync.Mutex
	waiting  []command // whose callers wait
	work     []command // background work
	workNext bool      // it is the turn of background work
	closed   bool
	arrived  chan struct{} // holds a token when there may be commands

	asked atomic.Int64 // the instant at which Work last asked to be called
}

// New returns a Committer on o.
func New(o Options) *Committer {
	c := &Committer{store: o.Store, now: o.Now, room: o.Room, watch: o.Watcher, log: o.Log, arrived: make(chan struct{}, 1)}
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

// blind is the Watcher of a Committer that nobody watches.
type blind struct{}

func (blind) Due()          {}
func (blind) Committed(int) {}

// View runs fn on a snapshot whose contents are durable.
func (c *Committer) View(ctx context.Context, fn func(store.Reader) error) error {
	return c.store.View(ctx, fn)
}

// Now returns the instant at which a command that ran now would run.
func (c *Committer) Now() muster.Instant { return c.now() }

// Log returns where faults go that no caller can be shown.
func (c *Committer) Log() *slog.Logger { return c.log }

// HasRoom returns nil when there is room on the disk for a small write of a use,
// and else the refusal, of the kind NoRoom.
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
	// run changes what tx shows. It may run more than once, on a new transaction
	// each time. When it fails, what it wrote is undone.
	run func(tx *Tx) (value any, err error)
	// answer is told the outcome once, after the transaction is durable. It must
	// be quick.
	answer func(value any, err error)
	// wants names what run will read, as far as that is known; nil for nothing.
	wants func(*Wants)
}

// Do runs fn in a transaction and returns its value once that is durable. fn may
// run more than once, and keeps nothing of its own outside. An error of fn that
// is a *muster.Error undoes fn and nothing else; any other is the store's. When
// ctx ends first, Do fails with Unavailable, and fn may still take effect.
func Do[T any](ctx context.Context, c *Committer, fn func(*Tx) (T, error)) (T, error) {
	return Await(ctx, func(done func(T, error)) { Submit(c, nil, fn, done) })
}

// Do is the function Do for an fn that makes no value.
func (c *Committer) Do(ctx context.Context, fn func(*Tx) error) error {
	_, err := Do(ctx, c, func(tx *Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// Submit is Do for a caller that does not wait: done is called once, with the
// value of the run that counts, and with the zero value when there is an error.
// wants names what fn will read, as far as that is known, so that a batch of
// commands reads it at once; nil names nothing. Submit fails at once, by done,
// when the service is shutting down or overloaded, or the disk is full.
func Submit[T any](c *Committer, wants func(*Wants), fn func(*Tx) (T, error), done func(T, error)) {
	c.submit(command{
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

// Await calls an operation that answers through done, and waits for it. When ctx
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
	c.mu.Lock()
	err := error(nil)
	switch {
	case c.closed:
		err = errClosed
	case full != nil:
		err = full
	case len(c.waiting) >= waitingMax:
		err = errOverloaded
	default:
		c.waiting = append(c.waiting, cmd)
	}
	c.mu.Unlock()
	if err != nil {
		cmd.answer(nil, err)
		return
	}
	c.announce()
}

// Background runs steps of background work, in order, as many in one transaction
// as fit, and returns the first error once all are durable or ctx ends.
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

// submitWork queues background commands, or fails them at once when the service
// is shutting down.
func (c *Committer) submitWork(commands []command) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.work = append(c.work, commands...)
	}
	c.mu.Unlock()
	if closed {
		for _, cmd := range commands {
			cmd.answer(nil, errClosed)
		}
		return
	}
	c.announce()
}

func (c *Committer) announce() {
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}
