package operator

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// ClockOrder moves the test clock. One of the two members is set.
type ClockOrder struct {
	Advance string     `json:"advance,omitempty"` // a duration such as 90m
	Set     *time.Time `json:"set,omitempty"`     // an instant such as 2030-01-01T00:00:00Z
}

// ClockReading is what a clock shows.
type ClockReading struct {
	Now Instant `json:"now"`
}

// Clock is the clock of a test server.
type Clock interface {
	Now() muster.Instant
	// Move returns when everything that is due by the instant to has happened. It fails
	// with Invalid when that is in the past.
	Move(ctx context.Context, to muster.Instant) error
}

// advanceMax is how far one order moves the clock.
const advanceMax = 10 * 366 * 24 * time.Hour

func (p Parts) readClock(context.Context, *Call, none) (ClockReading, error) {
	if p.Clock == nil {
		return ClockReading{}, muster.Errorf(muster.NotFound, "this server keeps real time; start it with --test-clock")
	}
	return ClockReading{Instant(p.Clock.Now())}, nil
}

// clockOrder fails when there is no clock to move, whatever the body says.
func (p Parts) clockOrder(ctx context.Context, c *Call) (ClockOrder, error) {
	_, err := p.readClock(ctx, c, none{})
	return ClockOrder{}, err
}

func (p Parts) moveClock(ctx context.Context, c *Call, order ClockOrder) (ClockReading, error) {
	was := p.Clock.Now()
	to, err := order.target(was)
	if err == nil {
		err = p.Clock.Move(ctx, to)
	}
	if err != nil {
		return ClockReading{}, err
	}
	c.Changes = []audit.Change{{Resource: "clock", Field: "now", Old: Instant(was).String(), New: Instant(to).String()}}
	return p.readClock(ctx, c, none{})
}

// target returns the instant that an order asks for when the clock shows now.
func (o ClockOrder) target(now muster.Instant) (muster.Instant, error) {
	var to muster.Instant
	switch {
	case (o.Advance == "") == (o.Set == nil):
		return 0, muster.Errorf(muster.Invalid, "give one of \"advance\" and \"set\"")
	case o.Set != nil:
		to = muster.At(*o.Set)
	default:
		d, err := time.ParseDuration(o.Advance)
		if err != nil {
			return 0, muster.Errorf(muster.Invalid, "\"advance\" %q is no duration such as 90m", o.Advance)
		}
		to = now.Add(d)
	}
	if to > now.Add(advanceMax) {
		return 0, muster.Errorf(muster.Invalid, "the clock is moved at most %s at once", advanceMax)
	}
	return to, nil
}
