package eventlog

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

const (
	// removeMax bounds the events that one transaction removes, so that a sink which
	// catches up after a long time does not make one large transaction.
	removeMax = 4096
	// rereadAfter is how long a sink goes on from where it is before its events are read
	// from the start again.
	rereadAfter = time.Minute
	// leftMax bounds the events that were delivered while they could not be removed, as on
	// a full disk. They are in memory, so that they are not delivered again.
	leftMax = 65_536
	// goneMax bounds the events for a sink that is gone which one step removes.
	goneMax = 512
	// goneAfter is how old they must be where other processes may change the store: a sink that this
	// process has not got may be gone, or new.
	goneAfter = 24 * time.Hour
	// WaitingMax bounds the events that WebhookBacklog counts.
	WaitingMax = 100_000
)

// reader is how far a sink is, in memory only: the log itself says it too, since what a
// sink has taken is not there any more.
//
// Rows that were removed slow down a read for a time, until the store has rewritten its
// tables. So a sink goes on after the last event that it took. So that none is missed, whatever
// the clocks show, the sink begins at the start from time to time. Events that it has taken and
// whose removal is not durable yet are passed over then.
type reader struct {
	mu     sync.Mutex
	after  string              // where it goes on reading
	newest string              // the last place that it has taken
	taken  map[string]struct{} // the places that it has taken and that may still be in the log
	left   []string            // those of taken that could not be removed yet
	reread muster.Instant      // when it begins at the start again
}

// place returns the place after which the sink reads at the instant now, and the places
// after that which it has taken.
func (r *reader) place(now muster.Instant) (after string, taken map[string]struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now >= r.reread || r.reread > now.Add(rereadAfter) { // the second: the clock was set back
		r.after, r.reread = "", now.Add(rereadAfter)
	}
	if r.after < r.newest {
		taken = maps.Clone(r.taken)
	}
	return r.after, taken
}

// caughtUp notes that there was nothing after a place.
func (r *reader) caughtUp(after string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.after == after {
		r.after = max(after, r.newest)
	}
}

// take notes that the sink has taken events.
func (r *reader) take(events []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == nil {
		r.taken = map[string]struct{}{}
	}
	for _, e := range events {
		r.taken[e.Place] = struct{}{}
		r.left = append(r.left, e.Place)
		r.after, r.newest = e.Place, max(r.newest, e.Place)
	}
}

// full reports whether too many events could not be removed.
func (r *reader) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.left) >= leftMax
}

// removable takes the places out of left that can be removed in one transaction.
func (r *reader) removable() (places []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	places = r.left[:min(len(r.left), removeMax)]
	r.left = slices.Clone(r.left[len(places):])
	return places
}

// removed notes that places were removed, or not if err is an error.
func (r *reader) removed(places []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.left = append(r.left, places...)
		return
	}
	for _, place := range places {
		delete(r.taken, place)
	}
}

// Events returns the oldest events for a sink that it has not taken, at most limit of
// them, oldest first. All of them are durable. A sink must be read by one goroutine. If several
// processes read it they may each get the same events.
// Events fails with Unavailable while too many events that the sink has taken cannot be
// removed.
func (l *Log) Events(ctx context.Context, sink Sink, limit int) (events []Event, err error) {
	if l.readers[sink].full() {
		l.remove(sink)
		return nil, muster.Errorf(muster.Unavailable, "too many events that were delivered cannot be removed")
	}
	if l.commits.Clustered() {
		return l.settledEvents(ctx, sink, limit)
	}
	ended, begun := l.shared.ended()
	if !begun {
		ended = afterAll
	}
	events, _, err = l.eventsBefore(ctx, sink, limit, store.After(ended))
	if _, now := l.shared.ended(); now != begun { // it began meanwhile, so an event may be visible before one that is older
		return l.Events(ctx, sink, limit)
	}
	return events, err
}

// eventsBefore returns the oldest events that a sink has not taken and whose places are before one,
// at most limit of them. If there are fewer, more reports whether others come after them.
func (l *Log) eventsBefore(ctx context.Context, sink Sink, limit int, before string) (events []Event, more bool, err error) {
	after, taken := l.readers[sink].place(l.commits.Now())
	err = l.commits.View(ctx, func(r store.Reader) error {
		events, more = nil, false
		for row, err := range sink.table().Scan(r, store.After(after), "") {
			if err != nil {
				return err
			}
			if more = row.Key >= before; more {
				break
			}
			if _, ok := taken[row.Key]; ok {
				continue
			}
			row.Value.Place = row.Key
			if events = append(events, row.Value); len(events) >= limit {
				break
			}
		}
		return nil
	})
	if err == nil && len(events) == 0 {
		l.readers[sink].caughtUp(after)
	}
	return events, more, err
}

// Taken notes that a sink is done with events which Events returned; they are removed.
// It does not wait: if the process stops before that is durable, the next one returns
// these events again.
func (l *Log) Taken(sink Sink, events []Event) {
	l.readers[sink].take(events)
	l.remove(sink)
}

// remove has events removed that a sink has taken.
func (l *Log) remove(sink Sink) {
	places := l.readers[sink].removable()
	if len(places) == 0 {
		return
	}
	commit.Submit(l.commits, "", nil, func(tx *commit.Tx) (struct{}, error) {
		deleteAll(tx, sink, places)
		return struct{}{}, nil
	}, func(_ struct{}, err error) {
		l.readers[sink].removed(places, err)
		if err != nil {
			l.commits.Log().Debug("events may be handed out again after a restart", "error", err)
		}
	})
}

func deleteAll(tx *commit.Tx, sink Sink, places []string) {
	for _, place := range places {
		sink.table().Delete(tx, place)
	}
}

// Wants implements commit.Source.
func (l *Log) Wants(w *commit.Wants) {
	for sink := range sinkCount {
		if !l.sinks.has(sink) {
			w.Range(sink.table().Table, store.After(l.readers[sink].at()), "")
		}
	}
}

// Due has the events removed that are in the log for a sink which does not exist any
// more (commit.Source).
func (l *Log) Due(r store.Reader, asked commit.Asked) (commit.Due, error) {
	if !asked.Mine("events") {
		return commit.Due{}, nil
	}
	for sink := range sinkCount {
		if l.sinks.has(sink) {
			continue
		}
		gone, err := l.readers[sink].ahead(r, sink, goneMax)
		if l.commits.Clustered() {
			old := momentKey(asked.Now.Add(-goneAfter))
			gone = slices.DeleteFunc(gone, func(place string) bool { return place >= old })
		}
		if err != nil || len(gone) > 0 {
			step := func(tx *commit.Tx) error {
				deleteAll(tx, sink, gone)
				tx.After(func() { l.readers[sink].pass(gone[len(gone)-1]) })
				return nil
			}
			return commit.Due{Steps: func() []func(*commit.Tx) error { return []func(*commit.Tx) error{step} }}, err
		}
		if !l.commits.Clustered() {
			l.readers[sink].pass(afterAll)
		}
	}
	return commit.Due{}, nil
}

// afterAll is after every place.
const afterAll = "~"

// pass moves the place after which a sink reads on to one that nothing is left before.
func (r *reader) pass(place string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = place
}

// at returns the place after which the sink reads on.
func (r *reader) at() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.after
}

// ahead returns the first places, at most limit of them, after the one where the sink is.
func (r *reader) ahead(s store.Reader, sink Sink, limit int) (places []string, err error) {
	for row, err := range s.Scan(sink.table().Table, store.After(r.at()), "") {
		if err != nil {
			return nil, err
		}
		if places = append(places, row.Key); len(places) >= limit {
			break
		}
	}
	return places, nil
}

// WebhookBacklog returns how many events the webhook has not taken yet, up to
// WaitingMax, and how many dead letters there are.
func (l *Log) WebhookBacklog(ctx context.Context) (waiting, dead int, err error) {
	err = l.commits.View(ctx, func(r store.Reader) error {
		places, err := l.readers[Webhook].ahead(r, Webhook, WaitingMax)
		if err != nil {
			return err
		}
		waiting = len(places)
		dead, err = store.Tally(r, deadLetterTally)
		return err
	})
	return waiting, dead, err
}
