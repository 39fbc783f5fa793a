package fleetquery

import "slices"

// spansMax bounds the spans of one cover; what would need more is better walked.
const spansMax = 256

// Cover returns spans of the index that together hold an entry of every document
// that matches; they may hold others too. fields are those that the index has
// entries of, which only a query that is Bare needs. cost estimates how many
// entries a span holds; of two ways to cover the cheaper is taken. It reports
// false when the query has no cover, such as a negation, and all documents must
// be looked at.
func (q *Query) Cover(fields []string, cost func(Span) int) ([]Span, bool) {
	c, ok := q.root.cover(&planner{fields: fields, cost: cost})
	return c.spans, ok && len(c.spans) <= spansMax
}

type planner struct {
	fields []string
	cost   func(Span) int
}

// cover is some spans and what they cost, which is known only after weigh.
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

// cover of a conjunction is the cheapest of its parts' covers.
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

// cover of alternatives is the covers of all of them.
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

// spans returns where the values of a field that pass the test lie.
func (t *term) spans(field string) []Span {
	if t.pattern != nil {
		return []Span{t.pattern.span(field)}
	}
	numeric := t.from != nil && t.from.numeric || t.to != nil && t.to.numeric
	if numeric && (t.from != nil && !t.from.numeric || t.to != nil && !t.to.numeric) {
		return []Span{{Field: field}} // one side compares as text, the other does not
	}
	text := Span{Field: field, From: t.from.first(textPlace), To: t.to.last(textPlace)}
	if !numeric {
		return []Span{text}
	}
	return []Span{{Field: field, Numbers: true, From: t.from.first(numberPlace), To: t.to.last(numberPlace)}, text}
}

func (p *pattern) span(field string) Span {
	prefix := p.prefix()
	switch {
	case !p.wild:
		return Span{Field: field, From: prefix + "\x00", To: prefix + "\x01"}
	case prefix == "":
		return Span{Field: field}
	}
	return Span{Field: field, From: prefix, To: prefix + "\xff"}
}

func textPlace(b *bound) string   { return b.text }
func numberPlace(b *bound) string { return sortable(b.number) }

// first returns where a span begins whose lower bound is b.
func (b *bound) first(place func(*bound) string) string {
	switch {
	case b == nil:
		return ""
	case b.inclusive:
		return place(b) + "\x00"
	}
	return place(b) + "\x01"
}

// last returns where a span ends whose upper bound is b.
func (b *bound) last(place func(*bound) string) string {
	switch {
	case b == nil:
		return ""
	case b.inclusive:
		return place(b) + "\x01"
	}
	return place(b) + "\x00"
}
