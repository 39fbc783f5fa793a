package fleetquery

import (
	"slices"
	"strings"
)

// Unmet is the reason why a document does not match a query.
type Unmet struct {
	Term  string   // the term that decides, as a query; with NOT if it must not match
	Field string   // that it tests; empty if it tests all
	Has   []string // the values of the document in that field, folded; of all fields those that the term matches
}

// Unmet returns why a document does not match: the first term on which it fails. ok is false if it matches.
func (q *Query) Unmet(d Document) (why Unmet, ok bool) {
	if q.Matches(d) {
		return Unmet{}, false
	}
	t, negated := decides(q.root, d, false)
	if t == nil { // NOT *
		return Unmet{Term: "NOT *"}, true
	}
	why = Unmet{Term: t.String(), Field: t.field}
	if negated {
		why.Term = "NOT " + why.Term
	}
	if t.field != "" {
		why.Has = slices.Clone(d[t.field])
	} else if negated {
		why.Has = t.found(d)
	}
	slices.Sort(why.Has)
	return why, true
}

// decides returns the term because of which n is not want for a document: true, or with negated false. It is nil if there is
// no such term.
func decides(n node, d Document, negated bool) (*term, bool) {
	switch n := n.(type) {
	case *term:
		return n, negated
	case not:
		return decides(n.of, d, !negated)
	case and:
		return firstThatDecides(n, d, negated)
	case or:
		return firstThatDecides(n, d, negated)
	}
	return nil, negated
}

// firstThatDecides is decides for the first part that is as the whole must not be.
func firstThatDecides(parts []node, d Document, negated bool) (*term, bool) {
	for _, part := range parts {
		if part.matches(d) == negated {
			return decides(part, d, negated)
		}
	}
	return nil, negated
}

// found returns the values in any field that t accepts.
func (t *term) found(d Document) (values []string) {
	for field, all := range d {
		for _, value := range all {
			if Searchable(field) && t.accepts(value) && !slices.Contains(values, value) {
				values = append(values, value)
			}
		}
	}
	return values
}

// String returns the term as a query that means the same.
func (t *term) String() string {
	text := ""
	if t.field != "" {
		text = t.field + ":"
	}
	if t.pattern != nil {
		return text + t.pattern.String()
	}
	open, end := "[", "]"
	if t.from != nil && !t.from.inclusive {
		open = "{"
	}
	if t.to != nil && !t.to.inclusive {
		end = "}"
	}
	return text + open + t.from.String() + " TO " + t.to.String() + end
}

// String returns the bound as it stands in an interval.
func (b *bound) String() string {
	if b == nil {
		return "*"
	}
	return b.text
}

// String returns the pattern, in quotes if it has no wildcards and is more than a word.
func (p *pattern) String() string {
	var b strings.Builder
	plain := true
	for _, m := range p.marks {
		switch m.kind {
		case anyOne:
			b.WriteByte('?')
		case anyMany:
			b.WriteByte('*')
		default:
			b.WriteRune(m.char)
			plain = plain && (m.char == '-' || m.char == '_' || m.char == '.' || '0' <= m.char && m.char <= '9' || 'a' <= m.char && m.char <= 'z')
		}
	}
	if plain {
		return b.String()
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(b.String()) + `"`
}
