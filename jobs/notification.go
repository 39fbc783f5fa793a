package jobs

import (
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Notification is what a thing must be told after a commit (jobs-data-plane.md section
// 11): its queue as the commit left it.
type Notification struct {
	store.QueueKey
	muster.Change
	At    muster.Instant
	Queue muster.Queue      // for notify
	Head  *muster.Execution // for notify-next: nil when nothing is pending

	jobs     *Jobs
	job      *muster.Job // of Head
	document string      // its text
	receipt  uint64      // of what was written down in the outbox; zero when nothing was
}

// Covering returns n as it is sent when it also takes the place of an earlier one of
// the same thing, which was not sent: it owes what either of them does.
func (n Notification) Covering(earlier Notification) Notification {
	if !n.Next {
		n.Head, n.job, n.document = earlier.Head, earlier.job, earlier.document // nothing changed since at the head
	}
	if n.receipt == 0 {
		n.receipt = earlier.receipt
	}
	n.Change = n.Change.Or(earlier.Change)
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

func (w *waiters) wake(notes []Notification) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range notes {
		for woken := range w.waiting[n.QueueKey] {
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	}
}
