package storetest

import (
	"testing"

	"github.com/muster-iot/muster/store"
)

// Reopen fails t unless stores keep their content when they are closed and opened
// again. start makes an empty location, and each call of the function that it
// returns opens the store there.
func Reopen(t *testing.T, start func(*testing.T) (open func() store.Store)) {
	t.Run("a reopened store holds all that it held", func(t *testing.T) {
		open := start(t)
		for _, seed := range Seeds(t, 3) {
			s, h := open(), NewHistory(seed)
			for i := range 60 {
				if _, err := h.Step(s); err != nil {
					t.Fatalf("MUSTER_SEED=%d: %v", seed, err)
				}
				if i%15 != 14 {
					continue
				}
				if err := s.Close(); err != nil {
					t.Fatalf("Close() = %v", err)
				}
				s = open()
				view(t, s, func(r store.Reader) {
					if step, err := h.Check(r); err != nil || step != h.Steps() {
						t.Fatalf("MUSTER_SEED=%d: reopened at step %d, want %d: %v", seed, step, h.Steps(), err)
					}
				})
			}
			clearAll(t, s)
			if err := s.Close(); err != nil {
				t.Fatalf("Close() = %v", err)
			}
		}
	})
	t.Run("closing a store that was never written leaves an empty one", func(t *testing.T) {
		open := start(t)
		for range 3 {
			s := open()
			newStoreIsEmpty(t, s)
			if err := s.Close(); err != nil {
				t.Fatalf("Close() = %v", err)
			}
		}
	})
}
