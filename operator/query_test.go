package operator

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/muster-iot/muster"
)

func TestQuery(t *testing.T) {
	type read struct {
		text    string
		number  int
		instant muster.Instant
	}
	for _, c := range []struct {
		query string
		want  read
		err   string
	}{
		{query: "", want: read{number: 100}},
		{query: "text=a%20b&number=500&at=2026-11-28T08:29:22.0019Z", want: read{"a b", 500, 1795854562001}},
		{query: "at=2026-11-28T09:29:22%2B01:00", want: read{number: 100, instant: 1795854562000}},
		{query: "other=1", err: `The query parameter "other" is not known here; there are: text, number, at`},
		{query: "text=a&text=a", err: `The query parameter "text" stands in the query more than once`},
		{query: "text=", err: `The query parameter "text" is empty`},
		{query: "text", err: `The query parameter "text" is empty`},
		{query: "text=%zz", err: `The query of the URL is malformed`},
		{query: "number=501", err: `The query parameter "number" must be a number from 1 to 500`},
		{query: "number=0", err: `The query parameter "number" must be a number from 1 to 500`},
		{query: "number=ten&at=now", err: `The query parameter "number" must be a number from 1 to 500`},
		{query: "at=2026-11-28", err: `The query parameter "at" must be an instant such as 2026-11-28T08:29:22.000Z`},
		{query: "at=1969-12-31T23:59:59Z", err: `The query parameter "at" must be an instant such as 2026-11-28T08:29:22.000Z`},
	} {
		q := (&Call{Request: httptest.NewRequest("GET", "/x?"+c.query, nil)}).Query()
		got, err := read{q.Text("text"), q.Number("number", 1, 500, 100), q.Instant("at")}, q.Err()
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%q is read as %+v (%v), want %+v", c.query, got, err, c.want)
		}
		if e, ok := errors.AsType[*muster.Error](err); c.err != "" && (!ok || e.Kind != muster.Invalid || e.Msg != c.err) {
			t.Errorf("%q fails with %v, want Invalid: %s", c.query, err, c.err)
		}
	}
}

func TestQueryOfNothing(t *testing.T) {
	q := (&Call{Request: httptest.NewRequest("GET", "/x?a=1", nil)}).Query()
	if err := q.Err(); err == nil || err.Error() != `The query parameter "a" is not known here; there are: none` {
		t.Errorf("fails with %v", err)
	}
}
