package sim

import (
	"context"
	"sync"

	"github.com/muster-iot/muster/store"
)

// tripwire ends a process in the middle of its work: before or right after one of
// its transactions.
type tripwire struct {
	store.Store

	mu   sync.Mutex
	left int // transactions until then; zero: not any more
	trip func()
}

// set makes the wire break within n transactions from now.
func (w *tripwire) set(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = n
}

// Apply counts itself twice, so that the wire can break before and after it.
func (w *tripwire) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	w.count()
	wait, err := w.Store.Apply(ctx, fn)
	w.count()
	return wait, err
}

func (w *tripwire) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left == 0 {
		return
	}
	if w.left--; w.left == 0 {
		w.trip()
	}
}
