package iotpolicy

import "slices"

// This file decides about many resources at once: a Request whose Resource is a
// Span stands for every resource that it can become. It is allowed only when
// each of them would be, and denied when any of them would be.

// anything stands for a run of characters in a sequence, anyRune for one; no
// text holds them.
const (
	anything rune = -1
	anyRune  rune = -2
)

// spanned reports whether a pattern fits what the span can become: all of it, or
// with some, any of it. A variable without a value fits nothing (AUTH-59).
func (p pattern) spanned(span string, vars Vars, some bool) bool {
	sequence, ok := p.sequence(vars)
	return ok && fits(sequence, spanOf(span), some)
}

// sequence returns a pattern with its variables resolved.
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

// fits walks both from their ends, row by row: row[j] says whether what is left
// of the pattern fits what is left of the span from j on.
func fits(pattern, span []rune, some bool) bool {
	row := make([]bool, len(span)+1) // of the empty rest of the pattern
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

// emptied marks the places from which only runs are left, which may be empty.
func emptied(row []bool, span []rune) {
	for j := len(span) - 1; j >= 0 && span[j] == anything; j-- {
		row[j] = true
	}
}
