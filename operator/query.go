package operator

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/respond"
)

// Query reads the parameters of a request's query. Make it with Call.Query. What is wrong is told by Err, at the end: parameters that
// nothing read, that come twice or are empty, and values that are none.
type Query struct {
	values url.Values
	known  []string // in the order in which they were asked for
	err    error    // the first
}

// Query returns the parameters of the call.
func (c *Call) Query() *Query {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		err = muster.Errorf(muster.Invalid, "The query of the URL is malformed")
	}
	return &Query{values: values, err: err}
}

// Text returns a parameter, "" if it is absent.
func (q *Query) Text(name string) string {
	q.known = append(q.known, name)
	given, present := q.values[name]
	switch {
	case !present:
		return ""
	case len(given) > 1:
		q.fail("stands in the query more than once", name)
	case given[0] == "":
		q.fail("is empty", name)
	}
	return given[0]
}

// Number returns a parameter that must be from low to high, and absent if it is not there.
func (q *Query) Number(name string, low, high, absent int) int {
	text := q.Text(name)
	if text == "" {
		return absent
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		q.fail(fmt.Sprintf("must be a number from %d to %d", low, high), name)
		return absent
	}
	return n
}

// Instant returns a parameter that is an instant of RFC 3339, with an offset or Z, in whole milliseconds; zero if it is absent.
func (q *Query) Instant(name string) muster.Instant {
	text := q.Text(name)
	if text == "" {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 {
		q.fail("must be an instant such as 2026-11-28T08:29:22.000Z", name)
		return 0
	}
	return muster.At(t)
}

// Err returns what is wrong with the parameters that were read, or that others were given. It fails with Invalid.
func (q *Query) Err() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !slices.Contains(q.known, name) && q.err == nil {
			q.err = muster.Errorf(muster.Invalid, "The query parameter %q is not known here; there are: %s", respond.Clip(name), q.names())
		}
	}
	return q.err
}

func (q *Query) names() string {
	if len(q.known) == 0 {
		return "none"
	}
	return strings.Join(q.known, ", ")
}

func (q *Query) fail(why, name string) {
	if q.err == nil {
		q.err = muster.Errorf(muster.Invalid, "The query parameter %q %s", name, why)
	}
}
