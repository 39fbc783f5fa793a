package operator

import (
	"encoding/json"
	"time"

	"github.com/muster-iot/muster"
)

// Instant is an instant as answers show it: RFC 3339 in UTC, to the millisecond, so that all are as long and sort as
// text. It is read from any RFC 3339. Zero, which omitzero leaves out, is unset.
type Instant muster.Instant

// At returns the instant of a time, unset if that is zero.
func At(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(muster.At(t))
}

// Time returns the time of an instant, in UTC; zero if it is unset.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return muster.Instant(i).Time()
}

// String returns the form in which an instant is shown.
func (i Instant) String() string { return i.Time().Format(muster.InstantForm) }

// MarshalJSON returns that form as a string.
func (i Instant) MarshalJSON() ([]byte, error) { return json.Marshal(i.String()) }

// UnmarshalJSON reads a string in RFC 3339.
func (i *Instant) UnmarshalJSON(text []byte) error {
	var t time.Time
	err := json.Unmarshal(text, &t)
	*i = At(t)
	return err
}
