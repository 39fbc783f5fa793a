package fleetquery

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// An inverted index has an Entry for each value of each field of each document,
// and for a value that is a number a second one among the numbers. Its key is
// the field, the place of the value and the name of what has it, separated by
// NUL, so that entries of one value lie together and values sort.

// Entry is one place of a document in the index.
type Entry struct {
	Field   string
	Numbers bool   // among the numbers
	Place   string // the value, or for a number something that sorts as it does
}

// Key returns the key of the entry for whoever has the name.
func (e Entry) Key(name string) string { return e.Field + "\x00" + e.Place + "\x00" + name }

// Entries returns all entries of a document but those of jobs, which have an
// index of their own. Their order is not promised.
func (d Document) Entries() []Entry {
	var all []Entry
	for field, values := range d {
		if Searchable(field) {
			for _, value := range values {
				all = append(all, entriesOf(field, value)...)
			}
		}
	}
	return all
}

func entriesOf(field, value string) []Entry {
	all := []Entry{{Field: field, Place: value}}
	if n, ok := number(value); ok {
		all = append(all, Entry{Field: field, Numbers: true, Place: sortable(n)})
	}
	return all
}

// sortable returns text that sorts as the numbers do.
func sortable(n float64) string {
	bits := math.Float64bits(n)
	if n < 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return fmt.Sprintf("%016x", bits)
}

// Span is a stretch of the index: the entries of one field from one place up to
// another. It may be stored, as JSON, to go on with later.
type Span struct {
	Field   string
	Numbers bool   `json:",omitempty"`
	From    string `json:",omitempty"` // where it begins: a place, or the beginning of one
	To      string `json:",omitempty"` // the first behind it; empty: the end of the field
}

// Bounds returns the keys between which the entries lie, the first included.
func (s Span) Bounds() (from, to string) {
	from, to = s.Field+"\x00"+s.From, s.Field+"\x00"+s.To
	if s.To == "" {
		to = s.Field + "\x01"
	}
	return from, max(from, to) // from 5 to 1 lies nothing
}

// Holds reports whether an entry lies in the span.
func (s Span) Holds(e Entry) bool {
	from, to := s.Bounds()
	key := e.Key("")
	return e.Field == s.Field && e.Numbers == s.Numbers && from <= key && key < to
}

// First returns the first entry of a document that lies in one of the spans, and
// in which. Whoever walks the spans in order takes a document there only, and so
// takes it once. It reports false when there is none.
func (d Document) First(spans []Span) (int, Entry, bool) {
	for i, s := range spans {
		var found []Entry
		for _, value := range d[s.Field] {
			for _, e := range entriesOf(s.Field, value) {
				if s.Holds(e) {
					found = append(found, e)
				}
			}
		}
		if len(found) > 0 {
			return i, slices.MinFunc(found, func(a, b Entry) int { return strings.Compare(a.Key(""), b.Key("")) }), true
		}
	}
	return 0, Entry{}, false
}
