package integrity

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

const numbered store.Table = "numbered"

func keyOf(i int) string { return fmt.Sprintf("k%05d", i) }

// readNumbered runs fn on a snapshot of a table with the keys of the even numbers below
// 2,000.
func readNumbered(t *testing.T, fn func(*counted)) {
	t.Helper()
	s := memstore.New()
	defer s.Close()
	err := store.Update(t.Context(), s, func(tx store.Tx) error {
		for i := 0; i < 2000; i += 2 {
			tx.Put(numbered, keyOf(i), []byte(keyOf(i)))
		}
		tx.Put("other", keyOf(1), nil)
		return nil
	})
	if err == nil {
		err = s.View(t.Context(), func(r store.Reader) error { fn(&counted{Reader: r}); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// counted counts what is asked of a Reader.
type counted struct {
	store.Reader
	gets, scans int
}

func (c *counted) Get(table store.Table, key string) ([]byte, error) {
	c.gets++
	return c.Reader.Get(table, key)
}

func (c *counted) Scan(table store.Table, from, to string) iter.Seq2[store.Record, error] {
	c.scans++
	return c.Reader.Scan(table, from, to)
}

// orders are questions in different orders: numbers of keys.
func orders() map[string][]int {
	every := func(gap int) (all []int) {
		for i := 0; i < 2100; i += gap {
			all = append(all, i)
		}
		return all
	}
	random := rand.New(rand.NewPCG(1, 2))
	descending := every(1)
	slices.Reverse(descending)
	var twice []int
	for i := range 300 {
		twice = append(twice, i, i)
	}
	return map[string][]int{
		"ascending":      every(1),
		"descending":     descending,
		"with gaps":      every(7),
		"with long gaps": every(6 * stepsMax),
		"several times":  slices.Concat(every(3), every(50), every(1)),
		"twice each":     twice,
		"in no order":    random.Perm(2100),
		"in no order, locally": func() (all []int) {
			for i := range 2000 {
				all = append(all, i+random.IntN(40))
			}
			return all
		}(),
	}
}

// What is asked in whatever order has the same answer as below.
func TestOrderDoesNotMatter(t *testing.T) {
	for name, order := range orders() {
		t.Run(name, func(t *testing.T) {
			readNumbered(t, func(below *counted) {
				r := newInOrder(below)
				defer r.close()
				for n, i := range order {
					if n%5 == 4 {
						from, to := keyOf(i), keyOf(i+n%9)
						if got, want := list(t, r, from, to), list(t, below.Reader, from, to); got != want {
							t.Fatalf("Scan(%s, %s) = %s, want %s", from, to, got, want)
						}
					}
					got, err := r.Get(numbered, keyOf(i))
					want, _ := below.Reader.Get(numbered, keyOf(i))
					if err != nil || string(got) != string(want) || (got == nil) != (want == nil) {
						t.Fatalf("Get(%s) = %q, %v, want %q", keyOf(i), got, err, want)
					}
					if other, err := r.Get("other", keyOf(i)); err != nil || (other != nil) != (i == 1) {
						t.Fatalf("Get(%s) of the other table = %q, %v", keyOf(i), other, err)
					}
				}
			})
		})
	}
}

func list(t *testing.T, r store.Reader, from, to string) string {
	t.Helper()
	var keys []string
	for row, err := range r.Scan(numbered, from, to) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, row.Key+"="+string(row.Value))
	}
	return strings.Join(keys, " ")
}

// A loop over a walked table may ask for other keys of that table.
func TestALoopMayAskElsewhere(t *testing.T) {
	readNumbered(t, func(below *counted) {
		r := newInOrder(below)
		defer r.close()
		for i := range 10 {
			if _, err := r.Get(numbered, keyOf(i)); err != nil {
				t.Fatal(err)
			}
		}
		n := 10
		for row, err := range r.Scan(numbered, keyOf(10), keyOf(100)) {
			if err != nil || row.Key != keyOf(n) {
				t.Fatalf("row %s, %v, want %s", row.Key, err, keyOf(n))
			}
			for _, other := range []int{n + 4, 1000, 0} {
				if got, err := r.Get(numbered, keyOf(other)); err != nil || string(got) != keyOf(other) {
					t.Fatalf("Get(%s) = %q, %v", keyOf(other), got, err)
				}
			}
			n += 2
		}
		if n != 100 {
			t.Errorf("the loop ended before %s", keyOf(n))
		}
	})
}

// Keys in order cost no point read, and keys in no order no walk.
func TestOnlyOrderIsWalked(t *testing.T) {
	for name, c := range map[string]struct {
		order       []int
		gets, scans int
	}{
		"in order":       {orders()["ascending"], walkAfter - 1, 1},
		"with gaps":      {orders()["with gaps"], walkAfter - 1, 1},
		"the same":       {make([]int, 100), walkAfter - 1, 1},
		"descending":     {orders()["descending"], 2100, 0},
		"in both orders": {slices.Concat(orders()["descending"], orders()["ascending"]), 2100 + walkAfter - 2, 1}, // the last of the first are in order too
	} {
		t.Run(name, func(t *testing.T) {
			readNumbered(t, func(below *counted) {
				r := newInOrder(below)
				defer r.close()
				for _, i := range c.order {
					if _, err := r.Get(numbered, keyOf(i)); err != nil {
						t.Fatal(err)
					}
				}
				if below.gets != c.gets || below.scans != c.scans {
					t.Errorf("%d point reads and %d walks, want %d and %d", below.gets, below.scans, c.gets, c.scans)
				}
			})
		})
	}
}
