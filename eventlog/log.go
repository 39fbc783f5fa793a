package eventlog

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// Sink is a receiver of events. The numbers are stored by former formats and must not
// change.
type Sink uint8

// The sinks.
const (
	Subscribers Sink = iota // on MQTT: what UpdateEventConfigurations enabled
	Webhook                 // an operator's server: what its own filter lets through
	sinkCount
)

// Sinks says which sinks exist and, for the webhook, which types it wants. The zero Sinks
// has none; then nothing is recorded.
type Sinks struct {
	Subscribers bool
	Webhook     map[muster.EventType]bool
}

// has reports whether a sink exists.
func (s Sinks) has(sink Sink) bool {
	if sink == Subscribers {
		return s.Subscribers
	}
	return len(s.Webhook) > 0
}

// Watcher is told that there are events.
type Watcher interface {
	// Recorded is called after a transaction with new events is durable and all its
	// commands are answered. It is called by one goroutine and must not block.
	Recorded()
}

// Options are the parts of a Log. Commits and NewID are required.
type Options struct {
	Commits *commit.Committer
	// NewID makes the IDs of events.
	NewID func() string
	// Sinks are the receivers of events; they read them with Log.Events.
	Sinks Sinks
	// Watcher is told of new events. Nil is allowed.
	Watcher Watcher
}

// Log is the log of events. Make it with New.
type Log struct {
	commits *commit.Committer
	newID   func() string
	sinks   Sinks
	watch   Watcher

	run     run     // as of the last transaction that was applied; used in transactions only
	shared  places  // instead of it, on a store with lanes
	moments moments // instead of it, where other processes may change the store

	readers [sinkCount]reader
}

// New returns a Log on o.
func New(o Options) *Log {
	return &Log{commits: o.Commits, newID: o.NewID, sinks: o.Sinks, watch: o.Watcher, shared: places{open: map[*pending]string{}}}
}

// pending is what a transaction has read and changed of the log.
type pending struct {
	config   *muster.EventConfig // at this point of the transaction; nil until it is needed
	run      *run                // at this point of the transaction; nil until it is needed
	origin   uint64              // instead of it, where other processes may change the store; zero until it is needed
	recorded bool                // there are new events
}

func (l *Log) pending(tx *commit.Tx) *pending {
	p, _ := commit.OfTransaction(tx, l, func() (*pending, error) { return &pending{}, nil })
	return p
}

// Enabled reports whether a sink wants events of a type, at this point of the
// transaction.
func (l *Log) Enabled(tx *commit.Tx, t muster.EventType) (bool, error) {
	wanted, err := l.wanted(tx, t)
	return wanted != 0, err
}

// wanted returns the sinks that want events of a type: a bit for each Sink.
func (l *Log) wanted(tx *commit.Tx, t muster.EventType) (sinks uint8, err error) {
	if l.sinks.Webhook[t] {
		sinks |= 1 << Webhook
	}
	if !l.sinks.Subscribers {
		return sinks, nil
	}
	p := l.pending(tx)
	if p.config == nil {
		c, err := readConfig(tx)
		if err != nil {
			return 0, err
		}
		p.config = &c
	}
	if p.config.Enabled(t) {
		sinks |= 1 << Subscribers
	}
	return sinks, nil
}

// WantTell names what Enabled and Tell will read.
func (l *Log) WantTell(w *commit.Wants) {
	if l.sinks.Subscribers {
		w.Record(tables.config.Table, theConfig)
	}
}

// Tell records an event of the running command, if a sink wants events of its type. It
// fills in ID, At and Recorded. Errors are those of the store.
func (l *Log) Tell(tx *commit.Tx, e Event) error {
	wanted, err := l.wanted(tx, e.Type)
	if err != nil || wanted == 0 {
		return err
	}
	e.ID, e.At = l.newID(), tx.Now
	return l.record(tx, e, wanted)
}

// record writes an event into the log, once for each sink that wanted has a bit for.
func (l *Log) record(tx *commit.Tx, e Event, wanted uint8) error {
	place, err := l.next(tx)
	if err != nil {
		return err
	}
	e.Recorded = tx.Now
	for sink := range sinkCount {
		if wanted&(1<<sink) != 0 {
			sink.table().Put(tx, place, e)
		}
	}
	if p := l.pending(tx); !p.recorded && l.watch != nil {
		p.recorded = true
		tx.Close(func() error { tx.After(l.watch.Recorded); return nil })
	}
	return nil
}

// next returns a place after all that were used so far. A transaction that does not count
// uses none, but for those of lanes (places).
func (l *Log) next(tx *commit.Tx) (string, error) {
	if l.commits.Clustered() {
		return l.nextAt(tx)
	}
	p := l.pending(tx)
	if p.run == nil && tx.Shared() {
		place, first, ok := l.shared.next(p, tx.Now)
		if first {
			tx.Over(func() { l.shared.end(p) })
		}
		if ok {
			return place, nil
		}
		if err := tx.Wide(); err != nil { // to begin the origin
			return "", err
		}
		l.shared.hold(p)
		tx.Over(func() { l.shared.end(p) })
	}
	if p.run == nil {
		r := l.run
		if r.origin == 0 {
			var err error
			if r, err = begin(tx); err != nil {
				return "", err
			}
		}
		p.run = &r
		tx.Adopt(func() { l.adopt(r, tx.Shared()) })
	}
	return p.run.next(tx.Now), nil
}

// adopt makes r what the next transactions go on from.
func (l *Log) adopt(r run, shared bool) {
	if shared {
		l.shared.begin(r)
		return
	}
	l.run = r
}
