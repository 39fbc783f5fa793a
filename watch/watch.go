// Package watch reads what screens and commands show of jobs and things: why they do not move, and what became of them when. It gathers
// facts from the rooms, in one view of the store, and knows no protocol.
package watch

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
)

// Options are the rooms that a Watch reads. Commits, Account, Pages, Jobs and Registry are required.
type Options struct {
	Commits  *commit.Committer
	Account  muster.Account
	Pages    listing.Pager
	Jobs     *jobs.Jobs
	Registry *registry.Registry
	// Listeners know who is subscribed. Nil: nothing is known of it.
	Listeners Listeners
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
	if o.Listeners == nil {
		o.Listeners = unknown{}
	}
	if o.Room == nil {
		o.Room = func() bool { return true }
	}
	return &Watch{o: o}
}

// now is the instant at which a question is answered.
func (w *Watch) now() muster.Instant { return w.o.Commits.Now() }
