package contract

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/muster-iot/muster/internal/wiregen"
	"github.com/muster-iot/muster/internal/wiregen/model"
)

// pattern is a pattern of the model, compiled and as a syntax tree.
type pattern struct {
	re   *regexp.Regexp
	tree *syntax.Regexp
}

// pattern returns the pattern of a shape that has one.
func (g *generator) pattern(shape *model.Shape) (*pattern, error) {
	if p := g.patterns[shape.Pattern]; p != nil {
		return p, nil
	}
	expr, err := wiregen.Expression(shape.Pattern)
	if err != nil {
		return nil, err
	}
	p := new(pattern)
	if p.re, err = regexp.Compile(expr); err != nil {
		return nil, err
	}
	if p.tree, err = syntax.Parse(expr, syntax.Perl); err != nil {
		return nil, err
	}
	g.patterns[shape.Pattern] = p
	return p, nil
}

// fits reports whether s keeps the limits of a string shape.
func (g *generator) fits(s string, shape *model.Shape) bool {
	n := float64(utf8.RuneCountInString(s))
	if shape.Min != nil && n < *shape.Min || shape.Max != nil && n > *shape.Max {
		return false
	}
	if shape.Pattern == "" {
		return true
	}
	p, err := g.pattern(shape)
	return err == nil && p.re.MatchString(s)
}

// longText is the longest text that is generated for shapes that allow longer ones.
const longText = 4096

// textOf generates a string without a meaning that keeps the limits of its shape.
func (g *generator) textOf(shape *model.Shape) string {
	for range 20 {
		length := g.length(shape)
		s := ""
		if shape.Pattern == "" {
			s = g.letters(length)
		} else if p, err := g.pattern(shape); err == nil {
			var b strings.Builder
			walk(g.rand, p.tree, length, &b)
			s = b.String()
		}
		if g.fits(s, shape) {
			return s
		}
	}
	return "a"
}

// length chooses the length of a string, often one at a limit.
func (g *generator) length(shape *model.Shape) int {
	least, most := 0, 40
	if shape.Min != nil {
		least = int(*shape.Min)
	}
	if shape.Max != nil {
		most = int(*shape.Max)
	}
	switch n := g.rand.IntN(20); {
	case n < 2:
		return least
	case n < 4 && most <= longText:
		return most
	}
	return least + g.rand.IntN(min(most-least, 16)+1)
}

// alphabet holds the characters of texts without a pattern: characters that JSON
// escapes, that take one to four bytes in UTF-8, and that have a meaning in a path or
// query.
var alphabet = []rune("abcXYZ019 _-.,:;/\\?&=+%#$*\"'<>{}[]()\n\t\u0000\u007fäß\u00a0\u2028€語😀\ufffd")

func (g *generator) letters(n int) string {
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[g.rand.IntN(len(alphabet))])
	}
	return b.String()
}

// walk writes a text of about the wanted length that tree matches.
func walk(r *rand.Rand, tree *syntax.Regexp, length int, b *strings.Builder) {
	times := func(least, most int) int {
		if most < 0 || most > least+length {
			most = least + length
		}
		return least + r.IntN(most-least+1)
	}
	repeat := func(n int) {
		for range n {
			walk(r, tree.Sub[0], 1, b)
		}
	}
	switch tree.Op {
	case syntax.OpLiteral:
		b.WriteString(string(tree.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(r, tree.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(alphabet[r.IntN(20)])
	case syntax.OpStar: // nearly all patterns repeat one class; then this is the length
		repeat(length)
	case syntax.OpPlus:
		repeat(max(length, 1))
	case syntax.OpQuest:
		repeat(r.IntN(2))
	case syntax.OpRepeat:
		repeat(times(tree.Min, tree.Max))
	case syntax.OpAlternate:
		walk(r, tree.Sub[r.IntN(len(tree.Sub))], length, b)
	default: // concatenations and captures; anchors have no parts
		for _, sub := range tree.Sub {
			walk(r, sub, length, b)
		}
	}
}

// oneOf returns a member of a class, mostly one that is ASCII.
func oneOf(r *rand.Rand, ranges []rune) rune {
	for try := range 20 {
		i := 2 * r.IntN(len(ranges)/2)
		low, high := ranges[i], ranges[i+1]
		if try < 10 && r.IntN(8) > 0 {
			if low > 0x7E {
				low, high = ranges[0], ranges[1]
			}
			high = max(low, min(high, 0x7E))
		}
		if c := low + r.Int32N(high-low+1); utf8.ValidRune(c) {
			return c
		}
	}
	return ranges[0]
}
