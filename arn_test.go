package muster

import (
	"errors"
	"slices"
	"testing"
)

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
