package fleetquery

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// An inverted index has an Entry for each value of each field of each document and,
// for a value that is a number, a second one among the numbers. The key of an entry is
// the field, the place of the value and the name of the document, separated by NUL, so
// that the entries of one value are adjacent and values are in order.

// Entry is one entry of a document in the index.
type Entry struct {
	Field   string
	Numbers bool   // the entry is among the numbers
	Place   string // the value; among the numbers, a text that sorts like it
}

// Key returns the key of the entry of the document with that name.
func (e Entry) Key(name string) string { return e.Field + "\x00" + e.Place + "\x00" + name }

// Entries returns all entries of a document in no particular order, without those of
// connectivity and jobs, which have indexes of their own.
func (d Document) Entries() []Entry {
	var all []Entry
	for field, values := range d {
		if Searchable(field) && !OfConnectivity(field) {
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
		all = append(all, Entry{Field: field, Numbers: true, Place: NumberPlace(n)})
	}
	return all
}

// NumberPlace returns the place of a number among the numbers, a text that sorts like it:
// the bits of n, with the sign bit flipped for positive and all bits for negative numbers.
func NumberPlace(n float64) string {
	bits := math.Float64bits(n)
	if n < 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return fmt.Sprintf("%016x", bits)
}

// NumberIn is the inverse of NumberPlace. It fails for another text.
func NumberIn(place string) (float64, error) {
	bits, err := strconv.ParseUint(place, 16, 64)
	if bits>>63 == 1 {
		bits &^= 1 << 63
	} else {
		bits = ^bits
	}
	return math.Float64frombits(bits), err
}

// Span is a contiguous part of the index: the entries of one field from one place up to
// another. It may be stored as JSON, to continue with later.
type Span struct {
	Field   string
	Numbers bool   `json:",omitempty"`
	From    string `json:",omitempty"` // where it begins: a place or a prefix of one
	To      string `json:",omitempty"` // where it ends, excluded; empty: at the end of the field
}

// Exactly returns the span of one place of a field.
func Exactly(field, place string) Span {
	return Span{Field: field, From: place + "\x00", To: place + "\x01"}
}

// Bounds returns the range of keys of the entries: from is included, to is not.
func (s Span) Bounds() (from, to string) { return s.BoundsUnder(s.Field) }

// BoundsUnder is Bounds for an index whose keys have another text in the place of the
// field.
func (s Span) BoundsUnder(field string) (from, to string) {
	from, to = field+"\x00"+s.From, field+"\x00"+s.To
	if s.To == "" {
		to = field + "\x01"
	}
	return from, max(from, to) // an interval such as [5 TO 1] is empty
}

// Holds reports whether an entry is in the span.
func (s Span) Holds(e Entry) bool {
	from, to := s.Bounds()
	key := e.Key("")
	return e.Field == s.Field && e.Numbers == s.Numbers && from <= key && key < to
}

// In reports whether a span contains an entry of the document.
func (d Document) In(s Span) bool {
	_, _, ok := d.First([]Span{s})
	return ok
}

// First returns the index of the first span that contains an entry of the document, and
// the first such entry. A caller that walks the spans in order uses a document only
// there, so that it uses it once. First reports false when no span contains an entry.
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
