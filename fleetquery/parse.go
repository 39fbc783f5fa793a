package fleetquery

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/muster-iot/muster"
)

// The limits of a query (registry.md section 5.2).
const (
	LengthMax = 1000 // characters
	TermsMax  = 12
	// leadingMax bounds a query, in characters, with a term that begins with a
	// wildcard. Only one term may.
	leadingMax = 100
)

// Parse parses a query on an index. It fails with InvalidQuery; the message says what
// is wrong and at which character.
func Parse(text string, on Index) (*Query, error) {
	p := &parser{text: []rune(text), index: on}
	if !utf8.ValidString(text) {
		return nil, p.errorf("it is not UTF-8")
	}
	if len(p.text) > LengthMax {
		return nil, p.errorf("it has %d characters; at most %d are allowed", len(p.text), LengthMax)
	}
	root, err := p.either("")
	if err == nil && p.peek() == ')' {
		err = p.errorf("there is a ) without a (")
	}
	if err != nil {
		return nil, err
	}
	if p.leading > 0 && len(p.text) > leadingMax {
		return nil, p.errorf("it has %d characters; with a leading wildcard at most %d are allowed", len(p.text), leadingMax)
	}
	q := &Query{root: root}
	root.each(func(t *term) {
		if t.field == "" {
			q.bare = true
		} else if !slices.Contains(q.fields, t.field) {
			q.fields = append(q.fields, t.field)
		}
	})
	return q, nil
}

// parser is a recursive-descent parser. Its levels, from the loosest binding on, are
// either (OR), both (AND) and single (NOT, parentheses, terms).
type parser struct {
	text    []rune
	at      int
	index   Index
	terms   int
	leading int // number of terms that begin with a wildcard
}

// end is what peek returns after the last character.
const end = rune(-1)

func (p *parser) peek() rune { return p.ahead(0) }

func (p *parser) ahead(n int) rune {
	if p.at+n >= len(p.text) {
		return end
	}
	return p.text[p.at+n]
}

func (p *parser) blanks() {
	for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\n' || p.peek() == '\r' {
		p.at++
	}
}

func (p *parser) errorf(format string, args ...any) error {
	return muster.Errorf(muster.InvalidQuery, "The query cannot be read at character %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

// either parses terms joined by OR. Within f:( … ) field is f.
func (p *parser) either(field string) (node, error) {
	var parts or
	for {
		part, err := p.both(field)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if !p.keyword("OR") {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

// both parses terms joined by AND, which may be left out.
func (p *parser) both(field string) (node, error) {
	var parts and
	for {
		part, err := p.single(field)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		explicit := p.keyword("AND")
		if p.blanks(); !explicit && (p.peek() == end || p.peek() == ')' || p.isKeyword("OR")) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

func (p *parser) single(field string) (node, error) {
	p.blanks()
	negated := p.keyword("NOT")
	if !negated && p.peek() == '-' {
		p.at++
		negated = true
	}
	if negated {
		of, err := p.single(field)
		return not{of}, err
	}
	if p.peek() == '(' {
		return p.parenthesis(field)
	}
	return p.term(field)
}

func (p *parser) parenthesis(field string) (node, error) {
	p.at++
	inside, err := p.either(field)
	if err != nil {
		return nil, err
	}
	if p.peek() != ')' {
		return nil, p.errorf("a ) is missing")
	}
	p.at++
	return inside, nil
}

// keyword skips a keyword if it is next, and reports whether it was.
func (p *parser) keyword(word string) bool {
	p.blanks()
	if !p.isKeyword(word) {
		return false
	}
	p.at += len(word)
	return true
}

// isKeyword reports whether a keyword is next, in upper case and as a whole word.
func (p *parser) isKeyword(word string) bool {
	for i, c := range word {
		if p.ahead(i) != c {
			return false
		}
	}
	next := p.ahead(len(word))
	return next == end || next == ' ' || next == '\t' || next == '\n' || next == '\r' || next == '(' || next == ')' || next == '"'
}
