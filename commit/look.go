package commit

import (
	"context"
	"sync/atomic"

	"github.com/muster-iot/muster/store"
)

// secondLook is a function given to Look.
type secondLook struct {
	wants func(*Wants)
	look  func(store.Reader) ([]func(*Tx) error, error)
	lost  func()
}

// looked is what second looks have found.
type looked struct {
	done  bool
	steps []func(*Tx) error
}

// look does some second looks.
func (l *looked) look(all []secondLook, r store.Reader) error {
	*l = looked{}
	for _, one := range all {
		more, err := one.look(r)
		if err != nil {
			return err
		}
		l.steps = append(l.steps, more...)
	}
	l.done = true
	return nil
}

// lookSoon has the second looks of a transaction done in the trip that makes it durable, if the store can do that.
func lookSoon(t *Tx) {
	again, ok := t.Tx.(store.Rereader)
	if !ok || len(t.looks) == 0 {
		return
	}
	w := Wants{far: true}
	for _, l := range t.looks {
		l.wants(&w)
	}
	again.Reread(w.wanted(), func(r store.Reader) {
		_ = t.looked.look(t.looks, r) // if it fails it is done again, with a view
	})
}

// Look registers a second look, for what transactions that run at the same time can bring
// about only together: each of them sees its own part. look reads what wants names when the
// transaction is durable, there or in a view, and returns steps to be done then, in the wide lane; the commands
// of the transaction are answered after that. Whoever of the transactions is durable last
// sees the parts of all. If look or a step fails lost is called instead, and the commands
// are answered: it should leave the look to background work, which is asked for. Both must
// be quick. On a store without lanes nothing is called.
func (t *Tx) Look(wants func(*Wants), look func(store.Reader) ([]func(*Tx) error, error), lost func()) {
	if t.Shared() && t.c.off&guardLook == 0 {
		t.looks = append(t.looks, secondLook{wants, look, lost})
	}
}

// lookAgain does the second looks of a batch, which is durable. It reports whether there is
// something to do: then the batch is answered after that, by another goroutine.
func (c *Committer) lookAgain(b batch) bool {
	var err error
	if !b.looked.done {
		err = c.View(context.Background(), func(r store.Reader) error { return b.looked.look(b.looks, r) })
	}
	steps := b.looked.steps
	if err != nil {
		c.log.Error("a second look failed", "error", err)
		c.lose(b)
	}
	if err != nil || len(steps) == 0 {
		return false
	}
	c.feed(1)
	var failed atomic.Bool
	var left atomic.Int64
	left.Store(int64(len(steps)))
	c.mu.Lock()
	for _, step := range steps {
		c.wide.waiting = append(c.wide.waiting, command{
			run: func(tx *Tx) (any, error) { return nil, step(tx) },
			answer: func(_ any, err error) {
				if err != nil {
					failed.Store(true)
				}
				if left.Add(-1) > 0 {
					return
				}
				go func() { // not here, where another batch is being answered
					if failed.Load() {
						c.lose(b)
					}
					c.finish(b)
					c.feed(-1)
				}()
			},
		})
	}
	c.mu.Unlock()
	c.wide.announce()
	return true
}

// lose gives the second looks of a batch up to background work.
func (c *Committer) lose(b batch) {
	c.telling.Lock()
	defer c.telling.Unlock()
	for _, l := range b.looks {
		l.lost()
	}
	c.watch.Due()
}
