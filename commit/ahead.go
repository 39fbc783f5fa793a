package commit

import (
	"iter"

	"github.com/muster-iot/muster/store"
)

// aheadMax bounds the rows that Ahead takes at a time, unless its caller wants more.
const aheadMax = 512

// Ahead yields rows for a loop that reads more of r for each row; wants names what that is. On a
// store that is reached over a network, Ahead takes n rows, reads what all of them want in one
// request, and yields them. Then it goes on with the next rows, twice as many each time. n is how
// many rows the loop will probably look at.
func Ahead[T any](r store.Reader, n int, rows iter.Seq2[T, error], wants func(*Wants, T)) iter.Seq2[T, error] {
	if tx, ok := r.(*Tx); ok {
		r = tx.Tx
	}
	far, ok := r.(store.Prefetcher)
	if !ok {
		return rows
	}
	return func(yield func(T, error) bool) {
		n := n
		var taken []T
		give := func() bool {
			w := Wants{far: true}
			for _, row := range taken {
				wants(&w, row)
			}
			all := w.wanted()
			all.Anew = true
			w.read(far, r, all)
			for _, row := range taken {
				if !yield(row, nil) {
					return false
				}
			}
			taken, n = taken[:0], max(n, min(2*n, aheadMax))
			return true
		}
		for row, err := range rows {
			if err != nil {
				if give() {
					yield(row, err)
				}
				return
			}
			if taken = append(taken, row); len(taken) == n && !give() {
				return
			}
		}
		give()
	}
}
