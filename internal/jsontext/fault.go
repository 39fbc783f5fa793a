// Package jsontext says what encoding/json does not say about a JSON text: where it is
// malformed, in words that may be shown to a caller, and whether an object has the same
// name twice.
package jsontext

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Fault says where a text stops being JSON in UTF-8, such as "at line 3, column
// 14: unexpected '}', expected a name in double quotes". It returns "" exactly when
// json.Valid and utf8.Valid are true. Lines and columns count from 1, columns in
// characters. It repeats at most one character of the text, so it can be shown and
// logged. It runs in linear time.
func Fault(text []byte) string {
	at, want := findFault(text)
	if want == "" {
		if at = invalidUTF8(text); at < 0 {
			return ""
		}
	}
	fault := "at " + Place(text, at) + ": unexpected " + nameOfRune(text[at:])
	if want != "" {
		fault += ", expected " + want
	}
	return fault
}

// Place returns the line and column of the byte at an index in the form of
// Fault: "line 3, column 14".
func Place(text []byte, index int) string {
	line := 1 + bytes.Count(text[:index], []byte("\n"))
	column := 1 + utf8.RuneCount(text[bytes.LastIndexByte(text[:index], '\n')+1:index])
	return fmt.Sprintf("line %d, column %d", line, column)
}

// nameOfRune names the first character of text.
func nameOfRune(text []byte) string {
	r, size := utf8.DecodeRune(text)
	switch {
	case size == 0:
		return "end of the text"
	case r == utf8.RuneError && size == 1:
		return "byte that is not UTF-8"
	case r == '\n' || r == '\r':
		return "line break"
	case r == '\'':
		return "single quote"
	case r == '\uFEFF':
		return "byte order mark"
	case !unicode.IsPrint(r):
		return fmt.Sprintf("%U", r)
	}
	return strconv.QuoteRune(r)
}

// invalidUTF8 returns the index of the first byte that is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// What may come next in a JSON text. These are both the states of findFault and
// the words of its message.
const (
	wantValue     = "a value"
	wantElement   = "a value or ']'" // the first of a list
	wantName      = "a name in double quotes"
	wantMember    = "a name in double quotes or '}'" // the first of an object
	wantColon     = "':'"
	wantMoreNames = "',' or '}'"
	wantMore      = "',' or ']'"
	wantEnd       = "the end of the text"
	wantQuote     = "'\"'"
	wantEscape    = `one of " \ / b f n r t u`
	wantHex       = "four hexadecimal digits"
	wantDigit     = "a digit"
	wantLessDepth = "at most 10000 levels of objects and lists"
)

// depthMax is how deep encoding/json allows values to be nested.
const depthMax = 10000

// findFault returns the index of the first byte that is not allowed where it is,
// and what is allowed there. want is "" when there is no such byte.
func findFault(text []byte) (at int, want string) {
	var open []byte // the closing brackets of the open objects and lists, outermost first
	want = wantValue
	for i := 0; ; {
		for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
			i++
		}
		switch {
		case i == len(text) && want == wantEnd:
			return i, ""
		case i == len(text):
			return i, want
		}
		c, closes := text[i], len(open) > 0 && text[i] == open[len(open)-1]
		switch {
		case closes && (want == wantElement || want == wantMember || want == wantMore || want == wantMoreNames):
			open = open[:len(open)-1]
			i, want = i+1, afterValue(open)
		case c == ',' && want == wantMore:
			i, want = i+1, wantValue
		case c == ',' && want == wantMoreNames:
			i, want = i+1, wantName
		case c == ':' && want == wantColon:
			i, want = i+1, wantValue
		case c == '"' && (want == wantName || want == wantMember):
			if i, want = skipString(text, i); want != "" {
				return i, want
			}
			want = wantColon
		case want != wantValue && want != wantElement:
			return i, want
		case c == '{' || c == '[':
			if len(open) == depthMax {
				return i, wantLessDepth
			}
			open, want = append(open, c+2), wantMember // in ASCII, each closing bracket is two after the opening one
			if c == '[' {
				want = wantElement
			}
			i++
		default:
			expected := want
			if i, want = skipScalar(text, i); want != "" {
				if want == wantValue {
					want = expected
				}
				return i, want
			}
			want = afterValue(open)
		}
	}
}

// afterValue returns what may follow a value, given the closing brackets that are
// still to come.
func afterValue(open []byte) string {
	switch {
	case len(open) == 0:
		return wantEnd
	case open[len(open)-1] == '}':
		return wantMoreNames
	}
	return wantMore
}

// The skip functions return the index after the value that begins at i or, when it
// has a fault, the index of the fault and what is allowed there.

func skipScalar(text []byte, i int) (at int, want string) {
	switch c := text[i]; {
	case c == '"':
		return skipString(text, i)
	case c == '-' || isDigit(c):
		return skipNumber(text, i)
	case c == 't':
		return skipWord(text, i, "true")
	case c == 'f':
		return skipWord(text, i, "false")
	case c == 'n':
		return skipWord(text, i, "null")
	}
	return i, wantValue
}

func skipWord(text []byte, i int, word string) (at int, want string) {
	for j := range len(word) {
		if i+j == len(text) || text[i+j] != word[j] {
			return i + j, word
		}
	}
	return i + len(word), ""
}

func skipString(text []byte, i int) (at int, want string) {
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1, ""
		case c < ' ':
			return i, wantQuote
		case c == '\\':
			if i++; i == len(text) || bytes.IndexByte([]byte(`"\/bfnrtu`), text[i]) < 0 {
				return i, wantEscape
			}
			for digits := 0; text[i-digits] == 'u' && digits < 4; digits++ {
				if i++; i == len(text) || !isHex(text[i]) {
					return i, wantHex
				}
			}
		}
	}
	return i, wantQuote
}

func skipNumber(text []byte, i int) (at int, want string) {
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if i, want = skipDigits(text, i); want != "" {
		return i, want
	}
	if i < len(text) && text[i] == '.' {
		if i, want = skipDigits(text, i+1); want != "" {
			return i, want
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return skipDigits(text, i)
	}
	return i, ""
}

// skipDigits skips one or more digits.
func skipDigits(text []byte, i int) (at int, want string) {
	start := i
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	if i == start {
		return i, wantDigit
	}
	return i, ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
