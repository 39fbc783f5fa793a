package fleetquery

import "slices"

// spansMax bounds the spans of one cover. A query that needs more is better answered by
// scanning all documents.
const spansMax = 256

// Cover returns spans of the index that together contain an entry of every document
// that matches, and possibly of others. fields are the fields that the index has
// entries of; they are used only if the query is Bare. cost estimates the number of
// entries in a span, by which Cover chooses the cheapest of several covers. It reports
// false when the query has no cover, as for a negation, so that all documents must be
// scanned.
func (q *Query) Cover(fields []string, cost func(Span) int) ([]Span, bool) {
	c, ok := q.root.cover(&planner{fields: fields, cost: cost})
	return c.spans, ok && len(c.spans) <= spansMax
}

type planner struct {
	fields []string
	cost   func(Span) int
}

// cover is a list of spans and their cost, which weigh computes when it is first
// needed.
type cover struct {
	spans   []Span
	cost    int
	weighed bool
}

func (c *cover) weigh(p *planner) int {
	if !c.weighed {
		for _, s := range c.spans {
			c.cost += p.cost(s)
		}
		c.weighed = true
	}
	return c.cost
}

func (everything) cover(*planner) (cover, bool) { return cover{}, false }
func (not) cover(*planner) (cover, bool)        { return cover{}, false }

// cover returns the cheapest cover of a part, since all parts must match.
func (n and) cover(p *planner) (cover, bool) {
	var best cover
	found := false
	for _, part := range n {
		c, ok := part.cover(p)
		switch {
		case !ok:
		case !found:
			best, found = c, true
		case c.weigh(p) < best.weigh(p):
			best = c
		}
	}
	return best, found
}

// cover returns the covers of all parts together.
func (n or) cover(p *planner) (cover, bool) {
	var all cover
	for _, part := range n {
		c, ok := part.cover(p)
		if !ok {
			return cover{}, false
		}
		for _, s := range c.spans {
			if !slices.Contains(all.spans, s) {
				all.spans = append(all.spans, s)
			}
		}
	}
	return all, true
}

func (t *term) cover(p *planner) (cover, bool) {
	fields := []string{t.field}
	if t.field == "" {
		fields = p.fields
	}
	var c cover
	for _, field := range fields {
		c.spans = append(c.spans, t.spans(field)...)
	}
	return c, true
}

// spans returns the spans that contain all values of a field that pass the test.
func (t *term) spans(field string) []Span {
	if t.pattern != nil {
		return []Span{t.pattern.span(field)}
	}
	numeric := t.from != nil && t.from.numeric || t.to != nil && t.to.numeric
	if numeric && (t.from != nil && !t.from.numeric || t.to != nil && !t.to.numeric) {
		return []Span{{Field: field}} // one bound compares as text, the other as a number
	}
	text := Span{Field: field, From: t.from.first(textPlace), To: t.to.last(textPlace)}
	if !numeric {
		return []Span{text}
	}
	numbers := Span{Field: field, Numbers: true, From: t.from.first(numberPlace), To: t.to.last(numberPlace)}
	if field == ConnectedAt {
		return []Span{numbers} // it has no values that are not numbers
	}
	return []Span{numbers, text}
}

func (p *pattern) span(field string) Span {
	prefix := p.prefix()
	switch {
	case !p.wild:
		return Exactly(field, prefix)
	case prefix == "":
		return Span{Field: field}
	}
	return Span{Field: field, From: prefix, To: prefix + "\xff"}
}

func textPlace(b *bound) string   { return b.text }
func numberPlace(b *bound) string { return NumberPlace(b.number) }

// first returns where a span with the lower bound b begins.
func (b *bound) first(place func(*bound) string) string {
	switch {
	case b == nil:
		return ""
	case b.inclusive:
		return place(b) + "\x00"
	}
	return place(b) + "\x01"
}

// last returns where a span with the upper bound b ends.
func (b *bound) last(place func(*bound) string) string {
	switch {
	case b == nil:
		return ""
	case b.inclusive:
		return place(b) + "\x01"
	}
	return place(b) + "\x00"
}
