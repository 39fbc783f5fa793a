package wire

import (
	"regexp"
	"sync"
)

// pattern is a pattern of the models. It must match the whole value.
//
// Nearly all patterns repeat one character class. The ASCII part of such a class is
// a bit set, so no regular expression runs on an ASCII value.
type pattern struct {
	text string // as the model has it; violations show it
	expr string // text in the syntax of RE2, anchored at both ends

	class    bool      // the pattern is one repeated character class
	nonEmpty bool      // repeated by +, not by *
	ascii    [2]uint64 // the class below U+0080
	beyond   beyond    // the class from U+0080 up

	once sync.Once
	re   *regexp.Regexp // expr, compiled when first needed
}

// beyond says how much of U+0080 and above a class holds.
type beyond uint8

const (
	none beyond = iota
	all
	some // only the regular expression can tell
)

// match reports whether s as a whole matches p.
func (p *pattern) match(s string) bool {
	if !p.class {
		return p.regexp().MatchString(s)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c < 0x80:
			if p.ascii[c>>6]&(1<<(c&63)) == 0 {
				return false
			}
		case p.beyond == none:
			return false
		case p.beyond == some:
			return p.regexp().MatchString(s)
		}
	}
	return s != "" || !p.nonEmpty
}

func (p *pattern) regexp() *regexp.Regexp {
	p.once.Do(func() { p.re = regexp.MustCompile(p.expr) })
	return p.re
}
