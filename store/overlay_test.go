package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// TestAnOverlayReadsLikeATransaction does the same random things to an overlay and
// to a transaction on the same store, and finds the same in both.
func TestAnOverlayReadsLikeATransaction(t *testing.T) {
	s := memstore.New()
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	key := func() string { return fmt.Sprintf("k%02d", rng.IntN(30)) }
	must(t, store.Update(t.Context(), s, func(tx store.Tx) error {
		for range 15 {
			tx.Put("a", key(), []byte("stored"))
			tx.Put("b", key(), []byte("stored"))
		}
		return nil
	}))
	must(t, s.View(t.Context(), func(r store.Reader) error {
		o := store.NewOverlay(r)
		return store.Update(t.Context(), s, func(tx store.Tx) error {
			for i := range 500 {
				table, k := store.Table([]string{"a", "b", "c"}[rng.IntN(3)]), key()
				for _, w := range []store.Writer{o, tx} {
					if i%3 == 0 {
						w.Delete(table, k)
					} else {
						w.Put(table, k, fmt.Append(nil, i))
					}
				}
				from, to := key(), key()
				if i%5 == 0 {
					from, to = "", ""
				}
				for range 2 { // a sequence can be walked again
					if got, want := rows(t, o, table, from, to), rows(t, tx, table, from, to); !slices.Equal(got, want) {
						t.Fatalf("step %d: Scan(%s, %q, %q) = %v, want %v", i, table, from, to, got, want)
					}
				}
				got, err := o.Get(table, k)
				must(t, err)
				want, err := tx.Get(table, k)
				must(t, err)
				if string(got) != string(want) || (got == nil) != (want == nil) {
					t.Fatalf("step %d: Get(%s, %q) = %q, want %q", i, table, k, got, want)
				}
			}
			return nil
		})
	}))
}

// TestAnOverlayCanBeChangedWhileItIsWalked deletes and adds in a loop over it.
func TestAnOverlayCanBeChangedWhileItIsWalked(t *testing.T) {
	s := memstore.New()
	defer s.Close()
	must(t, s.View(t.Context(), func(r store.Reader) error {
		o := store.NewOverlay(r)
		for _, k := range []string{"1", "2", "3"} {
			o.Put("a", k, []byte(k))
		}
		var seen []string
		for row, err := range o.Scan("a", "", "") {
			must(t, err)
			seen = append(seen, row.Key)
			o.Delete("a", row.Key)
			o.Put("a", row.Key+"x", nil)
			if len(seen) == 2 {
				break
			}
		}
		if left := rows(t, o, "a", "", ""); !slices.Equal(seen, []string{"1", "2"}) || !slices.Equal(left, []string{"1x=", "2x=", "3=3"}) {
			t.Errorf("the loop saw %v and left %v", seen, left)
		}
		return nil
	}))
}

func rows(t *testing.T, r store.Reader, table store.Table, from, to string) []string {
	t.Helper()
	var found []string
	for row, err := range r.Scan(table, from, to) {
		must(t, err)
		found = append(found, row.Key+"="+string(row.Value))
	}
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
