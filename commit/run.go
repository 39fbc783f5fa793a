package commit

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/turns"
)

// batch is the commands of one transaction on their way to being durable.
type batch struct {
	commands []command
	work     bool         // the commands are background work
	turn     turns.Turn   // of its steps, if they are background work
	outcomes []outcome    // by place in commands; at the end also of commands that were put back
	spoiled  []bool       // by place: failed after it wrote, so the transaction runs again without it
	refused  int          // how often the store has refused it, since it was halved
	ends     []func()     // called after all commands are answered
	wait     func() error // returns when the transaction is durable, or an error if it never will be
}

// Run commits and answers commands until ctx ends, then finishes those that wait and
// returns nil. If the store stops for good it does the same and returns
// store.ErrStopped. It must be called once.
//
// One goroutine applies batches and another waits for the sync and answers, so the next
// batch runs while the one before is being synced. The next batch reads what the one
// before wrote although it may still be lost in a crash; that is safe because the store
// makes transactions durable in order, and nothing is answered before that.
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
		case <-c.rested:
			c.rested = nil
		case <-ctx.Done():
			c.mu.Lock()
			c.closed = true
			c.mu.Unlock()
		}
		for commands, work := c.take(); len(commands) > 0; commands, work = c.take() {
			b := c.apply(commands, work)
			if rest := b.turn.Rest(); rest > 0 { // while the batches before this one are being synced, work rests anyway
				c.rested = time.After(rest)
			}
			pipeline <- b
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

// take removes the commands of the next batch from their queue and returns them, and
// whether they are background work. apply puts back those that it leaves.
func (c *Committer) take() (commands []command, work bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := &c.waiting
	may := c.mayWork() || c.closed // what waits is finished before Run ends
	if work = may && len(c.work) > 0 && (c.workNext || len(c.waiting) == 0); work {
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

// mayWork reports whether background work has rested after its last batch. It does not
// wait for that, as commands of callers may come.
func (c *Committer) mayWork() bool {
	select {
	case <-c.rested:
		c.rested = nil
	default:
	}
	return c.rested == nil
}

// callersWait reports whether there are commands whose callers wait.
func (c *Committer) callersWait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 0
}

// putBack puts the commands that a batch has left at the front of their queue.
func (c *Committer) putBack(commands []command, work bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := &c.waiting
	if work {
		to = &c.work
	}
	*to = append(slices.Clip(commands), *to...)
}

// apply runs commands in the order of their arrival in one transaction, as many as fit,
// and puts the rest back.
//
// The store cannot undo a part of a transaction, so a command that fails after it wrote
// something spoils it: the transaction is given up and runs again without that command,
// whose error is its answer. A command that fails before it wrote anything just fails.
//
// An error that is not a *muster.Error comes from the store, and nothing read along with
// it can be trusted: the batch runs again with only the commands before it. If the
// command is the first, the batch is that command alone, and fails. The exception is
// store.ErrAgain, with which the store refuses the whole transaction (refused.go).
func (c *Committer) apply(commands []command, work bool) batch {
	b := batch{commands: commands, work: work, outcomes: make([]outcome, len(commands)), spoiled: make([]bool, len(commands)), turn: c.turns.Of()}
	now := c.now()
	var tx *Tx
	wait, err := (func() error)(nil), error(nil)
	for again := true; again; again = errors.Is(err, errFewer) || errors.Is(err, store.ErrAgain) && b.refuse() {
		wait, err = c.store.Apply(context.Background(), func(s store.Tx) error {
			tx = newTx(s, now, c.removed)
			return b.run(tx, c)
		})
	}
	if left := commands[len(b.commands):]; len(left) > 0 {
		c.putBack(left, work)
	}
	if errors.Is(err, store.ErrAgain) {
		b.outcomes[0], b.wait = outcome{err: errContended, wake: Never}, func() error { return nil }
		return b
	}
	if err != nil {
		if !errors.Is(err, store.ErrUnavailable) { // which the store logs once, not for each batch
			c.log.Error("commit failed", "error", err)
		}
		b.wait = func() error { return err }
		return b
	}
	b.wait, b.ends, c.removed = wait, tx.ends, tx.removed
	for _, take := range tx.adopts {
		take()
	}
	return b
}

// run is the function of one transaction: it runs the commands that are not spoiled, and
// shortens b.commands to those that were run. It returns errFewer to start again.
func (b *batch) run(tx *Tx, c *Committer) error {
	if b.work {
		b.turn.Take()
		defer b.turn.GiveBack() // before the transaction is applied: that may wait for a table being written
	}
	tx.prefetch(b.commands)
	for i, cmd := range b.commands {
		if b.spoiled[i] {
			continue
		}
		if b.work && i > 0 && b.enough(tx, c) {
			b.commands = b.commands[:i]
			break
		}
		b.outcomes[i] = tx.run(cmd)
		err := b.outcomes[i].err
		switch _, answer := errors.AsType[*muster.Error](err); {
		case err == nil:
		case errors.Is(err, store.ErrAgain):
			return err
		case !answer && i > 0:
			b.commands = b.commands[:i]
			return errFewer
		case !answer:
			b.commands = b.commands[:1]
			return err
		case tx.wrote:
			b.spoiled[i] = true
			return errFewer
		}
	}
	return tx.end()
}

// enough reports whether a batch of background work must end before its next step.
func (b *batch) enough(tx *Tx, c *Committer) bool {
	b.turn.GiveBack()
	runtime.Gosched() // steps keep a core busy; this lets callers submit between two of them
	most := workMax
	if c.turns.Asking() {
		most /= 2
	}
	if len(tx.queues) >= most || c.callersWait() {
		return true
	}
	b.turn.Take()
	return c.callersWait() // those who came during the wait
}

// answer waits until b is durable, then answers the commands and calls their
// notifications, command by command. If b could not be stored it answers all of them
// with notStored and returns the error.
func (c *Committer) answer(b batch) error {
	if err := b.wait(); err != nil {
		for _, cmd := range b.commands {
			cmd.answer(nil, notStored(err))
		}
		return err
	}
	// This must come after the writes are visible to views. If Work looks at its sources
	// from now on, it finds the new work; if it looked before, asked is the result of that.
	asked, due := c.asked.Load(), false
	for i, cmd := range b.commands {
		o := b.outcomes[i]
		due = due || int64(o.wake) < asked
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
	if due {
		c.watch.Due()
	}
	c.watch.Committed(len(b.commands))
	return nil
}

// notStored returns the error of a command whose transaction the store has not applied.
func notStored(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return &muster.Error{Kind: muster.Unavailable, Msg: "the database cannot be reached", Err: err}
	case errors.Is(err, store.ErrFull):
		return &muster.Error{Kind: muster.NoRoom, Msg: "the database has no room on its disk", Err: err}
	}
	return &muster.Error{Kind: muster.Internal, Msg: "the change could not be stored", Err: err}
}
