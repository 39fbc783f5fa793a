package sigv4

import (
	"slices"
	"strconv"
	"strings"
)

// param is one query parameter, both parts strictly escaped.
type param struct{ name, value string }

// splitParams splits a raw query into strictly escaped parameters (AUTH-75), in the
// order received. A plus sign means a blank, as in the URL parsers of the SDKs; a
// percent sign that starts no escape means itself.
func splitParams(raw string) []param {
	if raw == "" {
		return nil
	}
	params := make([]param, 0, strings.Count(raw, "&")+1)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		params = append(params, param{reescape(name), reescape(value)})
	}
	return params
}

func first(params []param, name string) *param {
	for i := range params {
		if params[i].name == name {
			return &params[i]
		}
	}
	return nil
}

// canonicalQuery joins the parameters, sorted by escaped name and value, without those
// named in without.
func canonicalQuery(params []param, without ...string) string {
	sorted := slices.Clone(params)
	slices.SortFunc(sorted, func(a, b param) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for _, p := range sorted {
		if slices.Contains(without, p.name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

// reescape decodes s leniently and escapes it strictly.
func reescape(s string) string {
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				c = byte(v)
				i += 2
			}
		}
		b = appendEscapedByte(b, c)
	}
	return string(b)
}

// appendEscaped appends s with all but the unreserved characters escaped.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		b = appendEscapedByte(b, s[i])
	}
	return b
}

func appendEscapedByte(b []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~' {
		return append(b, c)
	}
	return append(b, '%', digits[c>>4], digits[c&15])
}
