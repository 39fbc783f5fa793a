package eventlog

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// An origin is one run of a process: places of two runs differ, whatever their clocks
// show. Origins are numbered from 1.

// origins is the only record in tables.origins.
type origins struct {
	Last uint64 // the newest origin; those up to it have begun
}

const theOrigins = "log"

// run is the place of the newest event that an origin has recorded.
type run struct {
	origin uint64         // zero: it has not begun
	at     muster.Instant // never falls, even if the clock is set back
	n      uint64         // how many events of the origin there were
}

// next returns the place of the next event, which is recorded at the instant now.
func (r *run) next(now muster.Instant) string {
	r.at, r.n = max(r.at, now), r.n+1
	return r.place()
}

// place returns the place of the newest event.
func (r *run) place() string {
	return placeAt(r.at, r.origin, r.n)
}

// placeForm matches the places that run.next returns, and those of formerPlace. Its
// submatch is the origin.
var placeForm = regexp.MustCompile(`^(?:[0-9a-f]{16}-([0-9a-f]{8,16})-[0-9a-f]{12,16}|[0-9]{20})$`)

// formerPlace returns the place of an event that was recorded in format 2, in which places
// were numbers. It sorts before the places of today.
func formerPlace(number uint64) string { return fmt.Sprintf("%020d", number) }

// begun reports whether a place is one of an origin up to the newest, or of a former
// format.
func (o origins) begun(place string) bool {
	m := placeForm.FindStringSubmatch(place)
	if m == nil {
		return false
	}
	origin, err := strconv.ParseUint("0"+m[1], 16, 64)
	return err == nil && origin <= o.Last
}

func readOrigins(r store.Reader) (origins, error) {
	o, err := tables.origins.Get(r, theOrigins)
	if err != nil || o == nil {
		return origins{}, err
	}
	return *o, nil
}

// begin returns the run of a new origin. Its places come after all that are in use, so
// events stay in order also if the clock has gone back since an earlier run.
func begin(tx *commit.Tx) (run, error) {
	o, err := readOrigins(tx)
	if err != nil {
		return run{}, err
	}
	o.Last++
	tables.origins.Put(tx, theOrigins, o)
	r := run{origin: o.Last, at: tx.Now}
	for _, table := range []store.Table{tables.subscribers.Table, tables.webhook.Table, tables.letters.Table} {
		if r.at, err = lastInstant(tx, table, r.at); err != nil {
			return run{}, err
		}
	}
	return r, nil
}

// lastInstant returns an instant from now on after which a table has no place. That is
// now, unless the clock has gone back; then the instant is found in growing steps, since
// there may be many places, and is later than needed by no more than the clock has gone back.
func lastInstant(r store.Reader, table store.Table, now muster.Instant) (muster.Instant, error) {
	at := now
	for step := muster.Instant(1); step > 0; step *= 2 {
		place, err := firstFrom(r, table, store.TimeKey(at+1))
		if err != nil || place == "" {
			return at, err
		}
		at = max(at, store.TimeIn(place[:min(len(place), 16)])) + step
	}
	return at, nil
}

// firstFrom returns the first key of a table that is not before from, or "" if there is
// none.
func firstFrom(r store.Reader, table store.Table, from string) (string, error) {
	for row, err := range r.Scan(table, from, "") {
		return row.Key, err
	}
	return "", nil
}
