package muster

import "strings"

// ThingNameMax and JobIDMax are the lengths, in characters, that the two names in
// topics may have.
const (
	ThingNameMax = 128
	JobIDMax     = 64
)

// ValidThingName reports whether s may name a thing or a thing group.
func ValidThingName(s string) bool {
	return s != "" && len(s) <= ThingNameMax && allOf(s, ":")
}

// ValidJobID reports whether s may name a job. Its alphabet is that of a namespace.
func ValidJobID(s string) bool { return len(s) <= JobIDMax && ValidNamespace(s) }

// ValidNamespace reports whether s may be a namespace other than the default.
func ValidNamespace(s string) bool { return s != "" && allOf(s, "") }

// allOf reports whether s consists of nameChar and the characters in others.
func allOf(s, others string) bool {
	for i := range len(s) {
		if !nameChar(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

func nameChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
