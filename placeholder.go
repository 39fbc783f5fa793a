package muster

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"
)

// placeholder is one ${aws:iot:KIND:ARGUMENT} in a string value of a job
// document (jobs-control-plane.md section 6.2).
type placeholder struct {
	kind, argument string
	start, end     int // its place in the value
}

// parameterKind is the kind that a value of documentParameters takes the place
// of.
const parameterKind = "parameter"

// laterKinds are the kinds of the contract that nothing resolves yet.
var laterKinds = []string{"s3-presigned-url", "s3-presigned-url-v2", "s3-presigned-url-upload", "package", "code-sign-signature"}

// localPlaceholders have a meaning inside of an upload placeholder only
// (section 6.4).
var localPlaceholders = []string{"${thingName}", "${jobId}", "${executionNumber}"}

// CheckPlaceholders returns an Invalid error unless every placeholder in the
// string values of a job document is one that a device may be sent
// (jobs-control-plane.md sections 6.2 and 6.6). What begins with ${ and not
// with ${aws: is none, and the names of members hold none. document must have
// passed CheckDocument.
func CheckPlaceholders(document string) error {
	_, err := rewriteStrings(document, func(value string) (string, error) {
		found, err := placeholders(value)
		if err != nil {
			return value, err
		}
		for _, p := range found {
			if err := p.check(); err != nil {
				return value, err
			}
		}
		return value, nil
	})
	return err
}

// check refuses a placeholder that is left when a job or a template is made.
func (p placeholder) check() error {
	switch {
	case p.kind == parameterKind:
		return Errorf(Invalid, "The placeholder ${aws:iot:parameter:%s} is only valid in AWS managed job templates", p.argument)
	case slices.Contains(laterKinds, p.kind):
		return Errorf(Invalid, "The placeholder ${aws:iot:%s:…} is not supported yet", p.kind)
	}
	return Errorf(Invalid, "The job document has a placeholder of the unknown kind ${aws:iot:%s}", p.kind)
}

// fillParameters returns a document with values in the place of its parameters.
// What it does not change stays byte for byte.
func fillParameters(document string, values map[string]string) (string, error) {
	return rewriteStrings(document, func(value string) (string, error) {
		found, err := placeholders(value)
		for _, p := range slices.Backward(found) {
			if p.kind == parameterKind {
				value = value[:p.start] + values[p.argument] + value[p.end:]
			}
		}
		return value, err
	})
}

// placeholders returns the outermost placeholders of a string value, in order.
func placeholders(value string) ([]placeholder, error) {
	var found []placeholder
	for at := 0; ; {
		next := strings.Index(value[at:], "${")
		if next < 0 {
			return found, nil
		}
		start := at + next
		text := value[start:]
		at = start + len("${")
		for _, local := range localPlaceholders {
			if strings.HasPrefix(text, local) {
				return nil, Errorf(Invalid, "Local placeholder, %s, is only valid inside of presign url upload", local)
			}
		}
		if !strings.HasPrefix(text, "${aws:") {
			continue
		}
		length := closed(text)
		if length == 0 {
			return nil, Errorf(Invalid, "One or more parameters or placeholders are not terminated.")
		}
		at = start + length
		name, ok := strings.CutPrefix(text[:length-1], "${aws:iot:")
		if !ok {
			return nil, Errorf(Invalid, "The job document has an unknown placeholder %s", text[:length])
		}
		p := placeholder{start: start, end: at}
		p.kind, p.argument, _ = strings.Cut(name, ":")
		found = append(found, p)
	}
}

// closed returns the length of the placeholder that text begins with, others
// within it included; 0 when it is not terminated.
func closed(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
		case text[i] == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// rewriteStrings returns a JSON text with change made to each string value; the
// names of members are none. What change leaves alone stays byte for byte.
func rewriteStrings(text string, change func(value string) (string, error)) (string, error) {
	var out strings.Builder
	done := 0
	for start, end := range stringValues(text) {
		var value string
		if err := json.Unmarshal([]byte(text[start:end]), &value); err != nil {
			return "", Errorf(Invalid, "The job document is not valid JSON")
		}
		changed, err := change(value)
		if err != nil {
			return "", err
		}
		if changed != value {
			out.WriteString(text[done:start])
			out.WriteString(quote(changed))
			done = end
		}
	}
	out.WriteString(text[done:])
	return out.String(), nil
}

// stringValues yields where the string values of a JSON text begin and end,
// with their quotes.
func stringValues(text string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		for i := 0; i < len(text); i++ {
			if text[i] != '"' {
				continue
			}
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return
			}
			name := strings.HasPrefix(strings.TrimLeft(text[i+1:], " \t\r\n"), ":")
			if !name && !yield(start, i+1) {
				return
			}
		}
	}
}

// quote writes a JSON string, with no more escapes than JSON asks for.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always has a JSON form
	return strings.TrimSuffix(b.String(), "\n")
}
