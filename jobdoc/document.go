package jobdoc

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/jsontext"
)

// Check returns an Invalid error unless text can be a job document: a JSON object
// in UTF-8 of at most limit bytes (jobs-control-plane.md sections 1.2, 3.1 and J4),
// in which no object has the same name twice.
func Check(text string, limit int) error {
	switch {
	case len(text) > limit:
		return muster.Errorf(muster.Invalid, "The job document has %d bytes; at most %d are allowed", len(text), limit)
	case !utf8.ValidString(text) || !json.Valid([]byte(text)):
		return muster.Errorf(muster.Invalid, "The job document is not valid JSON %s", jsontext.Fault([]byte(text)))
	case !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{"):
		return muster.Errorf(muster.Invalid, "The job document is not a JSON object")
	}
	if name, found := jsontext.DuplicateName([]byte(text)); found {
		return muster.Errorf(muster.Invalid, "The job document has the key %.200q twice in one object", name)
	}
	return nil
}
