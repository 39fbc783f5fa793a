package eventlog

import (
	"context"
	"encoding/binary"
	"encoding/hex"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// Sink is a receiver of events. The numbers are stored and must not change.
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

// logged is an event in the log.
type logged struct {
	For uint8 // a bit for each Sink that wants it
	Event
}

// marks is the only record in tables.marks: how far the log goes. Always
// Removed <= Last and Taken <= Last; the log holds the places after Removed, without
// gaps.
type marks struct {
	Last    uint64            // the place of the newest event; zero if there was none yet
	Removed uint64            // all events up to this place are removed
	Taken   [sinkCount]uint64 // by sink: it has taken all events up to this place
}

const theMarks = "log"

// trimMax bounds the events that one command removes, so that a sink which catches up
// after a long time does not make one large transaction. The next commands remove the
// rest.
const trimMax = 4096

// eventLookMax bounds the events that one call of Events reads, also those for other
// sinks, so that it does not hold a snapshot for long.
const eventLookMax = 2048

// placeKey returns the key of an event in the log; keys sort by place.
func placeKey(place uint64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, place))
}

// placeIn is the inverse of placeKey; it is 0, which is no place, for another key.
func placeIn(key string) uint64 {
	b, err := hex.DecodeString(key)
	if err != nil || len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
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
}

// New returns a Log on o.
func New(o Options) *Log { return &Log{o.Commits, o.NewID, o.Sinks, o.Watcher} }

// pending is what a transaction has read and changed of the log. The marks are written
// once, at the end of the transaction, whatever the number of events.
type pending struct {
	config   *muster.EventConfig // at this point of the transaction; nil until it is needed
	marks    *marks              // to be written; nil until they are needed
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

// record writes an event into the log for the sinks that wanted has bits for.
func (l *Log) record(tx *commit.Tx, e Event, wanted uint8) error {
	m, err := l.marks(tx)
	if err != nil {
		return err
	}
	m.Last++
	e.Recorded = tx.Now
	tables.log.Put(tx, placeKey(m.Last), logged{For: wanted, Event: e})
	l.pending(tx).recorded = true
	return nil
}

// marks returns the marks of the log. The caller may change them: they are written at the
// end of the transaction.
func (l *Log) marks(tx *commit.Tx) (*marks, error) {
	p := l.pending(tx)
	if p.marks == nil {
		m, err := readMarks(tx)
		if err != nil {
			return nil, err
		}
		p.marks = &m
		tx.Close(func() error { l.seal(tx, p); return nil })
	}
	return p.marks, nil
}

// seal writes the marks at the end of the transaction, and has the watcher called if
// there are new events.
func (l *Log) seal(tx *commit.Tx, p *pending) {
	tables.marks.Put(tx, theMarks, *p.marks)
	if p.recorded && l.watch != nil {
		tx.After(l.watch.Recorded)
	}
}

func readMarks(r store.Reader) (marks, error) {
	m, err := tables.marks.Get(r, theMarks)
	if err != nil || m == nil {
		return marks{}, err
	}
	return *m, nil
}

// Events returns events for a sink, oldest first, at most limit of them, from the places
// after the place after; zero means from the first that the sink has not taken yet.
// through is the last place that was read: up to there the sink has got all its events,
// and there the next call continues. It may be larger than the place of the last event
// returned, because events for other sinks are skipped; a call may even return no events
// and a larger through. If through is after, there is nothing more. All events returned
// are durable.
func (l *Log) Events(ctx context.Context, sink Sink, after uint64, limit int) (events []Event, through uint64, err error) {
	err = l.commits.View(ctx, func(r store.Reader) error {
		m, err := readMarks(r)
		if err != nil {
			return err
		}
		through = max(after, m.Removed)
		if after == 0 {
			through = max(through, m.Taken[sink])
		}
		looked := 0
		for row, err := range tables.log.Scan(r, placeKey(through+1), "") {
			if err != nil {
				return err
			}
			if len(events) == limit || looked == eventLookMax {
				break
			}
			looked++
			through = placeIn(row.Key)
			if row.Value.For&(1<<sink) != 0 {
				e := row.Value.Event
				e.Place = through
				events = append(events, e)
			}
		}
		return nil
	})
	return events, through, err
}

// Taken notes that a sink is done with all events up to the place through; events are
// removed when every sink is done with them. It does not wait: if the process stops
// before the note is durable, Events returns these events again.
func (l *Log) Taken(sink Sink, through uint64) {
	commit.Submit(l.commits, nil, func(tx *commit.Tx) (struct{}, error) {
		return struct{}{}, l.taken(tx, sink, through)
	}, func(_ struct{}, err error) {
		if err != nil {
			l.commits.Log().Debug("events may be handed out again after a restart", "error", err)
		}
	})
}

// taken moves the mark of a sink, and removes the events that all existing sinks have
// taken. A sink that was configured before and does not exist now does not hold them
// back.
func (l *Log) taken(tx *commit.Tx, sink Sink, through uint64) error {
	m, err := l.marks(tx)
	if err != nil {
		return err
	}
	m.Taken[sink] = max(m.Taken[sink], min(through, m.Last))
	done := m.Last
	for s := range sinkCount {
		if l.sinks.has(s) {
			done = min(done, m.Taken[s])
		}
	}
	for n := 0; m.Removed < done && n < trimMax; n++ {
		m.Removed++
		tables.log.Delete(tx, placeKey(m.Removed))
	}
	return nil
}

// WebhookBacklog returns how many places of the log the webhook has not taken
// yet, and how many dead letters there are.
func (l *Log) WebhookBacklog(ctx context.Context) (waiting uint64, dead int, err error) {
	err = l.commits.View(ctx, func(r store.Reader) error {
		m, err := readMarks(r)
		if err != nil {
			return err
		}
		waiting = m.Last - max(m.Taken[Webhook], m.Removed)
		dead, err = store.Tally(r, deadLetterTally)
		return err
	})
	return waiting, dead, err
}
