package jobs

import (
	"iter"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Notification is what a thing must be told after a commit (jobs-data-plane.md section
// 11): its queue as the commit left it.
type Notification struct {
	store.QueueKey
	muster.Change
	At      muster.Instant
	Queue   muster.Queue      // for notify
	Head    *muster.Execution // for notify-next: nil when nothing is pending
	HeadRev int64             // for notify-next: the revision of the queue of which Head is the first

	jobs     *Jobs
	job      *muster.Job // of Head
	document string      // its text
	receipt  uint64      // of what was written down in the outbox; zero when nothing was
}

// Covering returns a notification that takes the place of n and of another one of the same
// queue, neither of which was sent: it owes what either of them does, and shows the
// newer queue and head.
func (n Notification) Covering(other Notification) Notification {
	if other.Queue.Rev > n.Queue.Rev {
		n, other = other, n
	}
	if other.Next && (!n.Next || other.HeadRev > n.HeadRev) {
		n.Head, n.HeadRev, n.job, n.document = other.Head, other.HeadRev, other.job, other.document
	}
	if n.receipt == 0 {
		n.receipt = other.receipt
	}
	n.Change = n.Change.Or(other.Change)
	return n
}

// waiters are the long polls that wait for something to become pending. One costs a
// channel and nothing else (arbitration A11).
type waiters struct {
	mu      sync.Mutex
	waiting map[store.QueueKey]map[chan struct{}]struct{}
}

func (w *waiters) init() { w.waiting = map[store.QueueKey]map[chan struct{}]struct{}{} }

func (w *waiters) add(key store.QueueKey) chan struct{} {
	woken := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[key] == nil {
		w.waiting[key] = map[chan struct{}]struct{}{}
	}
	w.waiting[key][woken] = struct{}{}
	return woken
}

func (w *waiters) remove(key store.QueueKey, woken chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting[key], woken)
	if len(w.waiting[key]) == 0 {
		delete(w.waiting, key)
	}
}

// any reports whether somebody waits for a queue.
func (w *waiters) any(key store.QueueKey) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting[key]) > 0
}

// wake wakes those who wait for some queues.
func (w *waiters) wake(keys iter.Seq[store.QueueKey]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range keys {
		w.wakeOne(key)
	}
}

func (w *waiters) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.waiting {
		w.wakeOne(key)
	}
}

// wakeOne wakes those who wait for a queue. The caller holds mu.
func (w *waiters) wakeOne(key store.QueueKey) {
	for woken := range w.waiting[key] {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}
