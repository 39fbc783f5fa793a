package eventlog

import (
	"context"
	"encoding/binary"
	"encoding/hex"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// Sink is what events are handed to. Its order is stored, so it is for
// ever.
type Sink uint8

// The sinks.
const (
	Subscribers Sink = iota // on MQTT: what UpdateEventConfigurations enabled
	Webhook                 // an operator's server: what its own filter lets through
	sinkCount
)

// Sinks say who is there to take events. The zero Sinks want none, which costs
// nothing.
type Sinks struct {
	Subscribers bool
	Webhook     map[muster.EventType]bool
}

// has reports whether a sink is there.
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

// marks is the only record in eventMarks: how far the log goes.
type marks struct {
	Last    uint64 // the place of the newest event
	Removed uint64 // all up to this place are gone
	Taken   [sinkCount]uint64
}

const theMarks = "log"

// trimMax bounds the events that one command removes.
const trimMax = 4096

// eventLookMax bounds the events that one call of Events looks at.
const eventLookMax = 2048

// placeKey is the key of an event in the log.
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
	// Recorded says that a commit recorded some. It is called after all that the
	// commit owes was told, by one goroutine, and must not block.
	Recorded()
}

// Options are the parts of a Log. Commits and NewID are required.
type Options struct {
	Commits *commit.Committer
	// NewID makes the IDs of events.
	NewID func() string
	// Sinks are who takes events; they read them with Events.
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

// pending is what a transaction has read and changed of the log.
type pending struct {
	config   *muster.EventConfig // as it is by now; nil until it is needed
	marks    *marks              // as they will be; nil until they are needed
	recorded bool                // there are new events
}

func (l *Log) pending(tx *commit.Tx) *pending {
	p, _ := commit.OfTransaction(tx, l, func() (*pending, error) { return &pending{}, nil })
	return p
}

// Enabled reports whether anybody wants events of a type, at this point of the
// transaction.
func (l *Log) Enabled(tx *commit.Tx, t muster.EventType) (bool, error) {
	wanted, err := l.wanted(tx, t)
	return wanted != 0, err
}

// wanted returns who wants events of a type: a bit for each Sink.
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

// Tell records an event of the running command, if anybody wants those of its
// type. ID, At and Recorded are filled in.
func (l *Log) Tell(tx *commit.Tx, e Event) error {
	wanted, err := l.wanted(tx, e.Type)
	if err != nil || wanted == 0 {
		return err
	}
	e.ID, e.At = l.newID(), tx.Now
	return l.record(tx, e, wanted)
}

// record writes an event into the log.
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

// marks returns the marks of the log to be changed; they are written at the end
// of the transaction.
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

// Events returns events for a sink, oldest first, at most limit of them and
// after the place after; zero begins with what the sink has not taken yet. through is
// the place up to which there is nothing else for the sink; it is after when
// there is nothing at all. All of it is durable.
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

// Taken notes that a sink is done with all events up to a place; they are
// removed when every sink is. It does not wait. What it could not note before
// the process stopped is handed out again.
func (l *Log) Taken(sink Sink, through uint64) {
	commit.Submit(l.commits, nil, func(tx *commit.Tx) (struct{}, error) {
		return struct{}{}, l.taken(tx, sink, through)
	}, func(_ struct{}, err error) {
		if err != nil {
			l.commits.Log().Debug("events may be handed out again after a restart", "error", err)
		}
	})
}

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
