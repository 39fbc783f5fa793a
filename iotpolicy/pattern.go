package iotpolicy

import (
	"strings"
	"unicode/utf8"
)

// maxCertificateValue is the longest value of a certificate that is substituted,
// in characters (AUTH-58).
const maxCertificateValue = 1024

// pattern is a text with wildcards and variables, cut into pieces once so that
// matching needs no memory. What a variable brings is compared as literal text,
// whatever characters it holds (AUTH-58).
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
	variable                // ${key}: this kind and those after it ask Vars
	plainVariable           // ${key} whose value counts only without MQTT wildcards
)

// mqttWildcards are plain characters to a policy, and not to the broker.
const mqttWildcards = "+#"

// plain makes p take no variable's value with an MQTT wildcard: "devices/${x}/in"
// must not become a permit for the topic filter "devices/+/in".
func (p pattern) plain() {
	for i := range p {
		if p[i].kind == variable {
			p[i].kind = plainVariable
		}
	}
}

// newPattern cuts text. Without wildcards, * and ? stand for themselves.
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

// cutVariable splits a ${key} off the front of text.
func cutVariable(text string) (key, rest string, ok bool) {
	if !strings.HasPrefix(text, "${") {
		return "", text, false
	}
	return strings.Cut(text[2:], "}")
}

// match reports whether the whole of s fits. A variable without a value fits
// nothing (AUTH-59).
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
		// The last star takes one character more.
		if star < 0 || taken >= len(s) {
			return false
		}
		taken += width(s[taken:])
		i, j = star+1, taken
	}
}

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

// value returns the literal text of a piece. A variable counts only with exactly
// one value that is not empty.
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
	if strings.HasPrefix(p.text, certificatePrefix) &&
		(strings.ContainsAny(v, "*$+?#") || utf8.RuneCountInString(v) > maxCertificateValue) {
		return "", false
	}
	return v, true
}
