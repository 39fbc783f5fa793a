// Package watch reads what screens and commands show of jobs and things: why they do not move, and what became of them when. It gathers
// facts from the rooms, in one view of the store, and knows no protocol.
package watch

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
)

// Listening tells who is subscribed.
type Listening interface {
	// Listens returns, for each of the things, whether anybody is subscribed to its notify or notify-next in a
	// namespace, or would be sent it from a session that is kept: explain.NotKnown where that cannot be found out
	// within a second.
	Listens(ctx context.Context, ns muster.Namespace, things []muster.ThingName) []explain.Known
}

// Options are the rooms that a Watch reads. Commits, Account, Pages, Jobs and Registry are required.
type Options struct {
	Commits  *commit.Committer
	Account  muster.Account
	Pages    listing.Pager
	Jobs     *jobs.Jobs
	Registry *registry.Registry
	// Listening tells who is subscribed. Nil: nothing is known of it.
	Listening Listening
	// Room reports whether the disk has room for what rollouts write. Nil: it has.
	Room func() bool
}

// Watch reads the rooms. Make it with New.
type Watch struct {
	o       Options
	surveys surveys
}

// New returns a Watch on o.
func New(o Options) *Watch {
	if o.Listening == nil {
		o.Listening = nobodyKnows{}
	}
	if o.Room == nil {
		o.Room = func() bool { return true }
	}
	return &Watch{o: o}
}

// nobodyKnows is the Listening when there is none.
type nobodyKnows struct{}

func (nobodyKnows) Listens(_ context.Context, _ muster.Namespace, things []muster.ThingName) []explain.Known {
	return make([]explain.Known, len(things))
}

// now is the instant at which a question is answered.
func (w *Watch) now() muster.Instant { return w.o.Commits.Now() }
