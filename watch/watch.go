// Package watch reads what screens and commands show of jobs and things: why they do not move, and what became of them when. It gathers
// facts from the rooms, in one view of the store, and knows no protocol.
package watch

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/registry"
	"github.com/muster-iot/muster/store"
)

// Options are the rooms that a Watch reads. Commits, Account, Pages, Jobs and Registry are required.
type Options struct {
	Commits  *commit.Committer
	Account  muster.Account
	Pages    listing.Pager
	Jobs     *jobs.Jobs
	Registry *registry.Registry
	// Diary shows also what this node has not written yet. Nil: what is stored.
	Diary *diary.Recorder
	// Listeners know who is subscribed. Nil: nothing is known of it.
	Listeners Listeners
	// Audit says who did what. Nil: nothing is known of that.
	Audit *audit.Log
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

// seen returns the diary of a thing, and the instant until which it shows all that was seen.
func (w *Watch) seen(r store.Reader, thing muster.ThingName) (d muster.Diary, asOf muster.Instant, err error) {
	if w.o.Diary == nil {
		d, err = diary.Of(r, thing)
		return d, w.now().Add(-diary.Behind), err
	}
	d, err = w.o.Diary.Of(r, thing)
	return d, w.o.Diary.AsOf(), err
}
