package muster

import (
	"encoding/json"
	"testing"
)

func TestWithoutARateAPaceHasNoCredit(t *testing.T) {
	if got := (Pace{Minute: 60_000}).With(3); got != (Pace{Minute: 60_000, Notified: 3}) {
		t.Errorf("With(3) = %+v", got)
	}
}

func TestStoredPaceKeepsItsNames(t *testing.T) {
	p := Pace{Minute: 60_000, At: 61_000, Credit: 10, Rate: 5, Step: 2}.With(3).With(4)
	got, err := json.Marshal(p)
	if want := `{"minute":60000,"at":61000,"credit":-419990,"rate":5,"notified":7,"step":2}`; err != nil || string(got) != want {
		t.Errorf("Marshal(%+v) = %s, %v; want %s", p, got, err, want)
	}
}
