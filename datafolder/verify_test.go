package datafolder

import (
	"errors"
	"slices"
	"testing"
)

// Checks run at the same time, and their problems come in the order of the checks all the
// same. A check that fails or panics leaves the others alone.
func TestChecksRunSideBySide(t *testing.T) {
	var got []string
	v := verifier{ctx: t.Context(), problem: func(p string) { got = append(got, p) }}
	last := make(chan struct{})
	v.sideBySide(nil,
		func(_ *Store, problem func(string)) error {
			problem("first")
			<-last
			problem("second")
			return nil
		},
		func(*Store, func(string)) error { panic("a block is damaged") },
		func(*Store, func(string)) error { return errors.New("a file is damaged") },
		func(_ *Store, problem func(string)) error {
			problem("last")
			close(last)
			return nil
		},
	)
	want := []string{
		"first", "second", "what is stored cannot be read any further: a block is damaged",
		"what is stored cannot be read any further: a file is damaged", "last",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the problems are %q, want %q", got, want)
	}
}
