package wire

import (
	"math"
	"strconv"
	"strings"
)

// text reads a string. It never shares memory with the body.
func (d *decoder) text() string {
	if d.peek() != '"' {
		d.mistyped("a string")
		return ""
	}
	return strings.Clone(d.quoted())
}

// scalar reads a string, or a number or a boolean as its source text.
func (d *decoder) scalar() string {
	switch c := d.peek(); {
	case c == '"':
		return d.text()
	case d.word("true"):
		return "true"
	case d.word("false"):
		return "false"
	case c == '-' || '0' <= c && c <= '9':
		return strings.Clone(d.number())
	}
	d.mistyped("a string, a number or a boolean")
	return ""
}

func (d *decoder) boolean() bool {
	switch {
	case d.word("true"):
		return true
	case d.word("false"):
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
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.mistyped("an integer")
		return 0
	}
	n, err := strconv.ParseInt(d.number(), 10, 64)
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

// accept consumes c if it is the next byte; it does not skip white space.
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
