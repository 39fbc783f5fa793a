package iotpolicy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxCertificateValue is the longest value of a certificate, in characters, that may
// replace a variable (AUTH-58).
const maxCertificateValue = 1024

// pattern is a text with wildcards and variables, parsed once so that matching does not
// allocate. The value of a variable is compared as literal text, even if it contains
// wildcards (AUTH-58).
type pattern []piece

type piece struct {
	kind pieceKind
	text string // the literal, or the variable's key
}

type pieceKind uint8

const (
	literal       pieceKind = iota
	anyRun                  // *
	anyOne                  // ?
	variable                // ${key}; this kind and those after it call Vars
	plainVariable           // ${key} that has no value if it contains MQTT wildcards
)

// mqttWildcards are literal characters in a policy, but wildcards in a topic filter.
const mqttWildcards = "+#"

// plain makes variables of p have no value if it contains an MQTT wildcard:
// "devices/${x}/in" must not allow the topic filter "devices/+/in".
func (p pattern) plain() {
	for i := range p {
		if p[i].kind == variable {
			p[i].kind = plainVariable
		}
	}
}

// newPattern parses text. Without wildcards, * and ? are literal characters.
func newPattern(text string, wildcards bool) pattern {
	var p pattern
	plain := ""
	add := func(kind pieceKind, text string) {
		if plain != "" {
			p, plain = append(p, piece{literal, plain}), ""
		}
		p = append(p, piece{kind, text})
	}
	for text != "" {
		if key, rest, ok := cutVariable(text); ok {
			if key == "*" || key == "?" || key == "$" { // AUTH-57
				plain += key
			} else {
				add(variable, canonicalKey(key))
			}
			text = rest
			continue
		}
		switch c := text[0]; {
		case c == '*' && wildcards:
			if n := len(p); plain != "" || n == 0 || p[n-1].kind != anyRun {
				add(anyRun, "")
			}
		case c == '?' && wildcards:
			add(anyOne, "")
		default:
			plain += text[:1]
		}
		text = text[1:]
	}
	if plain != "" {
		p = append(p, piece{literal, plain})
	}
	return p
}

// cutVariable splits text after a leading ${key}.
func cutVariable(text string) (key, rest string, ok bool) {
	if !strings.HasPrefix(text, "${") {
		return "", text, false
	}
	return strings.Cut(text[2:], "}")
}

// match reports whether the pattern matches the whole of s. With a variable that has no
// value it matches nothing (AUTH-59).
func (p pattern) match(s string, vars Vars) bool {
	i, j, star, taken := 0, 0, -1, 0
	for {
		fits := i == len(p) && j == len(s)
		if fits {
			return true
		}
		if i < len(p) {
			switch p[i].kind {
			case anyRun:
				if i == len(p)-1 {
					return true
				}
				star, taken = i, j
				fits = true
			case anyOne:
				if fits = j < len(s); fits {
					j += width(s[j:])
				}
			default:
				text, ok := p[i].value(vars)
				if !ok {
					return false
				}
				if fits = strings.HasPrefix(s[j:], text); fits {
					j += len(text)
				}
			}
			i++
		}
		if fits {
			continue
		}
		// The last star matches one more character.
		if star < 0 || taken >= len(s) {
			return false
		}
		taken += width(s[taken:])
		i, j = star+1, taken
	}
}

// width returns the length of the first character of s, in bytes.
func width(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// resolves reports whether every variable has a value.
func (p pattern) resolves(vars Vars) bool {
	for i := range p {
		if p[i].kind >= variable {
			if _, ok := p[i].value(vars); !ok {
				return false
			}
		}
	}
	return true
}

// asksCertificate reports whether a variable is a name of the caller's certificate.
func (p pattern) asksCertificate() bool {
	return slices.ContainsFunc(p, func(part piece) bool { return part.kind >= variable && namesCertificate(part.text) })
}

// expand returns the text of a pattern without wildcards.
func (p pattern) expand(vars Vars) (string, bool) {
	if len(p) == 1 {
		return p[0].value(vars)
	}
	var b strings.Builder
	for i := range p {
		text, ok := p[i].value(vars)
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// value returns the text of a literal or a variable. A variable has a value only if Vars
// returns exactly one that is not empty.
func (p *piece) value(vars Vars) (string, bool) {
	if p.kind == literal {
		return p.text, true
	}
	values, ok := vars(p.text)
	if !ok || len(values) != 1 || values[0] == "" {
		return "", false
	}
	v := values[0]
	if p.kind == plainVariable && strings.ContainsAny(v, mqttWildcards) {
		return "", false
	}
	if namesCertificate(p.text) &&
		(strings.ContainsAny(v, "*$+?#") || utf8.RuneCountInString(v) > maxCertificateValue) {
		return "", false
	}
	return v, true
}
