package dataplane

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// This file reads and writes JSON for the hot path. Reading takes two steps:
// checkObject validates a whole text once, so that the iteration over its
// members afterwards needs no error handling and copies nothing.

// checkObject reports whether text is a JSON object in valid UTF-8. Objects in
// it may be nested to the depth that encoding/json allows, 10,000; nothing here
// recurses into them.
func checkObject(text []byte) bool {
	i := skipSpace(text, 0)
	return i < len(text) && text[i] == '{' && utf8.Valid(text) && json.Valid(text)
}

// members yields the names and values of an object that passed checkObject, as
// they are written, in their order.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skipSpace(object, 0) + 1
		for {
			i = skipSpace(object, i)
			switch object[i] {
			case '}':
				return
			case ',':
				i = skipSpace(object, i+1)
			}
			name := object[i:skipString(object, i)]
			i = skipSpace(object, i+len(name)) + 1 // after the colon
			i = skipSpace(object, i)
			value := object[i:skipValue(object, i)]
			i += len(value)
			if !yield(name, value) {
				return
			}
		}
	}
}

// The skip functions take the index of something in valid JSON and return the
// index after it.

func skipSpace(text []byte, i int) int {
	for i < len(text) && isSpace(text[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r': // between the parts of what is being skipped
			i++
		default:
			for !endsScalar(text[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// endsScalar reports whether c cannot belong to a number, true, false or null.
func endsScalar(c byte) bool { return c == ',' || c == ']' || c == '}' || isSpace(c) }

// unquote returns the value of a JSON string.
func unquote(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	var s string
	_ = json.Unmarshal(text, &s) // it is known to be a string
	return s
}

const hexDigits = "0123456789abcdef"

// appendString appends s, valid UTF-8, as a JSON string.
func appendString[S ~string](b []byte, s S) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// appendCompact appends valid JSON without the white space between its parts;
// the parts themselves stay as they are written.
func appendCompact(b []byte, text string) []byte {
	start := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case isSpace(c):
			b = append(b, text[start:i]...)
			start = i + 1
		}
	}
	return append(b, text[start:]...)
}
