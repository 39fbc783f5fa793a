package fleetquery

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// term is a test of one field, or of every searchable field when field is empty. It is
// either a pattern (a phrase is one without wildcards) or an interval.
type term struct {
	field   string
	pattern *pattern
	from    *bound // of an interval; nil: unbounded
	to      *bound
}

func (t *term) matches(d Document) bool {
	if t.field != "" {
		return t.any(d[t.field])
	}
	for field, values := range d {
		if Searchable(field) && t.any(values) {
			return true
		}
	}
	return false
}

func (t *term) each(visit func(*term)) { visit(t) }

func (t *term) any(values []string) bool {
	return slices.ContainsFunc(values, t.accepts)
}

// accepts reports whether a folded value passes the test.
func (t *term) accepts(value string) bool {
	if t.pattern != nil {
		return t.pattern.matches(value)
	}
	return t.from.below(value) && t.to.above(value)
}

// pattern is a text with wildcards.
type pattern struct {
	marks []mark
	wild  bool // there is at least one wildcard
}

// mark is one character of a pattern.
type mark struct {
	char rune
	kind markKind
}

type markKind uint8

const (
	literal markKind = iota
	anyOne           // ?
	anyMany          // *
)

// prefix returns the text before the first wildcard.
func (p *pattern) prefix() string {
	var b strings.Builder
	for _, m := range p.marks {
		if m.kind != literal {
			break
		}
		b.WriteRune(m.char)
	}
	return b.String()
}

// matches walks value and pattern in parallel. On a mismatch it goes back to the last *
// and lets it match one more character.
func (p *pattern) matches(value string) bool {
	runes := []rune(value)
	at, again, from := 0, -1, 0
	for i := 0; i < len(runes); {
		switch {
		case at < len(p.marks) && p.marks[at].kind == anyMany:
			again, from = at, i
			at++
		case at < len(p.marks) && (p.marks[at].kind == anyOne || p.marks[at].char == runes[i]):
			at, i = at+1, i+1
		case again >= 0:
			from++
			at, i = again+1, from
		default:
			return false
		}
	}
	for at < len(p.marks) && p.marks[at].kind == anyMany {
		at++
	}
	return at == len(p.marks)
}

// bound is one end of an interval. If it and a value are numbers, they compare as
// numbers, otherwise as text.
type bound struct {
	text      string
	number    float64
	numeric   bool
	inclusive bool
}

func newBound(text string, inclusive bool) *bound {
	b := &bound{text: fold(text), inclusive: inclusive}
	b.number, b.numeric = number(b.text)
	return b
}

// below reports whether value satisfies b as a lower bound.
func (b *bound) below(value string) bool {
	if b == nil {
		return true
	}
	c := b.compare(value)
	return c > 0 || c == 0 && b.inclusive
}

// above reports whether value satisfies b as an upper bound.
func (b *bound) above(value string) bool {
	if b == nil {
		return true
	}
	c := b.compare(value)
	return c < 0 || c == 0 && b.inclusive
}

// compare returns whether value is less than the bound (-1), equal (0) or greater (1).
func (b *bound) compare(value string) int {
	if b.numeric {
		if n, ok := number(value); ok {
			switch {
			case n < b.number:
				return -1
			case n > b.number:
				return 1
			}
			return 0
		}
	}
	return strings.Compare(value, b.text)
}

// number parses a plain decimal number.
func number(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, false // no hexadecimals, no infinity
	}
	n, err := strconv.ParseFloat(text, 64)
	return n + 0, err == nil && !math.IsInf(n, 0)
}
