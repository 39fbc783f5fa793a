package commit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/muster-iot/muster/store"
)

// lane runs commands in transactions of its own, one after the other. Its fields are of
// the goroutine that runs it, or guarded by the Committer's mu.
type lane struct {
	c      *Committer
	apply  func(context.Context, func(store.Tx) error) (func() error, error) // of the store
	narrow bool                                                              // it is not the wide one

	last   store.Moment     // of its latest transaction that was applied; on a shared store
	rested <-chan time.Time // fires when background work may go on; nil if it need not wait

	waiting  []command     // whose callers wait
	work     []command     // background work; of the wide lane only
	workNext bool          // the next batch is background work if there is any
	arrived  chan struct{} // of capacity one; holds a token when there may be commands
}

func newLane(c *Committer, apply func(context.Context, func(store.Tx) error) (func() error, error)) *lane {
	return &lane{c: c, apply: apply, arrived: make(chan struct{}, 1)}
}

// Run commits and answers commands until ctx ends, then finishes those that wait and
// returns nil. If the store stops for good it does the same and returns
// store.ErrStopped. It must be called once.
//
// For each lane one goroutine applies batches and another waits for the sync and answers,
// so the next batch runs while the one before is being synced. The next batch reads what
// the one before wrote although it may still be lost in a crash; that is safe because the
// store makes transactions durable in order, and nothing is answered before that.
func (c *Committer) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.mu.Lock()
	c.feeds += len(c.lanes)
	c.mu.Unlock()
	ended := make(chan error, len(c.lanes))
	for _, l := range c.lanes {
		go func() {
			ended <- l.run(ctx, stop)
			c.feed(-1)
		}()
	}
	err := c.wide.run(ctx, stop)
	for range c.lanes {
		err = errors.Join(err, <-ended)
	}
	if errors.Is(err, store.ErrStopped) {
		return store.ErrStopped
	}
	return err
}

// run is Run for one lane. It calls stop if the store stops for good.
func (l *lane) run(ctx context.Context, stop func()) (err error) {
	pipeline := make(chan batch, pipelineMax)
	answered := make(chan error, 1)
	go func() {
		var stopped error
		for b := range pipeline {
			if err := l.c.answer(b); errors.Is(err, store.ErrStopped) {
				stopped = err
				stop()
			}
			l.c.feed(-1)
		}
		answered <- stopped
	}()
	defer func() { close(pipeline); err = <-answered }()
	closing := ctx.Done()
	for {
		select {
		case <-l.arrived:
		case <-l.rested:
			l.rested = nil
		case <-closing:
			closing = nil
			l.c.mu.Lock()
			l.c.closed = true
			l.c.mu.Unlock()
		}
		for commands, work := l.take(); len(commands) > 0; commands, work = l.take() {
			b := l.applyBatch(commands, work)
			if rest := b.turn.Rest(); rest > 0 { // while the batches before this one are being synced, work rests anyway
				l.rested = time.After(rest)
			}
			l.c.feed(1)
			pipeline <- b
		}
		if closing == nil && l.drained() {
			return nil
		}
	}
}

// feed counts what may still hand commands to the wide lane.
func (c *Committer) feed(n int) {
	c.mu.Lock()
	c.feeds += n
	last := c.closed && c.feeds == 0
	c.mu.Unlock()
	if last {
		c.wide.announce()
	}
}

// drained reports whether no command waits, and none will.
func (l *lane) drained() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.c.closed && len(l.waiting)+len(l.work) == 0 && (l.narrow || l.c.feeds == 0)
}

// take removes the commands of the next batch from their queue and returns them, and
// whether they are background work. applyBatch puts back those that it leaves.
func (l *lane) take() (commands []command, work bool) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	for {
		from := &l.waiting
		may := l.mayWork() || l.c.closed // what waits is finished before Run ends
		if work = may && len(l.work) > 0 && (l.workNext || len(l.waiting) == 0); work {
			from = &l.work
		}
		l.workNext = !work
		n := min(len(*from), BatchMax)
		commands = (*from)[:n:n]
		if n == len(*from) {
			*from = nil
		} else {
			*from = (*from)[n:]
		}
		if l.narrow && len(l.c.away) > 0 {
			commands = l.c.follow(commands)
		}
		if len(commands) > 0 || len(l.waiting) == 0 {
			return commands, work
		}
	}
}

// mayWork reports whether background work has rested after its last batch. It does not
// wait for that, as commands of callers may come.
func (l *lane) mayWork() bool {
	select {
	case <-l.rested:
		l.rested = nil
	default:
	}
	return l.rested == nil
}

// callersWait reports whether there are commands whose callers wait for the lane.
func (l *lane) callersWait() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return len(l.waiting) > 0
}

// putBack puts the commands that a batch has left at the front of their queue.
func (l *lane) putBack(commands []command, work bool) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	to := &l.waiting
	if work {
		to = &l.work
	}
	*to = append(slices.Clip(commands), *to...)
}

// announce wakes the lane. A token that is already there is enough: it takes all commands.
func (l *lane) announce() {
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}
