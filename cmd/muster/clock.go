package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/scheduler"
)

// clockOrder moves the test clock; one of the two is set.
type clockOrder struct {
	Advance string     `json:"advance"` // a duration such as 90m
	Set     *time.Time `json:"set"`     // an instant such as 2030-01-01T00:00:00Z
}

// clockBodyMax bounds an order, and advanceMax how far one goes.
const (
	clockBodyMax = 1 << 10
	advanceMax   = 10 * 366 * 24 * time.Hour
)

// clockAPI shows and moves the test clock to whoever may perform
// muster:MoveClock. It answers with the time, when everything that was due by
// then has happened.
type clockAPI struct {
	clock  *scheduler.TestClock // nil without --test-clock
	work   scheduler.Work
	keys   *identity.Keys
	region string
}

func (c *clockAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, clockBodyMax))
	if err != nil || r.Method != http.MethodPost && r.Method != http.MethodGet {
		answer(w, http.StatusBadRequest, object{"message": "GET it, or POST a JSON object with the member \"advance\" or \"set\""})
		return
	}
	if err := authorize(c.keys, c.region, r, body, "muster:MoveClock"); err != nil {
		answer(w, http.StatusForbidden, object{"message": err.Error()})
		return
	}
	if c.clock == nil {
		answer(w, http.StatusNotFound, object{"message": "this server keeps real time; start it with --test-clock"})
		return
	}
	if r.Method == http.MethodPost {
		err = c.move(r.Context(), body)
	}
	var invalid *muster.Error
	switch {
	case errors.As(err, &invalid) && invalid.Kind == muster.Invalid:
		answer(w, http.StatusBadRequest, object{"message": invalid.Msg})
	case err != nil:
		answer(w, http.StatusInternalServerError, object{"message": err.Error()})
	default:
		answer(w, http.StatusOK, object{"now": c.clock.Now().Time()})
	}
}

// move carries out an order.
func (c *clockAPI) move(ctx context.Context, body []byte) error {
	to, err := c.target(body)
	if err != nil {
		return err
	}
	return c.clock.Move(ctx, c.work, to)
}

// target returns the instant that an order asks for.
func (c *clockAPI) target(body []byte) (muster.Instant, error) {
	var order clockOrder
	if err := json.Unmarshal(body, &order); err != nil {
		return 0, muster.Errorf(muster.Invalid, "the order cannot be read: %v", err)
	}
	if (order.Advance == "") == (order.Set == nil) {
		return 0, muster.Errorf(muster.Invalid, "give one of \"advance\" and \"set\"")
	}
	if order.Set != nil {
		return c.bounded(muster.At(*order.Set))
	}
	d, err := time.ParseDuration(order.Advance)
	if err != nil {
		return 0, muster.Errorf(muster.Invalid, "\"advance\" %q is no duration such as 90m", order.Advance)
	}
	return c.bounded(c.clock.Now().Add(d))
}

func (c *clockAPI) bounded(to muster.Instant) (muster.Instant, error) {
	if to > c.clock.Now().Add(advanceMax) {
		return 0, muster.Errorf(muster.Invalid, "the clock is moved at most %s at once", advanceMax)
	}
	return to, nil
}
