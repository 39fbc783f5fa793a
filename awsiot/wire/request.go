package wire

import (
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Request is the part of an HTTP request that an input is decoded from.
type Request struct {
	Labels Labels      // from the path, already percent-decoded
	Query  url.Values  // parameters without a member are ignored
	Header http.Header // headers without a member are ignored
	Body   []byte      // empty means {}; at most MaxBody bytes
}

// Label is a label of a path template with its value in a path.
type Label struct {
	Name, Value string
}

// Labels are the labels of one path.
type Labels []Label

// Get returns the value of the named label, or "" when the path has none.
func (l Labels) Get(name string) string {
	for _, label := range l {
		if label.Name == name {
			return label.Value
		}
	}
	return ""
}

// Input is the input of an operation.
type Input interface {
	// Decode fills the empty input from r and validates it. The error is an
	// *InputError; after it, the input must not be used.
	Decode(r *Request) error
	// Validate checks the input against every constraint of the model. The error is
	// an *InputError that lists the violations.
	Validate() error
}

// Output is the output of an operation.
type Output interface {
	// AppendJSON appends the output to b as one compact JSON object.
	AppendJSON(b []byte) []byte
}

// Or returns the value that p points to, or fallback if p is nil.
func Or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// param is a label, query parameter or header of a request.
type param struct {
	name  string
	value string
	given bool
}

func (r *Request) label(name string) param {
	for _, label := range r.Labels {
		if label.Name == name {
			return param{name, label.Value, true}
		}
	}
	return param{name: name}
}

// query returns the last value of a parameter, because the last of duplicate JSON
// members counts, too.
func (r *Request) query(name string) param {
	if values := r.Query[name]; len(values) > 0 {
		return param{name, values[len(values)-1], true}
	}
	return param{name: name}
}

func (r *Request) header(name string) param {
	if values := r.Header.Values(name); len(values) > 0 {
		return param{name, values[len(values)-1], true}
	}
	return param{name: name}
}

// params parses parameters until the first that cannot be parsed.
type params struct {
	err error
}

// fail records that p is not a valid want.
func (ps *params) fail(p param, want string) {
	if ps.err == nil {
		ps.err = &InputError{WrongType, "Value '" + shown(p.value) + "' at '" + p.name + "' must be " + want}
	}
}

func (ps *params) text(p param) *string {
	if !p.given {
		return nil
	}
	if !utf8.ValidString(p.value) {
		ps.fail(p, "valid UTF-8")
	}
	return &p.value
}

func (ps *params) integer(p param) *int {
	n := ps.long(p)
	if n == nil {
		return nil
	}
	if *n < math.MinInt32 || *n > math.MaxInt32 {
		ps.fail(p, "a 32-bit integer")
	}
	return new(int(*n))
}

func (ps *params) long(p param) *int64 {
	if !p.given {
		return nil
	}
	n, err := strconv.ParseInt(p.value, 10, 64)
	if err != nil {
		ps.fail(p, "an integer")
	}
	return &n
}

// boolean accepts true and false in any letter case (registry.md REG-6).
func (ps *params) boolean(p param) *bool {
	switch {
	case !p.given:
		return nil
	case strings.EqualFold(p.value, "true"):
		return new(true)
	case strings.EqualFold(p.value, "false"):
		return new(false)
	}
	ps.fail(p, "true or false")
	return nil
}

// json returns the JSON text that a header carries in base64.
func (ps *params) json(p param) *string {
	if !p.given {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(p.value)
	if err != nil || !utf8.Valid(text) {
		ps.fail(p, "JSON in base64")
	}
	return new(string(text))
}
