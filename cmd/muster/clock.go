package main

import (
	"encoding/json"
	"errors"
	"fmt"
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

// clockAPI moves the test clock for whoever may perform muster:MoveClock. It
// answers with the time, when everything that was due by then has happened.
type clockAPI struct {
	clock  *scheduler.TestClock // nil without --test-clock
	work   scheduler.Work
	keys   *identity.Keys
	region string
}

func (c *clockAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, clockBodyMax))
	if err != nil || r.Method != http.MethodPost {
		plain(w, http.StatusBadRequest, "POST a JSON object with the member \"advance\" or \"set\"")
		return
	}
	if err := authorize(c.keys, c.region, r, body, "muster:MoveClock"); err != nil {
		plain(w, http.StatusForbidden, err.Error())
		return
	}
	if c.clock == nil {
		plain(w, http.StatusNotFound, "this server keeps real time; start it with --test-clock")
		return
	}
	to, err := c.target(body)
	if err == nil {
		err = c.clock.Move(r.Context(), c.work, to)
	}
	var invalid *muster.Error
	switch {
	case errors.As(err, &invalid) && invalid.Kind == muster.Invalid:
		plain(w, http.StatusBadRequest, invalid.Msg)
	case err != nil:
		plain(w, http.StatusInternalServerError, err.Error())
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, "{\"now\":%q}\n", to.Time().Format(time.RFC3339Nano)) // a client that went away is no fault of ours
	}
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
