package wire

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-iot/muster/internal/jsontext"
)

// Limits of a JSON body. A listener should refuse a larger body before it has read
// all of it; these limits hold in any case.
const (
	// MaxBody, in bytes, is enough for a job document of 32,768 characters and ten
	// parameters of 30,720 characters even if every character is escaped to six.
	MaxBody = 2 << 20
	// MaxDepth is several times what the deepest input shape needs.
	MaxDepth = 32
)

// decodeBody reads body as one JSON object with the reader of a structure.
func decodeBody[T any](body []byte, into *T, read func(*decoder, *T)) error {
	if len(body) == 0 {
		return nil
	}
	d := decoder{data: string(body), path: make(path, 0, 8)}
	switch {
	case len(body) > MaxBody:
		d.fail(NotJSON, "The request body is larger than "+strconv.Itoa(MaxBody)+" bytes")
	case !utf8.ValidString(d.data):
		d.fail(NotJSON, "The request body is not valid JSON in UTF-8 "+jsontext.Fault(body))
	case d.peek() != '{' && json.Valid(body):
		d.fail(NotJSON, "The request body must be a JSON object")
	case d.peek() != '{':
		d.syntax()
	}
	read(&d, into)
	d.end()
	if d.err != nil && d.err.Fault == WrongType {
		// A body that is not JSON is reported as that, even if a type is wrong earlier.
		again := decoder{data: d.data}
		again.skip()
		if again.end(); again.err != nil {
			return again.err
		}
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

// decoder reads JSON strictly. It keeps the first error: after it, every read returns
// a zero value and every loop ends.
type decoder struct {
	data string
	pos  int
	path path
	err  *InputError
}

func (d *decoder) fail(fault Fault, message string) {
	if d.err == nil {
		d.err = &InputError{fault, message}
	}
}

// syntax says where the body stops being JSON. The decoder is stricter than
// encoding/json in one way: it refuses half of a surrogate pair.
func (d *decoder) syntax() {
	if d.err != nil {
		return
	}
	text := []byte(d.data)
	fault := jsontext.Fault(text)
	if fault == "" {
		fault = "at " + jsontext.Place(text, d.pos) + ": half of a surrogate pair"
	}
	d.fail(NotJSON, "The request body is not valid JSON "+fault)
}

// end reports what follows the value.
func (d *decoder) end() {
	if d.peek(); d.err == nil && d.pos < len(d.data) {
		d.syntax()
	}
}

// wrong reports that the value at the current place is not a want.
func (d *decoder) wrong(want string) {
	d.fail(WrongType, "Value at '"+d.path.String()+"' must be "+want)
}

// mistyped reports that the next value is not a want.
func (d *decoder) mistyped(want string) {
	found := ""
	switch c := d.peek(); {
	case c == '{':
		found = ", not an object"
	case c == '[':
		found = ", not a list"
	case c == '"':
		found = ", not a string"
	case c == 't' || c == 'f':
		found = ", not a boolean"
	case c == 'n':
		found = ", not null"
	case c == '-' || '0' <= c && c <= '9':
		found = ", not a number"
	default:
		d.syntax()
	}
	d.wrong(want + found)
}

// peek skips white space and returns the next byte. It returns zero at the end and
// after an error.
func (d *decoder) peek() byte {
	if d.err != nil {
		return 0
	}
	for ; d.pos < len(d.data); d.pos++ {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it comes next.
func (d *decoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.pos++
	return true
}

// word consumes a literal such as null if it comes next.
func (d *decoder) word(w string) bool {
	d.peek()
	if d.err != nil || !strings.HasPrefix(d.data[d.pos:], w) {
		return false
	}
	d.pos += len(w)
	return true
}

// members yields the names of an object's members; the loop body must read each
// value. entries says that they are the keys of a map.
func (d *decoder) members(entries bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !d.enter('{', "an object") {
			return
		}
		at := len(d.path) - 1
		for first := true; d.more('}', first); first = false {
			if d.peek() != '"' {
				d.syntax()
				return
			}
			name := d.quoted()
			if !d.take(':') {
				d.syntax()
				return
			}
			d.path[at] = step{name: name, entry: entries}
			if !yield(name) {
				return
			}
		}
		d.path = d.path[:at]
	}
}

// elements yields the indexes of a list; the loop body must read each value.
func (d *decoder) elements() iter.Seq[int] {
	return func(yield func(int) bool) {
		if !d.enter('[', "a list") {
			return
		}
		at := len(d.path) - 1
		for i := 0; d.more(']', i == 0); i++ {
			d.path[at] = step{index: i}
			if !yield(i) {
				return
			}
		}
		d.path = d.path[:at]
	}
}

func (d *decoder) enter(open byte, want string) bool {
	if !d.take(open) {
		d.mistyped(want)
		return false
	}
	if len(d.path) == MaxDepth {
		d.fail(NotJSON, "The request body is nested deeper than "+strconv.Itoa(MaxDepth)+" levels")
		return false
	}
	d.path = append(d.path, step{})
	return true
}

// more consumes a comma or the closing byte, and reports whether another element
// follows.
func (d *decoder) more(closing byte, first bool) bool {
	if d.err != nil || d.take(closing) {
		return false
	}
	if !first && !d.take(',') {
		d.syntax()
		return false
	}
	return true
}

// skip reads a value of an unknown member.
func (d *decoder) skip() {
	switch c := d.peek(); {
	case c == '{':
		for range d.members(false) {
			d.skip()
		}
	case c == '[':
		for range d.elements() {
			d.skip()
		}
	case c == '"':
		d.quoted()
	case d.word("null"), d.word("true"), d.word("false"):
	default:
		d.number()
	}
}
