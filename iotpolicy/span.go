package iotpolicy

import "slices"

// This file decides about many resources at once: a Request with Span stands for all
// resources that match its Resource. It is allowed only if each of them is, and denied
// if any of them is.

// In a sequence, anything stands for any run of characters and anyRune for a single one.
// Neither is a valid character.
const (
	anything rune = -1
	anyRune  rune = -2
)

// spanned reports whether the pattern matches all texts that match span or, with some, at
// least one of them. With a variable that has no value it matches nothing (AUTH-59).
func (p pattern) spanned(span string, vars Vars, some bool) bool {
	sequence, ok := p.sequence(vars)
	return ok && fits(sequence, spanOf(span), some)
}

// sequence returns the pattern with its variables replaced. It reports false when one has
// no value.
func (p pattern) sequence(vars Vars) ([]rune, bool) {
	var all []rune
	for i := range p {
		switch p[i].kind {
		case anyRun:
			all = append(all, anything)
		case anyOne:
			all = append(all, anyRune)
		default:
			text, ok := p[i].value(vars)
			if !ok {
				return nil, false
			}
			all = append(all, []rune(text)...)
		}
	}
	return all, true
}

func spanOf(text string) []rune {
	span := []rune(text)
	for i, r := range span {
		if r == '*' {
			span[i] = anything
		}
	}
	return span
}

// fits does the work of spanned by dynamic programming from the ends of both: after each
// step, row[j] says whether the rest of the pattern matches span[j:].
func fits(pattern, span []rune, some bool) bool {
	row := make([]bool, len(span)+1) // for the empty pattern
	row[len(span)] = true
	if some {
		emptied(row, span)
	}
	for _, p := range slices.Backward(pattern) {
		next := make([]bool, len(span)+1)
		next[len(span)] = p == anything && row[len(span)]
		for j := len(span) - 1; j >= 0; j-- {
			switch {
			case p == anything:
				next[j] = row[j] || next[j+1]
			case span[j] == anything:
				next[j] = some && (next[j+1] || row[j])
			default:
				next[j] = (p == anyRune || p == span[j]) && row[j+1]
			}
		}
		row = next
	}
	return row[0]
}

// emptied sets row[j] where span[j:] consists of runs only, all of which may be empty.
func emptied(row []bool, span []rune) {
	for j := len(span) - 1; j >= 0 && span[j] == anything; j-- {
		row[j] = true
	}
}
