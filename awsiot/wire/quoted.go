package wire

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted consumes the next JSON string and returns its value. The value shares memory
// with the body if nothing in it was escaped.
func (d *decoder) quoted() string {
	d.pos++ // the caller has seen the quotation mark
	start := d.pos
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			d.pos++
			return d.data[start : d.pos-1]
		case c == '\\':
			return d.unescape(start)
		case c < ' ':
			d.syntax()
			return ""
		}
		d.pos++
	}
	d.syntax()
	return ""
}

// unescape is quoted for a string with escapes, from the first escape on.
func (d *decoder) unescape(start int) string {
	var b strings.Builder
	b.WriteString(d.data[start:d.pos])
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		d.pos++
		switch {
		case c == '"':
			return b.String()
		case c < ' ':
			d.pos--
			d.syntax()
			return ""
		case c != '\\':
			b.WriteByte(c)
		default:
			r, ok := d.escaped()
			if !ok {
				d.syntax()
				return ""
			}
			b.WriteRune(r)
		}
	}
	d.syntax()
	return ""
}

// escapes are the escapes that consist of one letter.
var escapes = [...]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escaped consumes what follows a backslash. Half of a surrogate pair is refused: it
// is not a character and cannot be written in UTF-8.
func (d *decoder) escaped() (rune, bool) {
	if d.pos == len(d.data) {
		return 0, false
	}
	c := d.data[d.pos]
	d.pos++
	if c != 'u' {
		if int(c) >= len(escapes) {
			return 0, false
		}
		return escapes[c], escapes[c] != 0
	}
	r, ok := d.hex4()
	if ok && utf16.IsSurrogate(r) {
		if !d.accept('\\') || !d.accept('u') {
			return 0, false
		}
		low, ok := d.hex4()
		r = utf16.DecodeRune(r, low)
		return r, ok && r != utf8.RuneError
	}
	return r, ok
}

func (d *decoder) hex4() (rune, bool) {
	if d.pos+4 > len(d.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.data[d.pos:d.pos+4], 16, 16)
	d.pos += 4
	return rune(n), err == nil
}
