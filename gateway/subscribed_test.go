package gateway

import (
	"slices"
	"testing"
)

func TestSubscribed(t *testing.T) {
	b := newBench(t, Options{})
	b.connect(5, "lamp").Subscribe(1, "a/x", "a/+", "a/#", "b", "$share/g/a/y")
	b.connect(5, "pump").Subscribe(1, "a/x", "a/z")
	got := b.Subscribed("a/")
	slices.Sort(got)
	if want := []string{"a/x", "a/y", "a/z"}; !slices.Equal(got, want) {
		t.Errorf("Subscribed = %q, want %q", got, want)
	}
}
