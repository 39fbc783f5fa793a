package muster

import (
	"fmt"
	"slices"
	"testing"
)

func TestRetag(t *testing.T) {
	var fifty []Tag
	for i := range 50 {
		fifty = append(fifty, Tag{fmt.Sprintf("k%02d", i), "v"})
	}
	for name, test := range map[string]struct {
		had, set, want []Tag
		fails          Kind
	}{
		"nothing on nothing":                   {},
		"keys come in order":                   {set: []Tag{{"b", "1"}, {"a", "2"}}, want: []Tag{{"a", "2"}, {"b", "1"}}},
		"a key that is there is overwritten":   {had: []Tag{{"a", "1"}, {"b", "1"}}, set: []Tag{{"a", "2"}}, want: []Tag{{"a", "2"}, {"b", "1"}}},
		"keys are case sensitive":              {had: []Tag{{"a", "1"}}, set: []Tag{{"A", "2"}}, want: []Tag{{"A", "2"}, {"a", "1"}}},
		"values may be empty":                  {set: []Tag{{"a", ""}}, want: []Tag{{"a", ""}}},
		"a reserved key":                       {set: []Tag{{"aws:x", "1"}}, fails: Invalid},
		"a key that only resembles a reserved": {set: []Tag{{"awsx", "1"}}, want: []Tag{{"awsx", "1"}}},
		"a key given twice":                    {set: []Tag{{"a", "1"}, {"a", "2"}}, fails: Invalid},
		"the fifty-first tag":                  {had: fifty, set: []Tag{{"z", "1"}}, fails: LimitExceeded},
		"overwriting one of fifty":             {had: fifty, set: []Tag{{"k00", "v"}}, want: fifty},
		"fifty-one at once":                    {set: append([]Tag{{"z", "1"}}, fifty...), fails: LimitExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Retag(test.had, test.set)
			if test.fails != 0 {
				wantError(t, "Retag", err, test.fails)
				return
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("Retag(%v, %v) = %v, %v; want %v", test.had, test.set, got, err, test.want)
			}
		})
	}
}

func TestUntag(t *testing.T) {
	had := []Tag{{"a", "1"}, {"b", "2"}, {"c", "3"}}
	got := Untag(had, []string{"b", "absent"})
	if want := []Tag{{"a", "1"}, {"c", "3"}}; !slices.Equal(got, want) {
		t.Errorf("Untag = %v, want %v", got, want)
	}
	if want := []Tag{{"a", "1"}, {"b", "2"}, {"c", "3"}}; !slices.Equal(had, want) {
		t.Errorf("what was had became %v", had)
	}
}
