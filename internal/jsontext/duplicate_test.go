package jsontext

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestDuplicateName(t *testing.T) {
	many := func(last string) string {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf(`"n%d":{"a":1}`, i))
		}
		return "{" + strings.Join(append(names, last), ",") + "}"
	}
	for text, want := range map[string]string{
		`{}`:                               "",
		`[]`:                               "",
		`"a"`:                              "",
		`{"a":1,"b":2}`:                    "",
		`{"a":1,"a":2}`:                    "a",
		`{"a" : 1 , "b":[], "a"` + "\n:2}": "a",
		`{"a":{"a":{"a":1}}}`:              "",
		`{"x":{"a":1},"y":{"a":1}}`:        "",
		`[{"a":1},{"a":1}]`:                "",
		`[[{"x":[{"b":1,"a":2,"b":3}]}]]`:  "b",
		`{"x":{"a":1,"b":{"c":1}},"a":1,"y":0,"x":1}`: "x",
		`{"a":["a","a",{"b":"a"}]}`:                   "",
		`{"a":1,"A":2}`:                               "",
		`{"a":1,"\u0061":2}`:                          "a",
		`{"\u0061":1,"a":2}`:                          "a",
		`{"\u0061":1,"\u0061":2}`:                     "a",
		`{"\"":1,"\u0022":2}`:                         `"`,
		`{"\/":1,"/":2}`:                              "/",
		`{"\\u0061":1,"a":2}`:                         "",
		`{"":1,"":2}`:                                 "",
		`{"\ud83d\ude00":1,"😀":2}`:                    "😀",
		`{"a:":1,"a":":","b":"\":"}`:                  "",
		many(`"n7":1`):                                "n7",
		many(`"\u006e99":1`):                          "n99",
		many(`"m":{"n1":1,"n2":2}`):                   "",
		many(`"m":` + many(`"n5":1`)):                 "n5",
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s is not JSON", text)
		}
		got, found := DuplicateName([]byte(text))
		if wanted := want != "" || text == `{"":1,"":2}`; got != want || found != wanted {
			t.Errorf("DuplicateName(%.80s) = %q, %t, want %q, %t", text, got, found, want, wanted)
		}
	}
}

// A text may be as long as the largest body, so each name must be compared with only a few
// others.
func TestDuplicateNameOfVeryManyNames(t *testing.T) {
	var b strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	text := "{" + b.String()[1:] + "}"
	if name, found := DuplicateName([]byte(text)); found {
		t.Errorf("%q is there once", name)
	}
	if name, _ := DuplicateName([]byte(text[:len(text)-1] + `,"0":1}`)); name != "0" {
		t.Errorf("the duplicate of many is %q, want 0", name)
	}
}

func TestDuplicateNameTakesNoMemoryForFewNames(t *testing.T) {
	text := []byte(`{"status":"IN_PROGRESS","statusDetails":{"step":"1","of":"2"},"expectedVersion":"1","clientToken":"t"}`)
	if n := testing.AllocsPerRun(10, func() { _, _ = DuplicateName(text) }); n > 0 {
		t.Errorf("%v allocations for one update, want none", n)
	}
}

// DuplicateName never panics, and agrees with a decoder that sees every member.
func FuzzDuplicateName(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":1,"\u0062":2}],"a":{}}`))
	f.Add([]byte(`]}":{"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		name, found := DuplicateName(text)
		if !json.Valid(text) {
			return
		}
		if want := duplicated(json.NewDecoder(strings.NewReader(string(text)))); found != want {
			t.Errorf("DuplicateName(%q) = %q, %t, want %t", text, name, found, want)
		}
	})
}

// duplicated reads one value token by token and reports whether a name occurs twice.
func duplicated(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	names := map[string]bool{}
	for token == json.Delim('{') && d.More() {
		name, _ := d.Token()
		if names[name.(string)] {
			return true
		}
		names[name.(string)] = true
		if duplicated(d) {
			return true
		}
	}
	for token == json.Delim('[') && d.More() {
		if duplicated(d) {
			return true
		}
	}
	if _, open := token.(json.Delim); open {
		_, _ = d.Token()
	}
	return false
}
