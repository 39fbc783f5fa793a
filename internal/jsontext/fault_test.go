package jsontext

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFault(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[1,-2.5e+3,true,false,null,"\u00e9\n"],"b":{}}`: "",
		" [ ] \r\n":                     "",
		"7":                             "",
		"":                              "at line 1, column 1: unexpected end of the text, expected a value",
		"\n  ":                          "at line 2, column 3: unexpected end of the text, expected a value",
		"{\n  \"a\": 1,\n  \"bä\": 2,}": "at line 3, column 11: unexpected '}', expected a name in double quotes",
		"{\"a\":1\n\"b\":2}":            "at line 2, column 1: unexpected '\"', expected ',' or '}'",
		`{a:1}`:                         "at line 1, column 2: unexpected 'a', expected a name in double quotes or '}'",
		`{'a':1}`:                       "at line 1, column 2: unexpected single quote, expected a name in double quotes or '}'",
		`{“a”:1}`:                       "at line 1, column 2: unexpected '“', expected a name in double quotes or '}'",
		`{"ä“" 1}`:                      "at line 1, column 7: unexpected '1', expected ':'",
		`{"a":}`:                        "at line 1, column 6: unexpected '}', expected a value",
		`{"a":1]`:                       "at line 1, column 7: unexpected ']', expected ',' or '}'",
		`[1,]`:                          "at line 1, column 4: unexpected ']', expected a value",
		`[,1]`:                          "at line 1, column 2: unexpected ',', expected a value or ']'",
		`[1 2]`:                         "at line 1, column 4: unexpected '2', expected ',' or ']'",
		`[1`:                            "at line 1, column 3: unexpected end of the text, expected ',' or ']'",
		`{} {}`:                         "at line 1, column 4: unexpected '{', expected the end of the text",
		`]`:                             "at line 1, column 1: unexpected ']', expected a value",
		"{\"a\":\"b\n\"}":               "at line 1, column 8: unexpected line break, expected '\"'",
		"[\"a\x00\"]":                   "at line 1, column 4: unexpected U+0000, expected '\"'",
		`["a\x"]`:                       `at line 1, column 5: unexpected 'x', expected one of " \ / b f n r t u`,
		`["\u12g4"]`:                    "at line 1, column 7: unexpected 'g', expected four hexadecimal digits",
		`["\u12`:                        "at line 1, column 7: unexpected end of the text, expected four hexadecimal digits",
		`["a\`:                          `at line 1, column 5: unexpected end of the text, expected one of " \ / b f n r t u`,
		`["a`:                           "at line 1, column 4: unexpected end of the text, expected '\"'",
		`[True]`:                        "at line 1, column 2: unexpected 'T', expected a value or ']'",
		`{"a":tru}`:                     "at line 1, column 9: unexpected '}', expected true",
		`{"a":nil}`:                     "at line 1, column 7: unexpected 'i', expected null",
		`[01]`:                          "at line 1, column 3: unexpected '1', expected ',' or ']'",
		`[-]`:                           "at line 1, column 3: unexpected ']', expected a digit",
		`[1.]`:                          "at line 1, column 4: unexpected ']', expected a digit",
		`[1e]`:                          "at line 1, column 4: unexpected ']', expected a digit",
		`[.5]`:                          "at line 1, column 2: unexpected '.', expected a value or ']'",
		"\uFEFF{}":                      "at line 1, column 1: unexpected byte order mark, expected a value",
		"{\u00A0}":                      "at line 1, column 2: unexpected U+00A0, expected a name in double quotes or '}'",
		"{\"a\":\"\xff\"}":              "at line 1, column 7: unexpected byte that is not UTF-8",
		"\xff":                          "at line 1, column 1: unexpected byte that is not UTF-8, expected a value",
		strings.Repeat("[", 10001):      "at line 1, column 10001: unexpected '[', expected at most 10000 levels of objects and lists",
	} {
		if got := Fault([]byte(text)); got != want {
			t.Errorf("Fault(%.60q) = %q, want %q", text, got, want)
		}
	}
}

func TestFaultAllowsTheDepthThatEncodingJSONDoes(t *testing.T) {
	for depth := 9998; depth < 10003; depth++ {
		text := []byte(strings.Repeat(`[{"a":`, depth/2) + strings.Repeat("[", depth%2) + strings.Repeat("]", depth%2) + strings.Repeat("}]", depth/2))
		text = []byte(strings.Replace(string(text), ":}", ":1}", 1))
		if fault := Fault(text); (fault == "") != json.Valid(text) {
			t.Errorf("Fault of %d levels = %q", depth, fault)
		}
	}
}

// Fault returns a reason exactly for the texts that json.Valid or utf8.Valid refuses, of bounded
// length and with a place within the text.
func FuzzFault(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.5e+3,true,null,"\u00e9\n"],"b":{}}`, `{"a":1,}`, "[\"\xff\"]", "\uFEFF{", `["\u12`, `-`, "1e", `[[[[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fault := Fault(text)
		if valid := json.Valid(text) && utf8.Valid(text); valid != (fault == "") {
			t.Fatalf("Fault(%q) = %q, and the text is valid: %t", text, fault, valid)
		}
		if fault == "" {
			return
		}
		var line, column int
		if _, err := fmt.Sscanf(fault, "at line %d, column %d: unexpected ", &line, &column); err != nil || len(fault) > 160 || !utf8.ValidString(fault) || strings.ContainsFunc(fault, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("Fault(%q) = %q, %v", text, fault, err)
		}
		lines := strings.Split(string(text), "\n")
		if line < 1 || line > len(lines) || column < 1 || column > utf8.RuneCountInString(lines[line-1])+1 {
			t.Errorf("Fault(%q) = %q, which is outside of it", text, fault)
		}
	})
}
