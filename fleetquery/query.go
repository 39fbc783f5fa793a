// Package fleetquery is the query language of the fleet index (registry.md
// section 5.2): it reads a query, says whether a document matches, which fields
// a query looks at, and which stretches of an inverted index hold all that can
// match. It knows no store and no registry: a document is fields with values.
package fleetquery

import (
	"slices"
	"strings"
)

// Version is the only version of the language.
const Version = "2017-09-30"

// Document is what the index knows of one thing or group: for each field that
// it has, one or more values. Put them in with Add.
type Document map[string][]string

// Add gives the document one more value of a field. An empty value is none, and
// one that the field has already is not added again.
func (d Document) Add(field, value string) {
	value = fold(value)
	if value == "" || slices.Contains(d[field], value) {
		return
	}
	d[field] = append(d[field], value)
}

// AddWords gives the document the words of a text as values of a field.
func (d Document) AddWords(field, text string) {
	for word := range strings.FieldsSeq(text) {
		d.Add(field, word)
	}
}

// fold makes values that differ in case only the same.
func fold(value string) string { return strings.ToLower(value) }

// Query is a compiled query. It is immutable and may be used by many
// goroutines.
type Query struct {
	root   node
	fields []string // that it names, each once
	bare   bool     // it has terms without a field
}

// Matches reports whether a document matches.
func (q *Query) Matches(d Document) bool { return q.root.matches(d) }

// Fields returns the fields that the query names. They belong to the query.
func (q *Query) Fields() []string { return q.fields }

// Bare reports whether the query has terms without a field, which look at every
// field but those of jobs.
func (q *Query) Bare() bool { return q.bare }

// Mentions reports whether the answer may depend on a field.
func (q *Query) Mentions(field string) bool {
	return slices.Contains(q.fields, field) || q.bare && Searchable(field)
}

// MayAsk reports whether the answer may depend on whether a field has a value.
func (q *Query) MayAsk(field, value string) bool {
	value = fold(value)
	asked := false
	q.root.each(func(t *term) {
		asked = asked || (t.field == field || t.field == "" && Searchable(field)) && t.accepts(value)
	})
	return asked
}

// node is a part of a query.
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
