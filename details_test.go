package muster

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestCheckDetails(t *testing.T) {
	ten := map[string]string{}
	for i := range 10 {
		ten[fmt.Sprint("key", i)] = "v"
	}
	eleven := map[string]string{"one-more": "v"}
	maps.Copy(eleven, ten)
	for _, test := range []struct {
		name    string
		details map[string]string
		ok      bool
	}{
		{"none", nil, true},
		{"ten pairs", ten, true},
		{"eleven pairs", eleven, false},
		{"an empty key", map[string]string{"": "v"}, false},
		{"a key of 128", map[string]string{strings.Repeat("k", 128): "v"}, true},
		{"a key of 129", map[string]string{strings.Repeat("k", 129): "v"}, false},
		{"a key with a blank", map[string]string{"a b": "v"}, false},
		{"an empty value", map[string]string{"k": ""}, false},
		{"1024 wide characters", map[string]string{"k": strings.Repeat("ü", 1024)}, true},
		{"1025 characters", map[string]string{"k": strings.Repeat("v", 1025)}, false},
		{"program output", map[string]string{"k": "one\r\n\ttwo"}, true},
		{"a bell", map[string]string{"k": "a\x07"}, false},
		{"a zero-width joiner", map[string]string{"k": "a\u200db"}, false},
	} {
		err := CheckDetails(test.details)
		var e *Error
		if (err == nil) != test.ok || (err != nil && (!errors.As(err, &e) || e.Kind != Invalid)) {
			t.Errorf("%s: CheckDetails = %v, want ok %v or Invalid", test.name, err, test.ok)
		}
	}
}
