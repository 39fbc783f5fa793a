package wire

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// textRule holds the constraints on a string. Lengths are in characters; a zero max
// means that there is none.
type textRule struct {
	min, max  int
	pattern   *pattern
	enum      []string
	sensitive bool // the value must not be shown
}

// sizeRule bounds the size of a list or map. A zero max means that there is none.
type sizeRule struct {
	min, max int
}

// numberRule bounds a number. A nil bound means that there is none.
type numberRule struct {
	min, max *float64
}

// The constraints in the words of AWS's framework.
const (
	notNull = "Member must not be null"
	noLess  = "Member must have value greater than or equal to "
	noMore  = "Member must have value less than or equal to "
	noShort = "Member must have length greater than or equal to "
	noLong  = "Member must have length less than or equal to "
	matches = "Member must satisfy regular expression pattern: "
	oneOf   = "Member must satisfy enum value set: "
	every   = "Member must satisfy constraint: "
	keys    = "Map keys must satisfy constraint: "
	values  = "Map value must satisfy constraint: "
)

// broken calls report with every constraint that s breaks.
func (r *textRule) broken(s string, report func(constraint string)) {
	if r.enum != nil && !slices.Contains(r.enum, s) {
		report(r.enumText())
	}
	if r.pattern != nil && !r.pattern.match(s) {
		report(matches + r.pattern.text)
	}
	// A string has at most as many characters as bytes, so count only if it matters.
	if r.max > 0 && len(s) > r.max && utf8.RuneCountInString(s) > r.max {
		report(noLong + strconv.Itoa(r.max))
	}
	if r.min > 0 && (len(s) < r.min || utf8.RuneCountInString(s) < r.min) {
		report(noShort + strconv.Itoa(r.min))
	}
}

// allows reports whether s breaks no constraint.
func (r *textRule) allows(s string) bool {
	ok := true
	r.broken(s, func(string) { ok = false })
	return ok
}

// all lists every constraint of r, as AWS's framework does for an element of a list
// or map.
func (r *textRule) all() string {
	var c []string
	if r.max > 0 {
		c = append(c, noLong+strconv.Itoa(r.max))
	}
	if r.min > 0 {
		c = append(c, noShort+strconv.Itoa(r.min))
	}
	if r.pattern != nil {
		c = append(c, matches+r.pattern.text)
	}
	if r.enum != nil {
		c = append(c, r.enumText())
	}
	return "[" + strings.Join(c, ", ") + "]"
}

func (r *textRule) enumText() string {
	return oneOf + "[" + strings.Join(r.enum, ", ") + "]"
}

// broken calls report with every bound that n breaks.
func (r *sizeRule) broken(n int, report func(constraint string)) {
	if r.max > 0 && n > r.max {
		report(noLong + strconv.Itoa(r.max))
	}
	if n < r.min {
		report(noShort + strconv.Itoa(r.min))
	}
}

// broken calls report with every bound that f breaks.
func (r *numberRule) broken(f float64, report func(constraint string)) {
	if r.max != nil && f > *r.max {
		report(noMore + number(*r.max))
	}
	if r.min != nil && f < *r.min {
		report(noLess + number(*r.min))
	}
}

// allows reports whether f breaks no bound.
func (r *numberRule) allows(f float64) bool {
	ok := true
	r.broken(f, func(string) { ok = false })
	return ok
}

// all lists every bound of r.
func (r *numberRule) all() string {
	var c []string
	if r.max != nil {
		c = append(c, noMore+number(*r.max))
	}
	if r.min != nil {
		c = append(c, noLess+number(*r.min))
	}
	return "[" + strings.Join(c, ", ") + "]"
}

// number prints f without an exponent and without needless zeros.
func number[T int | int64 | float64](f T) string {
	return strconv.FormatFloat(float64(f), 'f', -1, 64)
}

// shownLimit is how many bytes of a value a message shows.
const shownLimit = 256

// shown returns s, cut after shownLimit bytes.
func shown(s string) string {
	if len(s) <= shownLimit {
		return s
	}
	cut := shownLimit
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// sortedKeys returns the keys of m in order, so that the same map always gives the
// same bytes.
func sortedKeys[V any](m map[string]V) []string {
	s := make([]string, 0, len(m))
	for k := range m {
		s = append(s, k)
	}
	slices.SortFunc(s, cmp.Compare)
	return s
}
