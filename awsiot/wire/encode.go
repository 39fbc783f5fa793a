package wire

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

// Timestamp is an instant in milliseconds since the Unix epoch. In JSON it is a
// number of seconds with at most three decimals (registry.md REG-5).
type Timestamp int64

// encoder appends compact JSON to b. Members that are nil are left out.
type encoder struct {
	b []byte
}

func (e *encoder) open(c byte)  { e.b = append(e.b, c) }
func (e *encoder) close(c byte) { e.b = append(e.b, c) }

// comma writes a comma unless the next value is the first. A complete value never
// ends in one of these three bytes.
func (e *encoder) comma() {
	switch e.b[len(e.b)-1] {
	case '{', '[', ':':
	default:
		e.b = append(e.b, ',')
	}
}

func (e *encoder) name(name string) {
	e.comma()
	e.b = append(e.b, '"')
	e.b = append(e.b, name...) // the names in the models need no escaping
	e.b = append(e.b, '"', ':')
}

func member[T any](e *encoder, name string, v *T, write func(*encoder, *T)) {
	if v != nil {
		e.name(name)
		write(e, v)
	}
}

func listMember[T any](e *encoder, name string, l []T, write func(*encoder, *T)) {
	if l == nil {
		return
	}
	e.name(name)
	e.open('[')
	for i := range l {
		e.comma()
		write(e, &l[i])
	}
	e.close(']')
}

// mapMember writes the entries in the order of their keys, so the same output always
// gives the same bytes.
func mapMember[T any](e *encoder, name string, m map[string]T, write func(*encoder, *T)) {
	if m == nil {
		return
	}
	e.name(name)
	e.open('{')
	for _, key := range sortedKeys(m) {
		e.comma()
		e.text(&key)
		e.open(':')
		value := m[key]
		write(e, &value)
	}
	e.close('}')
}

func (e *encoder) blobMember(name string, b []byte) {
	if b == nil {
		return
	}
	e.name(name)
	e.b = append(e.b, '"')
	e.b = base64.StdEncoding.AppendEncode(e.b, b)
	e.b = append(e.b, '"')
}

func (e *encoder) boolean(v *bool) { e.b = strconv.AppendBool(e.b, *v) }
func (e *encoder) integer(v *int)  { e.b = strconv.AppendInt(e.b, int64(*v), 10) }
func (e *encoder) long(v *int64)   { e.b = strconv.AppendInt(e.b, *v, 10) }

// double writes a number, and zero for those that JSON does not have.
func (e *encoder) double(v *float64) {
	f := *v
	if math.IsNaN(f) || math.IsInf(f, 0) {
		f = 0
	}
	e.b = strconv.AppendFloat(e.b, f, 'f', -1, 64)
}

func (e *encoder) timestamp(v *Timestamp) {
	ms := int64(*v)
	if ms < 0 {
		e.b = append(e.b, '-')
		ms = -ms
	}
	e.b = strconv.AppendInt(e.b, ms/1000, 10)
	if ms %= 1000; ms != 0 {
		e.b = append(e.b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
}

// text writes a string with the escapes that JSON requires and no others. Bytes that
// are not UTF-8 become U+FFFD.
func (e *encoder) text(v *string) {
	const hex = "0123456789abcdef"
	s, done := *v, 0
	e.b = append(e.b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			e.b = append(e.b, s[done:i-1]...)
			done = i
			switch c {
			case '"', '\\':
				e.b = append(e.b, '\\', c)
			case '\n':
				e.b = append(e.b, '\\', 'n')
			case '\r':
				e.b = append(e.b, '\\', 'r')
			case '\t':
				e.b = append(e.b, '\\', 't')
			default:
				e.b = append(e.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			e.b = append(e.b, s[done:i]...)
			e.b = append(e.b, "\uFFFD"...)
			done = i + n
		}
		i += n
	}
	e.b = append(e.b, s[done:]...)
	e.b = append(e.b, '"')
}
