package store

import "context"

// Shared is a Laned that other processes change at the same time, if Shared returns true.
// Then ApplyIn, Apply and ApplyAlone promise the same of the transactions of all processes
// as of those of one, every Tx is a Timed, and a queue that is written without entries
// is kept: Queues returns it empty and with its revision, for as long as another process
// may remember that, which is about a day after the instant that the revision has.
type Shared interface {
	Laned

	// Shared always returns the same. If it is true there is at least one lane.
	Shared() bool

	// ApplyAlone is Apply while no other transaction runs, in any process: it waits until those
	// that run have ended, and those that come wait until it has. So fn reads all that the former
	// have written, they read what it has written, and the store does not refuse it because of
	// others. It fails with ErrAgain if the others do not end soon.
	ApplyAlone(ctx context.Context, fn func(Tx) error) (wait func() error, err error)

	// Settled returns a moment: every transaction, of any process, with an earlier moment has
	// ended, and a View that begins after the call shows what it wrote. It is not long ago
	// unless a transaction takes long.
	Settled(ctx context.Context) (Moment, error)
}

// Moment is an instant of the one clock of a Shared store, in microseconds since 1970.
type Moment int64

// Timed is a Tx that knows the time of its store.
type Timed interface {
	// Moment returns the moment of the transaction, which is always the same. It is later than
	// that of every transaction whose writes this one can read, unless the clock of the store
	// was set back. It costs nothing extra after a Prefetch.
	Moment() (Moment, error)
}
