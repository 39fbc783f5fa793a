// Package fleetquery is the query language of the fleet index (registry.md section
// 5.2). It parses a query and says whether a document matches, which fields the query
// reads, and which spans of an inverted index contain all documents that can match. It
// is independent of the store and the registry: a document is fields with values.
package fleetquery

import (
	"slices"
	"strings"
)

// Version is the only version of the query language.
const Version = "2017-09-30"

// Document is one thing or group in the index: one or more values for each field that
// it has. Add values with Add or AddWords, which fold them.
type Document map[string][]string

// Add adds a value to a field, unless it is empty or the field has it already.
func (d Document) Add(field, value string) {
	value = fold(value)
	if value == "" || slices.Contains(d[field], value) {
		return
	}
	d[field] = append(d[field], value)
}

// AddWords adds each word of a text as a value of a field.
func (d Document) AddWords(field, text string) {
	for word := range strings.FieldsSeq(text) {
		d.Add(field, word)
	}
}

// fold maps values that differ only in case to the same text.
func fold(value string) string { return strings.ToLower(value) }

// Query is a parsed query. It is immutable and safe for concurrent use.
type Query struct {
	root   node
	fields []string // the fields that it names, without duplicates
	bare   bool     // it has terms without a field
}

// Matches reports whether a document matches.
func (q *Query) Matches(d Document) bool { return q.root.matches(d) }

// Fields returns the fields that the query names. The caller must not modify them.
func (q *Query) Fields() []string { return q.fields }

// Bare reports whether the query has terms without a field, which test every field for
// which Searchable is true.
func (q *Query) Bare() bool { return q.bare }

// Mentions reports whether the result of Matches can depend on a field.
func (q *Query) Mentions(field string) bool {
	return slices.Contains(q.fields, field) || q.bare && Searchable(field)
}

// MayAsk reports whether the result of Matches can depend on whether a field has that
// value.
func (q *Query) MayAsk(field, value string) bool {
	value = fold(value)
	asked := false
	q.root.each(func(t *term) {
		asked = asked || (t.field == field || t.field == "" && Searchable(field)) && t.accepts(value)
	})
	return asked
}

// node is a node of the syntax tree.
type node interface {
	matches(Document) bool
	each(func(*term))
	cover(*planner) (cover, bool)
}

type (
	everything struct{}
	not        struct{ of node }
	and        []node
	or         []node
)

func (everything) matches(Document) bool { return true }
func (everything) each(func(*term))      {}

func (n not) matches(d Document) bool { return !n.of.matches(d) }
func (n not) each(visit func(*term))  { n.of.each(visit) }

func (n and) matches(d Document) bool {
	return !slices.ContainsFunc(n, func(part node) bool { return !part.matches(d) })
}

func (n and) each(visit func(*term)) {
	for _, part := range n {
		part.each(visit)
	}
}

func (n or) matches(d Document) bool {
	return slices.ContainsFunc(n, func(part node) bool { return part.matches(d) })
}

func (n or) each(visit func(*term)) {
	for _, part := range n {
		part.each(visit)
	}
}
