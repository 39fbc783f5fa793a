package logtest

import (
	"fmt"
	"slices"
	"testing"
)

func TestLog(t *testing.T) {
	var l Log
	if got := l.Lines(); got != nil {
		t.Errorf("Lines of an empty log = %q, want none", got)
	}
	fmt.Fprint(&l, "one\ntw")
	fmt.Fprint(&l, "o\nthree\n")
	if got, want := l.Lines(), []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("Lines() = %q, want %q", got, want)
	}
	if got, want := l.With("o"), []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("With(o) = %q, want %q", got, want)
	}
	if got, want := l.String(), "one\ntwo\nthree\n"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
