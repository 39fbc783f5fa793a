package eventlog

import (
	"sync"

	"github.com/muster-iot/muster"
)

// places are the places of an origin that several transactions use at the same time, on a
// store with lanes (package commit). A place is taken before its transaction ends, so one
// that is given up leaves a gap, and an event may be visible before another one that comes
// before it. Of two transactions that change a thing the second one begins when the first
// one has ended, so the events of a thing are in the order of its changes.
type places struct {
	mu   sync.Mutex
	run  run
	open map[*pending]string // of transactions that have not ended: a place before all of theirs
}

// next takes the next place for a transaction that runs at the instant now, unless the
// origin has not begun. first says that it is the transaction's first one; it must end with
// end.
func (s *places) next(tx *pending, now muster.Instant) (place string, first, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run.origin == 0 {
		return "", false, false
	}
	if _, known := s.open[tx]; !known {
		s.open[tx], first = s.run.place(), true
	}
	return s.run.next(now), first, true
}

// hold holds all places back until the transaction that begins the origin ends.
func (s *places) hold(tx *pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[tx] = ""
}

// begin begins the origin.
func (s *places) begin(r run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run = r
}

// end notes that the events of a transaction are visible, or never will be.
func (s *places) end(tx *pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, tx)
}

// ended returns the last place up to which all events are visible to a view that begins
// now; ok is false while the origin has not begun.
func (s *places) ended() (place string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run.origin == 0 {
		return "", false
	}
	place = s.run.place()
	for _, before := range s.open {
		place = min(place, before)
	}
	return place, true
}
