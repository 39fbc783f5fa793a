package muster

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

type attrs = map[string]string

func TestAttributePayload(t *testing.T) {
	old := attrs{"floor": "3", "room": "12"}
	for name, test := range map[string]struct {
		payload AttributePayload
		want    attrs
	}{
		"nothing given changes nothing (REG-22)":                {AttributePayload{}, old},
		"merge with nothing given changes nothing":              {AttributePayload{Merge: true}, old},
		"without merge the map replaces all (REG-22)":           {AttributePayload{Attributes: attrs{"a": "1"}}, attrs{"a": "1"}},
		"an empty map without merge clears":                     {AttributePayload{Attributes: attrs{}}, nil},
		"merge adds and overwrites (REG-22)":                    {AttributePayload{attrs{"a": "1", "room": "14"}, true}, attrs{"a": "1", "floor": "3", "room": "14"}},
		"an empty value deletes when merging (REG-22)":          {AttributePayload{attrs{"room": ""}, true}, attrs{"floor": "3"}},
		"deleting what is not there is fine":                    {AttributePayload{attrs{"none": ""}, true}, old},
		"an empty value is dropped when replacing (REG-23)":     {AttributePayload{Attributes: attrs{"a": "1", "b": ""}}, attrs{"a": "1"}},
		"names and values may hold all of their alphabet (1.2)": {AttributePayload{Attributes: attrs{"aZ9_.,@/:#-": "aZ9_.,@/:#=[]-"}}, attrs{"aZ9_.,@/:#-": "aZ9_.,@/:#=[]-"}},
		"the longest name and value":                            {AttributePayload{Attributes: attrs{strings.Repeat("n", 128): strings.Repeat("v", 800)}}, attrs{strings.Repeat("n", 128): strings.Repeat("v", 800)}},
	} {
		t.Run(name, func(t *testing.T) {
			kept := maps.Clone(old)
			got, err := test.payload.Apply(old)
			if err != nil || !maps.Equal(got, test.want) {
				t.Errorf("%v.Apply(%v) = %v, %v; want %v", test.payload, old, got, err, test.want)
			}
			if len(test.want) == 0 && got != nil {
				t.Errorf("no attributes left are %v, want nil", got)
			}
			if !maps.Equal(old, kept) {
				t.Errorf("the old attributes became %v", old)
			}
		})
	}
}

func TestAttributesThatNobodyMayHave(t *testing.T) {
	for name, given := range map[string]attrs{
		"an empty name":               {"": "v"},
		"a name of 129 characters":    {strings.Repeat("n", 129): "v"},
		"a name with a blank":         {"a b": "v"},
		"a name with an equals sign":  {"a=b": "v"},
		"a bad name, to be deleted":   {"a b": ""},
		"a value of 801 characters":   {"a": strings.Repeat("v", 801)},
		"a value with a blank":        {"a": "b c"},
		"a value beyond ASCII":        {"a": "é"},
		"a value with a NUL":          {"a": "\x00"},
		"one bad value among good":    {"a": "1", "b": "2;"},
		"a name that would cut a key": {"a\x00b": "v"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := AttributePayload{Attributes: given}.Apply(nil)
			wantInvalid(t, "Apply", err)
		})
	}
}

func wantInvalid(t *testing.T, call string, err error) {
	t.Helper()
	wantError(t, call, err, Invalid)
}

func wantError(t *testing.T, call string, err error, kind Kind) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Msg == "" {
		t.Errorf("%s: error %v, want one of kind %d with a message", call, err, kind)
	}
}
