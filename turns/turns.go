// Package turns keeps background work from occupying every processor while somebody
// waits for an answer.
//
// The scheduler of Go has no priorities. A goroutine runs for up to 10 ms at a time, and
// the network is looked at by a processor that has nothing else to run, or else every
// 10 ms. So a request waits for a slice of background work at each hand-over between
// goroutines, unless one processor is left free. Whoever does background work takes a
// turn for each short piece of it; while somebody asks there are as many turns as
// processors but one. With one processor none can be left free, and background work rests
// between its pieces instead. While nobody asks, nothing is held back.
//
// A turn must not be held while its holder waits for a sync, for another turn, or for
// anything that somebody may have who waits for a turn. A read of the store is short
// enough. This is what bounds the wait for a turn, which therefore needs no context.
package turns

import (
	"sync/atomic"
	"time"
)

// recent is how long after a request somebody counts as asking: longer than the gaps
// between the requests of a few devices, and short enough that background work goes on
// at full speed soon after the last.
const recent = 50 * time.Millisecond

// Options are the parts of Turns. Both are required.
type Options struct {
	Processors int              // that goroutines may run on at the same time
	Now        func() time.Time // quick, and not set back as a clock may be: time.Now
}

// Turns is the turns of one process. Make it with New. It may be used by many goroutines.
// A nil *Turns holds nothing back.
type Turns struct {
	now   func() time.Time
	begun time.Time
	asked atomic.Int64  // when the last request came, in nanoseconds since begun: a clock that is set back changes nothing
	free  chan struct{} // has room for each turn that is not held; nil with one processor
}

// New returns Turns on o, of which nobody has asked anything yet.
func New(o Options) *Turns {
	t := &Turns{now: o.Now, begun: o.Now()}
	t.asked.Store(-int64(recent))
	if o.Processors > 1 {
		t.free = make(chan struct{}, o.Processors-1)
	}
	return t
}

// Asked says that a request came in.
func (t *Turns) Asked() {
	if t != nil {
		t.asked.Store(t.age())
	}
}

// Asking reports whether somebody asked not long ago.
func (t *Turns) Asking() bool {
	return t != nil && t.age()-t.asked.Load() < int64(recent)
}

func (t *Turns) age() int64 { return int64(t.now().Sub(t.begun)) }

// Alone reports whether there is one processor, so that taking turns leaves none free and
// background work must sleep now and then.
func (t *Turns) Alone() bool { return t != nil && t.free == nil }

// Turn is the right of one goroutine at a time to do background work. Make it with Of;
// the zero Turn holds nothing back. It is not held yet.
type Turn struct {
	of   *Turns
	held bool
	from time.Time // since when its holder works without having rested; zero if it does not
}

// Of returns a turn that is not held.
func (t *Turns) Of() Turn { return Turn{of: t} }

// Take waits until the turn is held. It returns at once when it is held already, when
// nobody asks, or with one processor.
func (t *Turn) Take() {
	if t.held || !t.of.Asking() {
		return
	}
	if t.from.IsZero() {
		t.from = t.of.now()
	}
	if t.of.free != nil {
		t.of.free <- struct{}{}
		t.held = true
	}
}

// GiveBack ends the turn, if it is held.
func (t *Turn) GiveBack() {
	if t.held {
		<-t.of.free
		t.held = false
	}
}

// Worked returns how long the holder has worked without rest, waiting for turns included:
// since the first Take after the last Rest at which somebody asked.
func (t *Turn) Worked() time.Duration {
	if t.from.IsZero() {
		return 0
	}
	return t.of.now().Sub(t.from)
}

// restMax bounds a rest: what took longer than a half of this was waiting for the disk or
// for other processes, and not work. So background work gets a larger share of a machine
// that others use too, where the same share would take it far longer.
const restMax = 8 * time.Millisecond

// Rest returns for how long the holder should do nothing now, so that requests have the
// whole machine for most of the time: twice as long as it has worked, at most 8 ms, or
// zero when nobody asks. The turn must not be held.
func (t *Turn) Rest() time.Duration {
	worked := t.Worked()
	t.from = time.Time{}
	if !t.of.Asking() {
		return 0
	}
	return min(2*worked, restMax)
}
