package wiregen

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// Expression turns a pattern of the model, in Java's syntax, into RE2, anchored to
// match a whole value. It fails on syntax that it does not know.
func Expression(pattern string) (string, error) {
	var b strings.Builder
	inClass := false
	for rest := pattern; rest != ""; {
		java, re2, ok := token(rest, inClass)
		if !ok {
			return "", fmt.Errorf("pattern %s: cannot translate from %q on", pattern, rest)
		}
		switch java {
		case "[":
			inClass = true
		case "]":
			inClass = false
		}
		b.WriteString(re2)
		rest = rest[len(java):]
	}
	expr := `\A(?:` + b.String() + `)\z`
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		return "", fmt.Errorf("pattern %s: %w", pattern, err)
	}
	return expr, nil
}

// assigned is the complement of Java's \p{C}. RE2's C does not contain the unassigned
// code points, so its complement would contain too much.
const assigned = `[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}]`

// sets are the class escapes that mean something else in Java than in RE2, as members
// of a bracket expression.
var sets = []struct{ java, re2 string }{
	{`\p{Graph}`, `\x21-\x7E`},
	{`\p{Upper}`, `A-Z`},
	{`\p{Digit}`, `0-9`},
	{`\p{Cntrl}`, `\x00-\x1F\x7F`},
	{`\s`, `\x09-\x0D\x20`},
	{`\S`, `\x00-\x08\x0E-\x1F\x21-\x{10FFFF}`},
}

// token returns the first token of a Java pattern and its form in RE2.
func token(s string, inClass bool) (java, re2 string, ok bool) {
	for _, set := range sets {
		if strings.HasPrefix(s, set.java) {
			if inClass {
				return set.java, set.re2, true
			}
			return set.java, "[" + set.re2 + "]", true
		}
	}
	switch {
	case !inClass && strings.HasPrefix(s, `[^\p{C}]`):
		return `[^\p{C}]`, assigned, true
	case !inClass && s[0] == '.':
		return ".", `[^\n\r\x{85}\x{2028}\x{2029}]`, true
	case inClass && (s[0] == '[' || strings.HasPrefix(s, "&&")):
		return "", "", false // RE2 has no nested classes and no intersections
	case s[0] != '\\':
		return s[:1], s[:1], true
	}
	for _, same := range []string{`\p{L}`, `\p{N}`, `\p{Z}`, `\w`, `\d`, `\n`, `\r`, `\t`} {
		if strings.HasPrefix(s, same) {
			return same, same, true
		}
	}
	switch {
	case len(s) >= 4 && s[1] == 'x' && isHex(s[2]) && isHex(s[3]):
		return s[:4], s[:4], true
	case len(s) >= 2 && strings.IndexByte(`$+*?.()[]{}|^/\-`, s[1]) >= 0:
		return s[:2], s[:2], true
	}
	return "", "", false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' || 'a' <= c && c <= 'f'
}

// class is a pattern that repeats one character class.
type class struct {
	ascii    [2]uint64
	nonEmpty bool
	beyond   string // none, all or some of what is not ASCII
}

// classOf returns the class that an anchored expression repeats, if it consists of
// nothing else.
func classOf(expr string) (class, bool) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return class{}, false
	}
	re = core(re)
	var c class
	switch re.Op {
	case syntax.OpStar:
	case syntax.OpPlus:
		c.nonEmpty = true
	default:
		return class{}, false
	}
	set := core(re.Sub[0])
	switch set.Op {
	case syntax.OpAnyChar:
		return class{ascii: [2]uint64{^uint64(0), ^uint64(0)}, nonEmpty: c.nonEmpty, beyond: "all"}, true
	case syntax.OpCharClass:
	default:
		return class{}, false
	}
	beyond := 0
	for i := 0; i < len(set.Rune); i += 2 {
		low, high := set.Rune[i], set.Rune[i+1]
		for r := low; r <= min(high, 0x7F); r++ {
			c.ascii[r>>6] |= 1 << (r & 63)
		}
		if high > 0x7F {
			beyond += int(high-max(low, 0x80)) + 1
		}
	}
	switch beyond {
	case 0:
		c.beyond = "none"
	case 0x10FFFF - 0x7F:
		c.beyond = "all"
	default:
		c.beyond = "some"
	}
	return c, true
}

// core removes anchors and groups.
func core(re *syntax.Regexp) *syntax.Regexp {
	if re.Op == syntax.OpCapture {
		return core(re.Sub[0])
	}
	if re.Op != syntax.OpConcat {
		return re
	}
	rest := slices.DeleteFunc(slices.Clone(re.Sub), func(sub *syntax.Regexp) bool {
		return sub.Op == syntax.OpBeginText || sub.Op == syntax.OpEndText
	})
	if len(rest) != 1 {
		return re
	}
	return core(rest[0])
}
