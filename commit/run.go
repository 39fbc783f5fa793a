package commit

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// batch is what one transaction carried, on its way to being durable.
type batch struct {
	commands []command
	work     bool      // they are background work
	outcomes []outcome // of commands, and of some that were left for later
	spoiled  []bool    // failed after they wrote, in a transaction that was given up
	ends     []func()  // after all commands are answered
	due      bool      // Work is to be called sooner than it asked to be
	wait     func() error
}

// Run commits and answers until ctx ends, then finishes what waits and returns.
// It does the same, and returns store.ErrStopped, when the store cannot go on. One
// goroutine applies and another answers, so the next batch runs while the last
// one is being synced.
func (c *Committer) Run(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pipeline := make(chan batch, pipelineMax)
	answered := make(chan error, 1)
	go func() {
		var stopped error
		for b := range pipeline {
			if err := c.answer(b); errors.Is(err, store.ErrStopped) {
				stopped = err
				stop()
			}
		}
		answered <- stopped
	}()
	defer func() { close(pipeline); err = <-answered }()
	for {
		select {
		case <-c.arrived:
		case <-ctx.Done():
			c.mu.Lock()
			c.closed = true
			c.mu.Unlock()
		}
		for commands, work := c.take(); len(commands) > 0; commands, work = c.take() {
			pipeline <- c.apply(commands, work)
		}
		if ctx.Err() != nil {
			c.mu.Lock()
			drained := c.closed && len(c.waiting)+len(c.work) == 0
			c.mu.Unlock()
			if drained {
				return nil
			}
		}
	}
}

// take returns what the next batch is to do, and whether that is background
// work; the batch may leave some of that.
func (c *Committer) take() (commands []command, work bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := &c.waiting
	if work = len(c.work) > 0 && (c.workNext || len(c.waiting) == 0); work {
		from = &c.work
	}
	c.workNext = !work
	n := min(len(*from), BatchMax)
	commands = (*from)[:n:n]
	if n == len(*from) {
		*from = nil
	} else {
		*from = (*from)[n:]
	}
	return commands, work
}

// callersWait reports whether a caller waits for the next batch.
func (c *Committer) callersWait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 0
}

// putBack returns the commands that a batch has left, to be taken first of all.
func (c *Committer) putBack(commands []command, work bool) {
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
func (c *Committer) apply(commands []command, work bool) batch {
	b := batch{commands: commands, work: work, outcomes: make([]outcome, len(commands)), spoiled: make([]bool, len(commands))}
	now := c.now()
	var tx *Tx
	wait, err := (func() error)(nil), errAgain
	for errors.Is(err, errAgain) {
		wait, err = c.store.Apply(context.Background(), func(s store.Tx) error {
			tx = newTx(s, now)
			return b.run(tx, c)
		})
	}
	if left := commands[len(b.commands):]; len(left) > 0 {
		c.putBack(left, work)
	}
	if err != nil {
		c.log.Error("commit failed", "error", err)
		b.wait = func() error { return err }
		return b
	}
	b.wait, b.ends = wait, tx.ends
	for _, take := range tx.adopts {
		take()
	}
	// Only now, when everyone sees what was written: if Work looks before this, it
	// finds it, and if it looked earlier, asked is what it found.
	for _, o := range b.outcomes[:len(b.commands)] {
		b.due = b.due || int64(o.wake) < c.asked.Load()
	}
	return b
}

// run does what one transaction is to do.
func (b *batch) run(tx *Tx, c *Committer) error {
	tx.prefetch(b.commands)
	for i, cmd := range b.commands {
		if b.spoiled[i] {
			continue
		}
		if b.work && i > 0 && c.enough(tx) {
			b.commands = b.commands[:i]
			break
		}
		b.outcomes[i] = tx.run(cmd)
		err := b.outcomes[i].err
		switch _, answer := errors.AsType[*muster.Error](err); {
		case err == nil:
		case !answer && i > 0:
			b.commands = b.commands[:i]
			return errAgain
		case !answer:
			b.commands = b.commands[:1]
			return err
		case tx.wrote:
			b.spoiled[i] = true
			return errAgain
		}
	}
	return tx.end()
}

// enough reports whether a batch of background work ends before its next step.
func (c *Committer) enough(tx *Tx) bool {
	runtime.Gosched() // steps fill a core: callers get to make their requests between two
	return len(tx.queues) >= workMax || c.callersWait()
}

// answer waits until b is durable, then tells each caller its outcome and
// whoever else is to be told, command by command. It returns why b is not
// stored.
func (c *Committer) answer(b batch) error {
	if err := b.wait(); err != nil {
		for _, cmd := range b.commands {
			cmd.answer(nil, &muster.Error{Kind: muster.Internal, Msg: "the change could not be stored", Err: err})
		}
		return err
	}
	for i, cmd := range b.commands {
		o := b.outcomes[i]
		if fault, ok := errors.AsType[*faultError](o.err); ok {
			c.log.Error("command panicked", "panic", fault.value, "stack", fault.stack)
		}
		for _, tell := range o.ahead {
			tell()
		}
		cmd.answer(o.value, o.err)
		for _, tell := range o.after {
			tell()
		}
	}
	for _, tell := range b.ends {
		tell()
	}
	if b.due {
		c.watch.Due()
	}
	c.watch.Committed(len(b.commands))
	return nil
}
