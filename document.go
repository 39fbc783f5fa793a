package muster

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// CheckDocument returns an Invalid error unless text can be a job document: a
// JSON object in UTF-8 of at most limit bytes (jobs-control-plane.md sections
// 1.2, 3.1 and J4), in which no object has a name twice.
func CheckDocument(text string, limit int) error {
	switch {
	case len(text) > limit:
		return Errorf(Invalid, "The job document has %d bytes; at most %d are allowed", len(text), limit)
	case !utf8.ValidString(text) || !json.Valid([]byte(text)):
		return Errorf(Invalid, "The job document is not valid JSON %s", JSONFault([]byte(text)))
	case !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{"):
		return Errorf(Invalid, "The job document is not a JSON object")
	}
	if name, found := DuplicateName([]byte(text)); found {
		return Errorf(Invalid, "The job document has the key %.200q twice in one object", name)
	}
	return nil
}
