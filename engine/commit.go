package engine

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// Limits of the committer. A batch is either what callers wait for, up to
// batchMax commands, so that an idle caller waits for no other and a thousand
// share a sync; or steps of background work that touch up to about workMax
// things. The two take turns, and a batch of work ends after the step during
// which a caller arrives, so a caller waits for at most one step. Beyond
// waitingMax the engine is overloaded and says so. Up to pipelineMax batches may
// be applied and not yet durable.
const (
	batchMax    = 1024
	workMax     = 512
	waitingMax  = 200_000
	pipelineMax = 4
)

// command is one operation on its way through the committer.
type command struct {
	// run changes b. It may run more than once, on a new b each time. When it
	// fails, whatever it wrote is undone.
	run func(b *batch) error
	// done is told the outcome once, after the commit is durable and before
	// the notifications that it owes go out. It must be quick.
	done func(error)
}

// committer takes what waits, applies it as one transaction and answers when
// it is durable. One goroutine applies and another answers, so the next batch
// runs while the last one is being synced.
type committer struct {
	mu       sync.Mutex
	waiting  []command // with a caller that waits
	work     []command // background work
	workNext bool      // it is work's turn
	closed   bool
	arrived  chan struct{} // holds a token when there may be commands
}

func (c *committer) init() { c.arrived = make(chan struct{}, 1) }

var (
	errClosed     = muster.Errorf(muster.Unavailable, "the service is shutting down")
	errOverloaded = muster.Errorf(muster.Throttled, "too many requests are waiting")
)

// submit queues c, or fails it at once when the engine is closed or overloaded,
// or the disk is full.
func (e *Engine) submit(c command) {
	q := &e.commits
	full := e.room(reserve.Finish)
	q.mu.Lock()
	err := error(nil)
	switch {
	case q.closed:
		err = errClosed
	case full != nil:
		err = full
	case len(q.waiting) >= waitingMax:
		err = errOverloaded
	default:
		q.waiting = append(q.waiting, c)
	}
	q.mu.Unlock()
	if err != nil {
		c.done(err)
		return
	}
	q.announce()
}

// submitWork queues background commands, which are taken together as far as a
// batch of work goes, or fails them at once when the engine is closed.
func (e *Engine) submitWork(commands []command) {
	q := &e.commits
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.work = append(q.work, commands...)
	}
	q.mu.Unlock()
	if closed {
		for _, c := range commands {
			c.done(errClosed)
		}
		return
	}
	q.announce()
}

func (c *committer) announce() {
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

// submitFor queues a command that makes a value. done gets the value of the run
// that counts, and the zero value with an error. run keeps nothing of its own
// outside: what it assigned there would be shared with a caller that has given
// up, and with the run before it.
func submitFor[T any](e *Engine, run func(*batch) (T, error), done func(T, error)) {
	var v, zero T
	e.submit(command{
		run: func(b *batch) (err error) {
			v, err = run(b)
			return err
		},
		done: func(err error) {
			if err != nil {
				v = zero
			}
			done(v, err)
		},
	})
}

// do runs one command and waits for its value. When ctx ends first it fails as
// Await does: the command may still take effect, and the value is zero.
func do[T any](ctx context.Context, e *Engine, run func(*batch) (T, error)) (T, error) {
	return Await(ctx, func(done func(T, error)) { submitFor(e, run, done) })
}

// do runs one command that makes no value.
func (e *Engine) do(ctx context.Context, run func(*batch) error) error {
	_, err := do(ctx, e, func(b *batch) (struct{}, error) { return struct{}{}, run(b) })
	return err
}

// applied is a batch on its way to being durable.
type applied struct {
	commands []command
	work     bool      // they are background work
	outcomes []outcome // of commands, and of some that were left
	spoiled  []bool    // failed after they wrote, in a transaction that was given up
	due      bool      // Work is to be called sooner than it asked to be
	wait     func() error
}

// outcome is what became of one command.
type outcome struct {
	err      error
	notes    []Notification
	wake     muster.Instant // when Work has something to do of it; never for nothing
	access   AccessChange
	recorded bool
}

// Run commits and answers until ctx ends, then finishes what waits and returns.
// It does the same, and returns store.ErrStopped, when the store cannot go on. On a
// store that Migrate has not finished with it returns an error at once.
func (e *Engine) Run(ctx context.Context) (err error) {
	if err := CheckFormat(ctx, e.o.Store); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pipeline := make(chan applied, pipelineMax)
	answered := make(chan error, 1)
	go func() {
		var stopped error
		for a := range pipeline {
			if err := e.answer(a); errors.Is(err, store.ErrStopped) {
				stopped = err
				stop()
			}
		}
		answered <- stopped
	}()
	defer func() { close(pipeline); err = <-answered }()
	for {
		select {
		case <-e.commits.arrived:
		case <-ctx.Done():
			e.commits.mu.Lock()
			e.commits.closed = true
			e.commits.mu.Unlock()
		}
		for commands, work := e.commits.take(); len(commands) > 0; commands, work = e.commits.take() {
			pipeline <- e.apply(commands, work)
		}
		if ctx.Err() != nil {
			e.commits.mu.Lock()
			drained := e.commits.closed && len(e.commits.waiting)+len(e.commits.work) == 0
			e.commits.mu.Unlock()
			if drained {
				return nil
			}
		}
	}
}

// take returns what the next batch is to do, and whether that is background
// work; the batch may leave some of that.
func (c *committer) take() (commands []command, work bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := &c.waiting
	if work = len(c.work) > 0 && (c.workNext || len(c.waiting) == 0); work {
		from = &c.work
	}
	c.workNext = !work
	n := min(len(*from), batchMax)
	commands = (*from)[:n:n]
	if n == len(*from) {
		*from = nil
	} else {
		*from = (*from)[n:]
	}
	return commands, work
}

// callersWait reports whether a caller waits for the next batch.
func (c *committer) callersWait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 0
}

// putBack returns the commands that a batch has left, to be taken first of all.
func (c *committer) putBack(commands []command, work bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := &c.waiting
	if work {
		to = &c.work
	}
	*to = append(slices.Clip(commands), *to...)
}

// errAgain starts the transaction of a batch again.
var errAgain = errors.New("again")

// apply runs commands in arrival order in one transaction, as many as a batch
// may, and leaves the rest for a later one. A command that fails after it wrote
// would leave half a change, so the transaction is started again without it; its
// error stands. An error that is no answer of a rule is the store's, and nothing
// that was done with it may stand: the batch then ends before that command, and
// a batch that begins with it fails.
func (e *Engine) apply(commands []command, work bool) applied {
	a := applied{commands: commands, work: work, outcomes: make([]outcome, len(commands)), spoiled: make([]bool, len(commands))}
	now := e.o.Now()
	var b *batch
	wait, err := (func() error)(nil), errAgain
	for errors.Is(err, errAgain) {
		wait, err = e.o.Store.Apply(context.Background(), func(tx store.Tx) error {
			b = newBatch(e, tx, now)
			return a.run(b)
		})
	}
	if left := commands[len(a.commands):]; len(left) > 0 {
		e.commits.putBack(left, work)
	}
	if err != nil {
		e.o.Log.Error("commit failed", "error", err)
		a.wait = func() error { return err }
		return a
	}
	a.wait = wait
	e.adopt(b.fleetIndex)
	// Only now, when everyone sees what was written: if Work looks before this, it
	// finds it, and if it looked earlier, asked is what it found.
	for _, o := range a.outcomes[:len(a.commands)] {
		a.due = a.due || int64(o.wake) < e.asked.Load()
	}
	return a
}

// run does what one transaction is to do.
func (a *applied) run(b *batch) error {
	for i, c := range a.commands {
		if a.spoiled[i] {
			continue
		}
		if a.work && i > 0 && b.enough() {
			a.commands = a.commands[:i]
			break
		}
		err := b.run(c)
		a.outcomes[i] = b.outcome(err)
		switch _, answer := errors.AsType[*muster.Error](err); {
		case err == nil:
		case !answer && i > 0:
			a.commands = a.commands[:i]
			return errAgain
		case !answer:
			a.commands = a.commands[:1]
			return err
		case b.wrote:
			a.spoiled[i] = true
			return errAgain
		}
	}
	b.seal()
	return nil
}

// enough reports whether a batch of background work ends before its next step.
func (b *batch) enough() bool {
	runtime.Gosched() // steps fill a core: callers get to make their requests between two
	return len(b.queues) >= workMax || b.e.commits.callersWait()
}

// answer waits until a is durable, then tells each caller its outcome and each
// thing its news, command by command. It returns why a is not stored.
func (e *Engine) answer(a applied) error {
	if err := a.wait(); err != nil {
		for _, c := range a.commands {
			c.done(&muster.Error{Kind: muster.Internal, Msg: "the change could not be stored", Err: err})
		}
		return err
	}
	notified, recorded := 0, false
	for i, c := range a.commands {
		o := a.outcomes[i]
		if fault, ok := errors.AsType[*faultError](o.err); ok {
			e.o.Log.Error("command panicked", "panic", fault.value, "stack", fault.stack)
		}
		if o.access.any() {
			e.o.Access(o.access) // before the answer, so that the caller sees it in force
		}
		c.done(o.err)
		if len(o.notes) > 0 {
			notified += len(o.notes)
			e.waiters.wake(o.notes)
			e.o.Notify(o.notes)
		}
		recorded = recorded || o.recorded
	}
	if recorded {
		e.o.Recorded()
	}
	if a.due {
		e.o.Due()
	}
	e.o.Observe(Commit{Commands: len(a.commands), Notified: notified})
	return nil
}
