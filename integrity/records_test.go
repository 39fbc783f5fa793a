package integrity

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster/store"
)

const (
	complete store.Invariant = "the table is complete"
	sourced  store.Invariant = "the source is there"
)

// Missing and stray rows are found in whatever order rows are required, and nothing is
// looked up when there are none.
func TestDerivedRowsAreComparedInAnyOrder(t *testing.T) {
	for name, order := range orders() {
		t.Run(name, func(t *testing.T) {
			var even []int // each once
			for _, i := range order {
				if i%2 == 0 && i < 2000 && !slices.Contains(even, i) {
					even = append(even, i)
				}
			}
			if len(even) < 1000 {
				for i := 0; i < 2000; i += 2 {
					if !slices.Contains(even, i) {
						even = append(even, i)
					}
				}
			}
			wantDerived(t, even, true)
			wantDerived(t, append(slices.Clone(even), even[7]), false) // required by two
			wantDerived(t, append(slices.Clone(even), 1001, 5001), false,
				`table numbered lacks "k01001" of row 1001`, `table numbered lacks "k05001" of row 5001`)
			wantDerived(t, even[1:], false, `table numbered has 1000 rows and 999 of them belong there`)
			wantDerived(t, append(slices.Clone(even[1:]), 1001), false,
				`table numbered lacks "k01001" of row 1001`, `table numbered has 1000 rows and 999 of them belong there`)
		})
	}
}

// wantDerived fails the test unless the check that requires these rows finds these
// problems; summed says that it must look nothing up.
func wantDerived(t *testing.T, rows []int, summed bool, want ...string) {
	t.Helper()
	readNumbered(t, func(below *counted) {
		problems, err := Run(t.Context(), below, func(c *Check) {
			for _, i := range rows {
				c.Derived(complete, numbered, keyOf(i), fmt.Sprint("row ", i))
			}
			c.Surplus(complete, numbered)
		})
		if err != nil {
			t.Fatal(err)
		}
		wantProblems(t, problems, complete, want)
		if summed && (below.gets > 0 || below.scans != 1) {
			t.Errorf("%d point reads and %d scans, want one scan", below.gets, below.scans)
		}
	})
}

func wantProblems(t *testing.T, problems []store.Problem, invariant store.Invariant, want []string) {
	t.Helper()
	var got []string
	for _, p := range problems {
		if got = append(got, p.Detail); p.Invariant != invariant {
			t.Errorf("a problem of %q, want %q", p.Invariant, invariant)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the check finds %q, want %q", got, want)
	}
}

// Owners that are missing are found in whatever order they are looked up, and however far
// they are apart.
func TestOwnersAreFoundInAnyOrder(t *testing.T) {
	for name, order := range orders() {
		t.Run(name, func(t *testing.T) {
			readNumbered(t, func(below *counted) {
				var want []string
				problems, err := Run(t.Context(), below, func(c *Check) {
					for _, i := range order[:min(len(order), store.MaxProblems)] {
						c.Owned("row", "x", numbered, keyOf(i))
						if i%2 == 1 || i >= 2000 {
							want = append(want, fmt.Sprintf(`table row has "x" and there is no numbered %q`, keyOf(i)))
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				wantProblems(t, problems, OwnersExist, want)
			})
		})
	}
}

// Problems that were found before sums differed are not reported twice, and stay in the
// order of the parts.
func TestAnExactCheckBeginsAnew(t *testing.T) {
	readNumbered(t, func(below *counted) {
		var asked []bool
		problems, err := Run(t.Context(), below,
			func(c *Check) { c.Problem(sourced, "first") },
			func(c *Check) {
				asked = append(asked, c.Exact())
				c.Derived(sourced, numbered, keyOf(1), "row 1")
				c.Surplus(sourced, "none")
				c.Same(c.Plus(Sum{}, "a"), c.Plus(Sum{}, "b"))
			},
			func(c *Check) { c.Problem(sourced, "last") },
		)
		if err != nil {
			t.Fatal(err)
		}
		wantProblems(t, problems, sourced, []string{"first", `table numbered lacks "k00001" of row 1`, "last"})
		if !slices.Equal(asked, []bool{false, true}) {
			t.Errorf("the part ran with Exact %v, want false and true", asked)
		}
	})
}
