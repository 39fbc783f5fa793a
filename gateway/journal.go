package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// retryTime is how long the journal waits after a write that failed.
const retryTime = time.Second

// lastTries is how many writes, of all batches together, may fail while the server stops.
// Changes that it does not take are lost, but none of them was acknowledged.
const lastTries = 3

// lastTime bounds the last write.
const lastTime = 10 * time.Second

var errStopped = errors.New("gateway: stopped before the session store took the message")

// journal writes the changes of persistent sessions and retained messages to their store in batches: what gathers while one batch is written
// is the next one. A batch that fails is written again until it succeeds, so memory and store do not diverge; its commit is not
// settled until then.
type journal struct {
	store SessionStore // nil: nothing is kept
	nodes *nodes       // nil for a server that is alone
	log   *slog.Logger
	wake  chan struct{} // 1 slot

	mu       sync.Mutex // guards what follows; a leaf
	pending  []Change
	bound    int                // of pending, which is compacted then
	tries    int                // that are left once the server stops; negative before
	next     *commit            // of pending; nil while it is empty
	releases map[string]*commit // by client: that its hold is released, while that is not durable; nil for a server that is alone
	stopped  bool
}

// commit is one batch on its way, or what other nodes are to do.
type commit struct {
	done  chan struct{} // closed when err is settled
	err   error
	after []func(error) // guarded by the journal's lock until done
}

func newJournal(store SessionStore, log *slog.Logger) *journal {
	return &journal{store: store, log: log, wake: make(chan struct{}, 1), bound: compactAbove, tries: -1}
}

// add queues one change and returns the commit that makes it durable, or nil without a store.
func (j *journal) add(c Change) *commit {
	if j.store == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next == nil {
		j.next = &commit{done: make(chan struct{})}
	}
	if j.stopped {
		return &commit{done: closed, err: errStopped}
	}
	if c.Kind == Release {
		j.releases[c.Client] = j.next
	}
	if j.pending = append(j.pending, c); len(j.pending) >= j.bound {
		j.pending = compact(j.pending)
		j.bound = max(compactAbove, 2*len(j.pending))
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return j.next
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// then calls f with the outcome of c: at once if it is settled, else from the journal's goroutine.
func (j *journal) then(c *commit, f func(error)) {
	j.mu.Lock()
	select {
	case <-c.done:
		j.mu.Unlock()
		f(c.err)
	default:
		c.after = append(c.after, f)
		j.mu.Unlock()
	}
}

// run writes batches until ctx ends and then what is left.
func (j *journal) run(ctx context.Context) {
	for {
		select {
		case <-j.wake:
			j.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
			defer cancel()
			j.mu.Lock()
			j.stopped = true
			j.mu.Unlock()
			j.flush(last)
			return
		}
	}
}

// hurry limits further attempts because the server stops: connections that wait for a batch must not wait without end.
func (j *journal) hurry() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tries = lastTries
}

// mayTryAgain reports whether a write that failed is tried again.
func (j *journal) mayTryAgain() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.tries > 0 {
		j.tries--
	}
	return j.tries != 0
}

// flush writes what is pending, again and again until it is written or ctx ends.
func (j *journal) flush(ctx context.Context) {
	j.mu.Lock()
	batch, c := compact(j.pending), j.next
	j.pending, j.next, j.bound = nil, nil, compactAbove
	j.mu.Unlock()
	if c == nil {
		return
	}
	var err error
	var w Written
	for failures := 0; len(batch) > 0; {
		if w, err = j.write(ctx, batch); err == nil {
			break
		}
		if failures++; failures&(failures-1) == 0 { // the first, second, fourth …
			j.log.Error("session store does not take changes and is asked again", "changes", len(batch), "times", failures, "err", err)
		}
		if !j.mayTryAgain() {
			break
		}
		select {
		case <-time.After(retryTime):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	if j.nodes == nil {
		j.settle(c, err)
		return
	}
	j.forget(batch, c)
	var handed *commit
	if err == nil {
		handed = j.nodes.written(batch, w)
	}
	if handed == nil {
		j.settle(c, err)
		return
	}
	j.then(handed, func(err error) { j.settle(c, err) })
}

func (j *journal) write(ctx context.Context, batch []Change) (Written, error) {
	if j.nodes == nil {
		return Written{}, j.store.Write(ctx, batch)
	}
	return j.nodes.store.WriteAs(ctx, j.nodes.o.Node, batch)
}

// settle settles c, unless it is settled, and calls those that wait for it.
func (j *journal) settle(c *commit, err error) {
	j.mu.Lock()
	select {
	case <-c.done:
		j.mu.Unlock()
		return
	default:
	}
	c.err = err
	close(c.done)
	j.mu.Unlock()
	for _, f := range c.after {
		f(err)
	}
}

// released returns when no release of the hold of a client is on its way, or when ctx ends.
func (j *journal) released(ctx context.Context, client string) {
	over := make(chan struct{})
	j.whenReleased(client, func() { close(over) })
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// whenReleased calls f when no release of the hold of a client is on its way: at once, or from the journal's goroutine.
func (j *journal) whenReleased(client string, f func()) {
	j.mu.Lock()
	c := j.releases[client]
	j.mu.Unlock()
	if c == nil {
		f()
		return
	}
	j.then(c, func(error) { f() })
}

// forget forgets the releases that c has made durable.
func (j *journal) forget(batch []Change, c *commit) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, change := range batch {
		if change.Kind == Release && j.releases[change.Client] == c {
			delete(j.releases, change.Client)
		}
	}
}

// all returns a commit that is settled when all of some are, with an error if one of them was; nil if all of them are without one.
func (j *journal) all(some []*commit) *commit {
	var open []*commit
	for _, c := range some {
		if c == nil {
			continue
		}
		select {
		case <-c.done:
			if c.err != nil {
				return c
			}
		default:
			open = append(open, c)
		}
	}
	if len(open) < 2 {
		for _, c := range open {
			return c
		}
		return nil
	}
	all := &commit{done: make(chan struct{})}
	var left atomic.Int32
	left.Store(int32(len(open)))
	for _, c := range open {
		j.then(c, func(err error) {
			if left.Add(-1) == 0 || err != nil {
				j.settle(all, err)
			}
		})
	}
	return all
}
