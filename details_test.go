package muster

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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

func TestCheckStep(t *testing.T) {
	for minutes, ok := range map[int64]bool{-2: false, -1: true, 0: false, 1: true, 10080: true, 10081: false, 1 << 40: false} {
		if err := CheckStep(minutes); (err == nil) != ok {
			t.Errorf("CheckStep(%d) = %v, want ok %v", minutes, err, ok)
		}
	}
}

func TestParseARN(t *testing.T) {
	a := Account{ID: "123456789012", Region: "eu-west-1"}
	for arn, want := range map[string]Kind{
		"arn:aws:iot:eu-west-1:123456789012:thing/a:b":   KindCount,
		"arn:aws:iot:us-east-1:123456789012:thing/a":     NotFound,
		"arn:aws:iot:eu-west-1:000000000000:thing/a":     NotFound,
		"arn:aws:s3:eu-west-1:123456789012:thing/a":      Invalid,
		"arn:aws:iot:eu-west-1:123456789012:thing":       Invalid,
		"arn:aws:iot:eu-west-1:123456789012:thing/":      Invalid,
		"arn:aws:iot:eu-west-1:123456789012:thingtype/a": Invalid,
		"thing/a": Invalid,
		"":        Invalid,
	} {
		got, err := a.Target(arn)
		var e *Error
		switch {
		case want == KindCount:
			if err != nil || got != (Target{Name: "a:b"}) || a.TargetARN(got) != arn {
				t.Errorf("Target(%q) = %+v, %v", arn, got, err)
			}
		case !errors.As(err, &e) || e.Kind != want:
			t.Errorf("Target(%q) = %v, want kind %d", arn, err, want)
		}
	}
}

func TestARNsOfTargetsAreListedOnce(t *testing.T) {
	a := Account{ID: "123456789012", Region: "eu-west-1"}
	targets := []Target{{Group: true, Name: "a", ID: "1"}, {Name: "a", ID: "2"}, {Group: true, Name: "a", ID: "3"}}
	want := []string{"arn:aws:iot:eu-west-1:123456789012:thinggroup/a", "arn:aws:iot:eu-west-1:123456789012:thing/a"}
	if got := a.TargetARNs(targets); !slices.Equal(got, want) {
		t.Errorf("TargetARNs = %v, want %v", got, want)
	}
	if got := a.TargetARNs(nil); got == nil || len(got) > 0 {
		t.Errorf("TargetARNs(nil) = %#v, want an empty list", got)
	}
}
