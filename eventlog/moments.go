package eventlog

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// Where other processes may change the store, the first part of a place is the moment of the
// transaction, in microseconds of the one clock of the store. A later transaction that changes
// the same thing, in any process, has a later moment. Moments of different transactions may be equal,
// so origin and number tell their places apart.

// moments are the places of such an origin.
type moments struct {
	origin atomic.Uint64 // zero: it has not begun
	n      atomic.Uint64 // how many places were taken; some of transactions that were given up
}

// take takes the next number of the origin.
func (m *moments) take() uint64 { return m.n.Add(1) }

// begin begins the origin.
func (m *moments) begin(origin uint64) { m.origin.Store(origin) }

// nextAt returns a place at the moment of a transaction, after those that it has used.
func (l *Log) nextAt(tx *commit.Tx) (string, error) {
	p := l.pending(tx)
	if p.origin == 0 {
		p.origin = l.moments.origin.Load()
	}
	if p.origin == 0 {
		if err := tx.Wide(); err != nil { // to begin the origin
			return "", err
		}
		o, err := readOrigins(tx)
		if err != nil {
			return "", err
		}
		o.Last++
		tables.origins.Put(tx, theOrigins, o)
		p.origin = o.Last
		tx.Adopt(func() { l.moments.begin(o.Last) })
	}
	return placeAt(muster.Instant(tx.Moment), p.origin, l.moments.take()), nil
}

// placeAt returns a place. Where other processes may change the store, at is a moment.
func placeAt(at muster.Instant, origin, n uint64) string {
	return fmt.Sprintf("%s-%08x-%012x", store.TimeKey(at), origin, n)
}

// momentKey is the beginning of the places at an instant, where other processes may change the store.
func momentKey(at muster.Instant) string { return store.TimeKey(at * 1000) }

// While there are events which are not settled, a sink waits for that: between two looks first
// unsettledMin, and then twice as long each time, up to unsettledMax.
const (
	unsettledMin = time.Millisecond
	unsettledMax = 100 * time.Millisecond
)

// settledEvents is Events where other processes may change the store. An event may become visible
// after one with a later place, so none is returned unless all before it are visible. If there are
// only such events it waits: nobody says when they are settled.
func (l *Log) settledEvents(ctx context.Context, sink Sink, limit int) (events []Event, err error) {
	for wait := unsettledMin; ; wait = min(2*wait, unsettledMax) {
		settled, err := l.commits.Settled(ctx)
		if err != nil {
			return nil, err
		}
		events, unsettled, err := l.eventsBefore(ctx, sink, limit, store.TimeKey(muster.Instant(settled)))
		if err != nil || len(events) > 0 || !unsettled {
			return events, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
