package jobs

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// This file is for a store that other processes change, too. What they commit, this process
// learns from messages that may be lost, late or in any order, so a message only says where
// to look: the queue itself says what is new.

// newsAtATime bounds the queues that one view of CatchUp reads.
const newsAtATime = 512

// News says that another process has, or may have, changed a queue.
type News struct {
	store.QueueKey
	muster.Change       // what its thing must be told; both if that is not known
	After         int64 // a queue whose revision is not higher is left out; zero leaves out what was never written
}

// CatchUp wakes the long polls that wait for the queues of news, reads these queues as they
// are now, and hands notifications of them, with their revisions, to notify, which may be
// called several times. A queue may have changed again since: its notification shows the
// newest state that CatchUp has seen. notify has the duties of Audience.Notify, and may be called
// at the same time as that. Who is told of a queue only by what is newer than it was told
// before, is told nothing wrong.
//
// CatchUp fails with Unavailable while the store cannot be reached, and with the error of
// ctx; then some of the news are lost to notify.
func (s *Jobs) CatchUp(ctx context.Context, news []News, notify func([]Notification)) error {
	s.waiters.wake(func(yield func(store.QueueKey) bool) {
		for _, n := range news {
			if !yield(n.QueueKey) {
				return
			}
		}
	})
	for some := range slices.Chunk(news, newsAtATime) {
		var notes []Notification
		err := s.commits.View(ctx, func(r store.Reader) (err error) {
			notes, err = newer(s, s.snapshot(r), some)
			return err
		})
		if err != nil {
			return err
		}
		if len(notes) > 0 {
			notify(notes)
		}
	}
	return ctx.Err()
}

// Awaited reports whether a long poll waits for a queue, so that CatchUp would wake it. It is
// quick.
func (s *Jobs) Awaited(key store.QueueKey) bool { return s.waiters.any(key) }

// WakeAll has all long polls look again at what is pending: this process may have missed
// that something came.
func (s *Jobs) WakeAll() { s.waiters.wakeAll() }

// newer returns notifications of the queues that are newer than news know.
func newer(s *Jobs, r snapshot, news []News) (notes []Notification, err error) {
	commit.PrefetchView(r.Reader, func(w *commit.Wants) {
		for _, n := range news {
			if n.After == 0 {
				w.Head(n.QueueKey, tables.jobs.Table, tables.documents.Table)
			} else {
				w.Queue(n.QueueKey) // most are not newer
			}
		}
	})
	for _, n := range news {
		found, err := r.Queues(n.QueueKey)
		if err != nil {
			return nil, err
		}
		if q := found[0]; q.Rev > n.After && n.Any() {
			notes = append(notes, Notification{QueueKey: n.QueueKey, Change: n.Change, At: s.now(), Queue: q, jobs: s})
		}
	}
	commit.PrefetchView(r.Reader, func(w *commit.Wants) {
		for _, n := range notes {
			w.Head(n.QueueKey, tables.jobs.Table, tables.documents.Table)
			w.Record(tables.outbox.Table, outboxKey(n.QueueKey))
		}
	})
	for i := range notes {
		if err := notes[i].settle(r.Reader); err != nil {
			return nil, err
		}
		if notes[i].Next {
			if err := notes[i].showHead(r); err != nil {
				return nil, err
			}
		}
	}
	return notes, nil
}

// settle makes a notification one that settles what is owed to the thing, whichever process has
// written that down.
func (n *Notification) settle(r store.Reader) error {
	debt, err := tables.outbox.Get(r, outboxKey(n.QueueKey))
	if err == nil && debt != nil {
		n.Change, n.receipt = n.Or(muster.Change{List: debt.List, Next: debt.Next}), debt.Receipt
	}
	return err
}

// showHead adds the head of the queue to a notification, with its job and document.
func (n *Notification) showHead(r jobReader) (err error) {
	n.HeadRev = n.Queue.Rev
	entry, ok := n.Queue.Head()
	if !ok {
		return nil
	}
	found, err := r.Executions(store.ExecutionKey{Thing: n.Thing, Job: entry.Job, Number: entry.Number})
	if err != nil {
		return err
	}
	n.Head = found[0]
	if n.job, err = r.job(entry.Job); err != nil {
		return err
	}
	n.document, err = r.document(entry.Job)
	return err
}
