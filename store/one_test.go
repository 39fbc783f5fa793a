package store_test

import (
	"errors"
	"iter"
	"reflect"
	"testing"

	"github.com/muster-iot/muster/store"
)

func TestChunks(t *testing.T) {
	broken := errors.New("broken")
	numbers := func(n int, err error) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if err != nil {
				yield(0, err)
			}
		}
	}
	for _, test := range []struct {
		n    int
		err  error
		most int // after which the loop ends
		want [][]int
	}{
		{0, nil, 9, nil},
		{2, nil, 9, [][]int{{0, 1}}},
		{3, nil, 9, [][]int{{0, 1}, {2}}},
		{5, nil, 1, [][]int{{0, 1}}},
		{3, broken, 9, [][]int{{0, 1}}}, // the rest is not known to be all
	} {
		var got [][]int
		var err error
		for some, e := range store.Chunks(numbers(test.n, test.err), 2) {
			if err = e; err != nil {
				break
			}
			if got = append(got, some); len(got) == test.most {
				break
			}
		}
		if !reflect.DeepEqual(got, test.want) || !errors.Is(err, test.err) {
			t.Errorf("chunks of %d, %v: %v, %v, want %v", test.n, test.err, got, err, test.want)
		}
	}
}
