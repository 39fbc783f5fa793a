package contract

import (
	"slices"
	"strconv"
	"strings"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

// breach is one way to break one limit of an input.
type breach struct {
	what  string // a description for people
	names names  // the member that a refusal must name
	apply func()
}

// breaches lists the ways to break one limit of an input and keep all others. In a
// payload all members except those in the topic are JSON.
func (g *generator) breaches(in *input, payload bool) []breach {
	var all []breach
	facts := in.value.shape
	for _, m := range slices.Clone(in.value.members) {
		location := facts.Members[m.name].Location
		if payload && location != "uri" {
			location = ""
		}
		place := place{in: in, location: location, names: names{lowerFirst(m.name)}}
		if other := facts.Members[m.name].LocationName; other != "" {
			place.names = append(place.names, other)
		}
		if m.name == facts.Payload {
			continue // a blob: all bytes are valid
		}
		all = append(all, g.breachesOf(place, m.value)...)
		if location != "uri" && slices.Contains(facts.Required, m.name) {
			all = append(all, breach{"no " + m.name, place.names, func() { in.value.drop(m.name) }})
		}
	}
	return all
}

// names are the names that a member may have in a message; any of them is right.
type names []string

// place is the place of a value in an input.
type place struct {
	in       *input
	location string
	names    names
	member   bool // of a list or map: here null does not mean absent
}

func (p place) below(name string) place {
	p.names, p.member = names{name}, false
	return p
}

func (g *generator) breachesOf(p place, v *value) []breach {
	to := func(what, literal string) breach {
		return breach{p.names[0] + ": " + what, p.names, func() { v.literal = literal }}
	}
	var all []breach
	for _, literal := range g.mistyped(p, v.shape) {
		all = append(all, to("wrong type", literal))
	}
	switch v.shape.Type {
	case "structure":
		for _, m := range slices.Clone(v.members) {
			all = append(all, g.breachesOf(p.below(lowerFirst(m.name)), m.value)...)
			if slices.Contains(v.shape.Required, m.name) {
				all = append(all, breach{"no " + m.name, names{lowerFirst(m.name)}, func() { v.drop(m.name) }})
			}
		}
	case "list":
		all = append(all, g.sizes(p, v, func(n int) {
			for len(v.items) < n {
				v.items = append(v.items, g.value(p.in, v.shape.Element.Shape, 2))
			}
			v.items = v.items[:n]
		})...)
		for _, item := range v.items {
			below := p
			below.member = true
			all = append(all, g.breachesOf(below, item)...)
		}
	case "map":
		all = append(all, g.entries(p, v)...)
	case "string":
		all = append(all, g.strings(p, v, to)...)
	case "integer", "long", "double", "float":
		for _, n := range outside(v.shape) {
			all = append(all, to("out of range", n))
		}
	}
	return all
}

// entries lists the ways in which keys and values of a map can break their limits.
func (g *generator) entries(p place, v *value) []breach {
	var all []breach
	key := p.in.api.Shapes[v.shape.Key.Shape]
	rename := func(what, name string) breach {
		return breach{p.names[0] + ": a key " + what, p.names, func() { v.members[0].name = name }}
	}
	for i, m := range v.members {
		below := p.below(p.names[0])
		below.member = true
		all = append(all, g.breachesOf(below, m.value)...)
		if i > 0 {
			continue
		}
		switch {
		case key.Enum != nil:
			all = append(all, rename("that is none", "NO_SUCH_KEY"))
		case key.Max != nil:
			all = append(all, rename("too long", m.name+strings.Repeat("a", int(*key.Max))))
		}
		if bad, ok := g.unmatched(m.name, key, ""); ok {
			all = append(all, rename("with a bad character", bad))
		}
	}
	return all
}

// sizes lists the ways in which the size of a list can break its limits.
func (g *generator) sizes(p place, v *value, resize func(int)) []breach {
	var all []breach
	if least := v.shape.Min; least != nil && *least > 0 {
		all = append(all, breach{p.names[0] + ": too few", p.names, func() { resize(int(*least) - 1) }})
	}
	if most := v.shape.Max; most != nil && *most < 500 {
		all = append(all, breach{p.names[0] + ": too many", p.names, func() { resize(int(*most) + 1) }})
	}
	return all
}

// strings lists the ways in which a string can break the limits of its shape.
func (g *generator) strings(p place, v *value, to func(what, literal string) breach) []breach {
	var all []breach
	s := v.text()
	if v.shape.Enum != nil {
		all = append(all, to("none of the enumeration", quote("NO_SUCH_VALUE")))
		if lower := strings.ToLower(v.shape.Enum[0]); !slices.Contains(v.shape.Enum, lower) {
			all = append(all, to("in lower case", quote(lower)))
		}
		return all
	}
	if most := v.shape.Max; most != nil && (p.location == "" || *most < 4000) {
		if long := g.longer(s, int(*most)+1, v.shape); long != "" {
			all = append(all, to("too long", quote(long)))
		}
	}
	if least := v.shape.Min; least != nil && *least > 0 && p.location != "uri" {
		all = append(all, to("empty", quote("")))
	}
	if bad, ok := g.unmatched(s, v.shape, p.location); ok {
		all = append(all, to("a bad character", quote(bad)))
	}
	return all
}

// longer makes s n characters long, without breaking its pattern if that is possible.
func (g *generator) longer(s string, n int, shape *model.Shape) string {
	if s == "" {
		s = "a"
	}
	for have := len([]rune(s)); have < n; have = len([]rune(s)) {
		s += string([]rune(s)[:min(have, n-have)])
	}
	return s
}

// unmatched puts a character into s that the pattern of a shape does not allow, if
// there is one.
func (g *generator) unmatched(s string, shape *model.Shape, location string) (string, bool) {
	if shape.Pattern == "" {
		return "", false
	}
	p, err := g.pattern(shape)
	if err != nil {
		return "", false
	}
	bad := []string{"!", "ä", "\u0000", "\u2028", "😀", "\n", " ", "%"}
	if location == "header" {
		bad = []string{"!", "ä"}
	}
	g.rand.Shuffle(len(bad), func(i, j int) { bad[i], bad[j] = bad[j], bad[i] })
	runes := []rune(s)
	middle := len(runes) / 2
	if shape.Max != nil && len(runes) >= int(*shape.Max) && middle > 0 {
		runes = append(runes[:middle-1:middle-1], runes[middle:]...) // keeps the length
		middle--
	}
	for _, c := range bad {
		if broken := string(runes[:middle]) + c + string(runes[middle:]); !p.re.MatchString(broken) {
			return broken, true
		}
	}
	return "", false
}

// outside returns numbers outside the range of a shape.
func outside(shape *model.Shape) []string {
	var all []string
	if shape.Min != nil {
		all = append(all, strconv.FormatFloat(*shape.Min-1, 'f', -1, 64))
	}
	if shape.Max != nil {
		all = append(all, strconv.FormatFloat(*shape.Max+1, 'f', -1, 64))
	}
	switch shape.Type {
	case "integer":
		all = append(all, "2147483648", "-2147483649")
	case "long":
		all = append(all, "9223372036854775808")
	}
	return all
}

// mistyped returns JSON that is not valid for any value of a shape.
func (g *generator) mistyped(p place, shape *model.Shape) []string {
	if p.location != "" { // a parameter is text
		switch shape.Type {
		case "integer", "long":
			return []string{`"x"`, `"1.5"`, `""`, `"99999999999999999999"`, `"0x10"`}
		case "boolean":
			return []string{`"yes"`, `""`, `"1"`}
		}
		return nil
	}
	var wrong []string
	switch shape.Type {
	case "structure", "map":
		wrong = []string{`[]`, `"x"`, `7`, `true`}
	case "list":
		wrong = []string{`{}`, `"x"`, `7`}
	case "string":
		wrong = []string{`7`, `{}`, `["x"]`, `true`}
	case "blob":
		wrong = []string{`7`, `"%%%"`, `{}`}
	case "boolean":
		wrong = []string{`1`, `"yes"`, `{}`, `"TRUE "`}
	case "integer", "long":
		wrong = []string{`"x"`, `1.5`, `{}`, `true`, `1e400`, `[1]`, `""`}
	case "double", "float":
		wrong = []string{`"x"`, `{}`, `true`, `1e999`}
	case "timestamp":
		wrong = []string{`{}`, `true`}
	}
	if shape == p.in.api.Shapes["DetailsValue"] { // a number or a boolean counts as its source text (jobs-data-plane.md J15)
		wrong = []string{`{}`, `["x"]`}
	}
	if p.member {
		wrong = append(wrong, `null`)
	}
	return wrong
}

// lowerFirst returns the name of a member as refusals write it.
func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
