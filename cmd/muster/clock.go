package main

import (
	"context"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/operator"
)

// clockOrder moves the test clock; one of the two is set.
type clockOrder struct {
	Advance string     `json:"advance"` // a duration such as 90m
	Set     *time.Time `json:"set"`     // an instant such as 2030-01-01T00:00:00Z
}

// advanceMax is how far one order goes.
const advanceMax = 10 * 366 * 24 * time.Hour

// readClock shows the test clock.
func (s *server) readClock(context.Context, *operator.Call) (any, error) {
	if s.clock == nil {
		return nil, errRealTime
	}
	return apiclient.Object{"now": s.clock.Now().Time()}, nil
}

// moveClock moves the test clock. It answers with the time, when everything that
// was due by then has happened.
func (s *server) moveClock(ctx context.Context, c *operator.Call) (any, error) {
	if s.clock == nil {
		return nil, errRealTime
	}
	var order clockOrder
	if err := c.Decode(&order); err != nil {
		return nil, err
	}
	to, err := order.target(s.clock.Now())
	if err != nil {
		return nil, err
	}
	if err := s.clock.Move(ctx, s.engine, to); err != nil {
		return nil, err
	}
	return s.readClock(ctx, c)
}

var errRealTime = muster.Errorf(muster.NotFound, "this server keeps real time; start it with --test-clock")

// target returns the instant that an order asks for when the clock shows now.
func (o clockOrder) target(now muster.Instant) (muster.Instant, error) {
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
