package registry

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file is the index of connectivity: one row for each thing that was ever connected,
// by which a search finds the candidates for any of the three fields. A device that comes or
// goes changes all three; entries for each of them would be three times as many rows to
// write (docs/decisions/0038-connectivity-has-one-row.md).

// connectivityKey returns the key of a thing in the index of connectivity. Things with the
// same state and reason are adjacent, in the order of time.
func connectivityKey(thing muster.ThingName, c muster.Connectivity) string {
	return store.JoinKey(strconv.FormatBool(c.Connected), c.Reason, fleetquery.NumberPlace(float64(c.At)), string(thing))
}

// connectivityIn is the inverse of connectivityKey.
func connectivityIn(key string) (muster.ThingName, muster.Connectivity, error) {
	parts := store.SplitKey(key)
	if len(parts) != 4 {
		return "", muster.Connectivity{}, fmt.Errorf("registry: table %s has the key %q", tables.connectivity.Table, key)
	}
	at, err := fleetquery.NumberIn(parts[2])
	return muster.ThingName(parts[3]), muster.Connectivity{Connected: parts[0] == strconv.FormatBool(true), Reason: parts[1], At: muster.Instant(at)}, err
}

// keyRange is a range of keys; to is excluded.
type keyRange struct{ from, to string }

// connectivityRanges returns the ranges of the index of connectivity that hold all things
// with an entry in a span of one of its fields, and possibly others. There are none while
// connectivity is not indexed.
func connectivityRanges(r store.Reader, s fleetquery.Span) ([]keyRange, error) {
	state, err := indexStateOf(r)
	if err != nil || !state.Config.Connectivity {
		return nil, err
	}
	var all []keyRange
	for key, err := range connectivityStates(r) {
		if err != nil {
			return nil, err
		}
		_, c, err := connectivityIn(key)
		if err != nil {
			return nil, err
		}
		parts := store.SplitKey(key)
		under := store.JoinKey(parts[:2]...)
		from, to := store.Under(under)
		if s.Field == fleetquery.ConnectedAt {
			if s, ok := timesIn(s); ok {
				from, to = s.BoundsUnder(under)
			}
		} else if !connectivityDocument(c).In(s) {
			continue
		}
		all = append(all, keyRange{from, to})
	}
	return all, nil
}

// timesIn returns a span among the numbers that holds the same instants as s, if there is
// one: not for a pattern such as 17*.
func timesIn(s fleetquery.Span) (fleetquery.Span, bool) {
	if s.Numbers {
		return s, true
	}
	// Text spans mostly come from words that are looked for in every field. Instants are
	// written in digits, so few of these words concern them.
	same := 0
	for same < min(len(s.From), len(s.To)) && s.From[same] == s.To[same] {
		same++
	}
	word := s.From[:same]
	n, err := strconv.ParseInt(word, 10, 64)
	switch {
	case strings.Trim(word, "0123456789") != "":
		return fleetquery.Span{Field: s.Field, Numbers: true, From: "0", To: "0"}, true
	case err == nil && s == fleetquery.Exactly(s.Field, word):
		place := fleetquery.NumberPlace(float64(n))
		s = fleetquery.Exactly(s.Field, place)
		s.Numbers = true
		return s, true
	}
	return s, false
}

// connectivityStates yields the first key of each state and reason that things are in. It
// reads one row for each and skips to the next.
func connectivityStates(r store.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for from, found := "", true; found; {
			found = false
			for row, err := range r.Scan(tables.connectivity.Table, from, "") {
				if !yield(row.Key, err) || err != nil {
					return
				}
				parts := store.SplitKey(row.Key)
				_, from = store.Under(parts[:min(2, len(parts))]...)
				found = true
				break
			}
		}
	}
}

// connectivityIsIndexed reports whether there are things in the index of connectivity that
// a search may find.
func connectivityIsIndexed(r store.Reader) (bool, error) {
	ranges, err := connectivityRanges(r, fleetquery.Span{Field: fleetquery.ConnectedAt})
	return len(ranges) > 0, err
}

// connectionsIn is entriesIn for the span of a field of connectivity. A place that was
// stored in format 3 begins with the field, which sorts before all keys: the span is walked
// from its beginning.
func connectionsIn(r store.Reader, at walk, yield func(candidate, error) bool) bool {
	span := at.Spans[at.Span : at.Span+1]
	ranges, err := connectivityRanges(r, span[0])
	if err != nil {
		yield(candidate{}, err)
		return false
	}
	for _, in := range ranges {
		if at.After >= in.from {
			in.from = store.After(at.After)
		}
		if in.from >= in.to {
			continue
		}
		for row, err := range r.Scan(tables.connectivity.Table, in.from, in.to) {
			var c candidate
			if err == nil {
				at.After = row.Key
				c, err = connectionCandidate(row.Key, at, span)
			}
			if !yield(c, err) || err != nil {
				return false
			}
		}
	}
	return true
}

// connectionCandidate returns the candidate of a row of the index of connectivity, without
// a thing if it has no entry in the span.
func connectionCandidate(key string, at walk, span []fleetquery.Span) (candidate, error) {
	thing, known, err := connectivityIn(key)
	if err != nil {
		return candidate{}, err
	}
	_, entry, ok := connectivityDocument(known).First(span)
	if !ok {
		return candidate{at: at}, nil
	}
	return candidate{thing, at, &entry}, nil
}
