package engine

import (
	"context"
	"encoding/binary"
	"encoding/hex"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// This file is the log of events: each is written in the transaction of what it
// tells, only if somebody wants it, and removed when all who want it have taken
// it. So none is lost, whenever the process stops; who reads the log from where
// it had come to may get some again, with the same ID.

// Sink is somebody whom events are handed to. Its order is stored, so it is for
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
	Happening
}

// marks is the only record in eventMarks: how far the log goes.
type marks struct {
	Last    uint64 // the place of the newest event
	Removed uint64 // all up to this place are gone
	Taken   [sinkCount]uint64

	recorded bool // this transaction put events into the log
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

// record writes an event into the log.
func (b *batch) record(h Happening, wanted uint8) error {
	m, err := b.markLog()
	if err != nil {
		return err
	}
	m.Last++
	h.Recorded = b.Now
	eventLog.Put(b, placeKey(m.Last), logged{For: wanted, Happening: h})
	m.recorded = true
	return nil
}

// markLog returns the marks of the log to be changed; seal writes them.
func (b *batch) markLog() (*marks, error) {
	if b.marks == nil {
		m, err := readMarks(b)
		if err != nil {
			return nil, err
		}
		b.marks = &m
		b.Close(b.sealLog)
	}
	return b.marks, nil
}

// sealLog writes the marks at the end of the transaction.
func (b *batch) sealLog() error {
	eventMarks.Put(b, theMarks, *b.marks)
	if b.marks.recorded {
		b.After(b.e.o.Recorded)
	}
	return nil
}

func readMarks(r store.Reader) (marks, error) {
	m, err := eventMarks.Get(r, theMarks)
	if err != nil || m == nil {
		return marks{}, err
	}
	return *m, nil
}

// Events returns events for a sink, oldest first, at most most of them and
// behind the place after; zero begins with what the sink has not taken yet. through is
// the place up to which there is nothing else for the sink; it is after when
// there is nothing at all. All of it is durable.
func (e *Engine) Events(ctx context.Context, sink Sink, after uint64, most int) (events []Happening, through uint64, err error) {
	err = e.view(ctx, func(r store.Reader) error {
		m, err := readMarks(r)
		if err != nil {
			return err
		}
		through = max(after, m.Removed)
		if after == 0 {
			through = max(through, m.Taken[sink])
		}
		looked := 0
		for row, err := range eventLog.Scan(r, placeKey(through+1), "") {
			if err != nil {
				return err
			}
			if len(events) == most || looked == eventLookMax {
				break
			}
			looked++
			through = placeIn(row.Key)
			if row.Value.For&(1<<sink) != 0 {
				h := row.Value.Happening
				h.Place = through
				events = append(events, h)
			}
		}
		return nil
	})
	return events, through, err
}

// Taken notes that a sink is done with all events up to a place; they are
// removed when every sink is. It does not wait. What it could not note before
// the process stopped is handed out again.
func (e *Engine) Taken(sink Sink, through uint64) {
	submitFor(e, func(b *batch) (struct{}, error) { return struct{}{}, b.taken(sink, through) }, func(_ struct{}, err error) {
		if err != nil {
			e.o.Log.Debug("events may be handed out again after a restart", "error", err)
		}
	})
}

func (b *batch) taken(sink Sink, through uint64) error {
	m, err := b.markLog()
	if err != nil {
		return err
	}
	m.Taken[sink] = max(m.Taken[sink], min(through, m.Last))
	done := m.Last
	for s := range sinkCount {
		if b.e.o.Sinks.has(s) {
			done = min(done, m.Taken[s])
		}
	}
	for n := 0; m.Removed < done && n < trimMax; n++ {
		m.Removed++
		eventLog.Delete(b, placeKey(m.Removed))
	}
	return nil
}

// WebhookBacklog returns how many places of the log the webhook has not taken
// yet, and how many dead letters there are.
func (e *Engine) WebhookBacklog(ctx context.Context) (waiting uint64, dead int, err error) {
	err = e.view(ctx, func(r store.Reader) error {
		m, err := readMarks(r)
		if err != nil {
			return err
		}
		waiting = m.Last - max(m.Taken[Webhook], m.Removed)
		dead, err = tally(r, deadLetterTally)
		return err
	})
	return waiting, dead, err
}
