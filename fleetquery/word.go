package fleetquery

import (
	"strings"
	"unicode"
)

// unsupported are characters that a query may contain only in quotes or after a
// backslash.
const unsupported = "`@#%/';,+&|!^~{[="

// term parses one term. Within f:( … ) field is f, and the term cannot name a field.
func (p *parser) term(field string) (node, error) {
	if p.terms++; p.terms > TermsMax {
		return nil, p.errorf("it has more than %d terms", TermsMax)
	}
	if p.peek() == '"' {
		text, err := p.quoted()
		return &term{field: field, pattern: exactly(text)}, err
	}
	begin := p.at
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	switch p.peek() {
	case ':', '<', '>':
	default:
		if said := string(p.text[begin:p.at]); said == "AND" || said == "OR" || said == "TO" {
			p.at = begin
			return nil, p.errorf("%s stands where a term should be; quote it if it is a value", said)
		}
		return p.wildcard(field, word, begin)
	}
	if field != "" {
		return nil, p.errorf("within %s:( … ) a term has no field of its own", field)
	}
	if word.wild {
		return nil, p.errorf("the name of a field has no wildcards")
	}
	name := word.prefix()
	if fault := p.index.check(name); fault != "" {
		p.at = begin
		return nil, p.errorf("%s", fault)
	}
	if p.peek() == ':' {
		p.at++
	}
	return p.test(name)
}

// test parses what follows the name of a field.
func (p *parser) test(field string) (node, error) {
	switch p.peek() {
	case '"':
		text, err := p.quoted()
		return &term{field: field, pattern: exactly(text)}, err
	case '(':
		p.terms-- // those inside count
		return p.parenthesis(field)
	case '[', '{':
		return p.interval(field)
	case '<', '>':
		return p.comparison(field)
	}
	begin := p.at
	word, err := p.word()
	if err != nil {
		return nil, err
	}
	if p.peek() == ':' {
		return nil, p.errorf("a : in a value must be quoted, or written \\:")
	}
	return p.wildcard(field, word, begin)
}

// wildcard returns the term for a word that began at begin.
func (p *parser) wildcard(field string, word *pattern, begin int) (node, error) {
	if field == "" && len(word.marks) == 1 && word.marks[0].kind == anyMany {
		return everything{}, nil
	}
	switch {
	case word.marks[0].kind == anyOne:
		p.at = begin
		return nil, p.errorf("a term cannot begin with ?")
	case word.marks[0].kind == anyMany && len(word.marks) > 1:
		if p.leading++; p.leading > 1 {
			p.at = begin
			return nil, p.errorf("only one term may begin with *")
		}
	}
	for i := range word.marks {
		word.marks[i].char = unicode.ToLower(word.marks[i].char)
	}
	return &term{field: field, pattern: word}, nil
}

// interval parses [1 TO 5], {1 TO 5}, [1 TO 5} and {1 TO 5].
func (p *parser) interval(field string) (node, error) {
	t := &term{field: field}
	var err error
	open := p.peek()
	p.at++
	if t.from, err = p.bound(open == '['); err != nil {
		return nil, err
	}
	if !p.keyword("TO") {
		return nil, p.errorf("an interval is [from TO to]")
	}
	begin := p.at
	if t.to, err = p.bound(true); err != nil {
		return nil, err
	}
	p.blanks()
	closed := p.peek()
	if closed != ']' && closed != '}' {
		p.at = begin
		return nil, p.errorf("an interval ends with ] or }")
	}
	p.at++
	if t.to != nil {
		t.to.inclusive = closed == ']'
	}
	if t.from == nil && t.to == nil {
		t.pattern = &pattern{marks: []mark{{kind: anyMany}}, wild: true}
	}
	return t, nil
}

// comparison parses >3, >=3, <3 and <=3.
func (p *parser) comparison(field string) (node, error) {
	above := p.peek() == '>'
	p.at++
	inclusive := p.peek() == '='
	if inclusive {
		p.at++
	}
	b, err := p.bound(inclusive)
	if err == nil && b == nil {
		err = p.errorf("a comparison needs a value")
	}
	if above {
		return &term{field: field, from: b}, err
	}
	return &term{field: field, to: b}, err
}

// bound parses a value to compare with. For * it returns nil: unbounded.
func (p *parser) bound(inclusive bool) (*bound, error) {
	p.blanks()
	if p.peek() == '"' {
		text, err := p.quoted()
		return newBound(text, inclusive), err
	}
	begin := p.at
	word, err := p.word()
	switch {
	case err != nil:
		return nil, err
	case len(word.marks) == 1 && word.marks[0].kind == anyMany:
		return nil, nil //nolint:nilnil // nil is a valid bound
	case word.wild:
		p.at = begin
		return nil, p.errorf("what is compared with has no wildcards")
	}
	return newBound(word.prefix(), inclusive), nil
}

// word parses one or more characters, up to a blank or a special character.
func (p *parser) word() (*pattern, error) {
	w := &pattern{}
	for {
		c := p.peek()
		switch {
		case c == end, strings.ContainsRune(" \t\n\r():<>\"]}", c):
			if len(w.marks) == 0 {
				return nil, p.unexpected()
			}
			if c == '"' {
				return nil, p.errorf("a quote in a word must be written \\\"")
			}
			return w, nil
		case c == '\\':
			if p.at++; p.peek() == end {
				return nil, p.errorf("there is nothing behind the backslash")
			}
			w.add(p.peek())
		case c == '*':
			w.marks, w.wild = append(w.marks, mark{kind: anyMany}), true
		case c == '?':
			w.marks, w.wild = append(w.marks, mark{kind: anyOne}), true
		case c < ' ', c == 0x7f:
			return nil, p.errorf("there is a control character")
		case strings.ContainsRune(unsupported, c):
			return nil, p.errorf("the character %c must be quoted, or written \\%c", c, c)
		default:
			w.add(c)
		}
		p.at++
	}
}

func (p *parser) unexpected() error {
	if c := p.peek(); c == end || unicode.IsSpace(c) {
		return p.errorf("a term is missing")
	}
	return p.errorf("there is a %c where a term should be", p.peek())
}

// quoted parses "…", in which only the quote and the backslash are special.
func (p *parser) quoted() (string, error) {
	begin := p.at
	var b strings.Builder
	for p.at++; p.peek() != '"'; p.at++ {
		if p.peek() == '\\' {
			p.at++
		}
		if p.peek() == end {
			p.at = begin
			return "", p.errorf("the quote does not end")
		}
		b.WriteRune(p.peek())
	}
	p.at++
	if b.Len() == 0 {
		p.at = begin
		return "", p.errorf("there is nothing in the quotes")
	}
	return b.String(), nil
}

func (w *pattern) add(c rune) { w.marks = append(w.marks, mark{char: c}) }

// exactly returns a pattern that matches only text, in any case.
func exactly(text string) *pattern {
	p := &pattern{}
	for _, c := range fold(text) {
		p.add(c)
	}
	return p
}
