package commit

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/store"
)

// RoomWait is how long background work that waits for room on the disk waits
// before it looks again.
const RoomWait = 30 * time.Second

// StepsAhead is how many steps a Source hands in together when it has few, so
// that some run while those before them are being synced.
const StepsAhead = 16

// Source is background work that a package leaves in the store. A command that
// leaves some says so with Tx.Wake.
type Source interface {
	// Due looks up what there is to do at an instant. Unless the data may grow it
	// leaves out what makes it larger. It runs on a snapshot and changes nothing.
	Due(r store.Reader, now muster.Instant, grow bool) (Due, error)
}

// Due is the background work of a Source at an instant.
type Due struct {
	// Steps returns what can be done now, in short steps that keep how far they
	// are; nil when there is nothing.
	Steps func() []func(*Tx) error
	// Next is when more is due; zero when only Tx.Wake can tell.
	Next muster.Instant
}

// Sooner makes Next an instant, if that is earlier.
func (d *Due) Sooner(at muster.Instant) {
	if d.Next == 0 || at < d.Next {
		d.Next = at
	}
}

// Agenda says when Work wants to be called again.
type Agenda struct {
	More bool           // at once: there is more to do now
	Next muster.Instant // else at this instant; zero when only Watcher.Due can tell
}

// Work does one round of the background work that is due now, in the order of
// its sources. It is meant for one caller at a time.
func (c *Committer) Work(ctx context.Context, sources ...Source) (Agenda, error) {
	if c.HasRoom(reserve.Finish) != nil {
		return Agenda{Next: c.now().Add(RoomWait)}, nil
	}
	grow := c.HasRoom(reserve.Grow) == nil
	c.asked.Store(0) // what comes up now is seen at the end of this round
	due, _, err := c.due(ctx, sources, grow)
	if err != nil {
		return Agenda{}, err
	}
	var steps []func(*Tx) error
	for _, s := range due {
		steps = append(steps, s()...)
	}
	if err := c.Background(ctx, steps); err != nil {
		return Agenda{}, err
	}
	c.asked.Store(int64(Never)) // from here on Watcher.Due tells of everything new
	due, next, err := c.due(ctx, sources, grow)
	switch {
	case err != nil:
		return Agenda{}, err
	case len(due) > 0:
		return Agenda{More: true}, nil
	case next == 0:
		return Agenda{}, nil
	}
	c.asked.Store(int64(next))
	return Agenda{Next: next}, nil
}

// due asks all sources on one snapshot.
func (c *Committer) due(ctx context.Context, sources []Source, grow bool) (steps []func() []func(*Tx) error, next muster.Instant, err error) {
	all := Due{}
	now := c.now()
	if !grow {
		all.Sooner(now.Add(RoomWait))
	}
	err = c.View(ctx, func(r store.Reader) error {
		steps = nil
		for _, s := range sources {
			d, err := s.Due(r, now, grow)
			if err != nil {
				return err
			}
			if d.Steps != nil {
				steps = append(steps, d.Steps)
			}
			if d.Next != 0 {
				all.Sooner(d.Next)
			}
		}
		return nil
	})
	return steps, all.Next, err
}
