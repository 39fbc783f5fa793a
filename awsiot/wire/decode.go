package wire

import (
	"encoding/base64"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a JSON body. A listener should refuse a larger body before it reads
// it all; these hold whoever calls.
const (
	// MaxBody fits a 32,768-character job document and ten 30,720-character
	// parameters even when every character is escaped to six.
	MaxBody = 2 << 20
	// MaxDepth is several times what the deepest input shape needs.
	MaxDepth = 32
)

// decodeBody reads body as one JSON object with the reader of a structure.
// A lenient decoder also takes integers and booleans from strings, as devices
// send them (jobs-data-plane.md section 2, C8).
func decodeBody[T any](body []byte, lenient bool, into *T, read func(*decoder, *T)) error {
	if len(body) == 0 {
		return nil
	}
	d := decoder{data: string(body), lenient: lenient, path: make(path, 0, 8)}
	switch {
	case len(body) > MaxBody:
		d.fail(NotJSON, "The request body is larger than "+strconv.Itoa(MaxBody)+" bytes")
	case !utf8.ValidString(d.data):
		d.fail(NotJSON, "The request body is not valid UTF-8")
	case d.peek() != '{':
		d.fail(NotJSON, "The request body must be a JSON object")
	}
	read(&d, into)
	d.end()
	if d.err != nil && d.err.Fault == WrongType {
		// What is not JSON at all is told first, wherever it stands.
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

// decoder reads JSON strictly. The first error sticks: every later read returns
// a zero value and every loop ends.
type decoder struct {
	data    string
	pos     int
	lenient bool
	path    path
	err     *InputError
}

func (d *decoder) fail(fault Fault, message string) {
	if d.err == nil {
		d.err = &InputError{fault, message}
	}
}

func (d *decoder) syntax() {
	d.fail(NotJSON, "The request body is not valid JSON at byte "+strconv.Itoa(d.pos))
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

// mistyped reports that the value that comes next is not a want.
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

// peek skips white space and returns the next byte; zero at the end and after
// an error.
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

// more reports whether another element follows and consumes the comma or the
// closing byte.
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

// skip reads a value that nobody wants.
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

// text reads a string. It never shares memory with the body.
func (d *decoder) text() string {
	if d.peek() != '"' {
		d.mistyped("a string")
		return ""
	}
	return strings.Clone(d.quoted())
}

func (d *decoder) boolean() bool {
	switch {
	case d.word("true"), d.lenient && d.word(`"true"`):
		return true
	case d.word("false"), d.lenient && d.word(`"false"`):
	default:
		d.mistyped("a boolean")
	}
	return false
}

func (d *decoder) integer() int {
	n := d.long()
	if n < math.MinInt32 || n > math.MaxInt32 {
		d.wrong("a 32-bit integer")
		return 0
	}
	return int(n)
}

func (d *decoder) long() int64 {
	var digits string
	switch c := d.peek(); {
	case c == '-' || '0' <= c && c <= '9':
		digits = d.number()
	case c == '"' && d.lenient:
		digits = d.quoted()
	default:
		d.mistyped("an integer")
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		d.wrong("an integer of 64 bits")
	}
	return n
}

func (d *decoder) double() float64 {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.mistyped("a number")
		return 0
	}
	f, err := strconv.ParseFloat(d.number(), 64)
	if err != nil {
		d.wrong("a number that fits a double")
	}
	return f
}

func (d *decoder) blob() []byte {
	b, err := base64.StdEncoding.DecodeString(d.text())
	if err != nil {
		d.wrong("base64")
	}
	return b
}

// number consumes a JSON number and returns its text.
func (d *decoder) number() string {
	d.peek()
	if d.err != nil {
		return ""
	}
	start := d.pos
	d.accept('-')
	if !d.accept('0') && d.digits() == 0 {
		d.syntax()
		return ""
	}
	if d.accept('.') && d.digits() == 0 {
		d.syntax()
		return ""
	}
	if d.accept('e') || d.accept('E') {
		_ = d.accept('+') || d.accept('-')
		if d.digits() == 0 {
			d.syntax()
			return ""
		}
	}
	return d.data[start:d.pos]
}

// accept consumes c if it is the very next byte.
func (d *decoder) accept(c byte) bool {
	if d.pos < len(d.data) && d.data[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

// digits consumes digits and returns how many there were.
func (d *decoder) digits() int {
	start := d.pos
	for d.pos < len(d.data) && '0' <= d.data[d.pos] && d.data[d.pos] <= '9' {
		d.pos++
	}
	return d.pos - start
}

// optional reads a scalar or structure member; null is absent.
func optional[T any](d *decoder, read func(*decoder) T) *T {
	if d.word("null") {
		return nil
	}
	return new(read(d))
}

// object reads a structure member; null is absent.
func object[T any](d *decoder, read func(*decoder, *T)) *T {
	if d.word("null") {
		return nil
	}
	v := new(T)
	read(d, v)
	return v
}

// list reads a list of scalars; null is absent, a null element is an error.
func list[T any](d *decoder, read func(*decoder) T) []T {
	if d.word("null") {
		return nil
	}
	l := []T{}
	for range d.elements() {
		l = append(l, read(d))
	}
	return l
}

// objects reads a list of structures.
func objects[T any](d *decoder, read func(*decoder, *T)) []T {
	if d.word("null") {
		return nil
	}
	l := []T{}
	for range d.elements() {
		l = append(l, *new(T))
		read(d, &l[len(l)-1])
	}
	return l
}

// dict reads a map from strings to scalars; null is absent, a null value is an
// error.
func dict[T any](d *decoder, read func(*decoder) T) map[string]T {
	if d.word("null") {
		return nil
	}
	m := map[string]T{}
	for key := range d.members(true) {
		m[strings.Clone(key)] = read(d)
	}
	return m
}

// objectDict reads a map from strings to structures.
func objectDict[T any](d *decoder, read func(*decoder, *T)) map[string]T {
	if d.word("null") {
		return nil
	}
	m := map[string]T{}
	for key := range d.members(true) {
		var v T
		read(d, &v)
		m[strings.Clone(key)] = v
	}
	return m
}
