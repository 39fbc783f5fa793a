package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/teststore"
	"github.com/muster-iot/muster/store"
)

// A prefetch reads the first page of a sequence, and the rest is read when it is asked for.
func TestAPrefetchOfALongRange(t *testing.T) {
	t.Parallel()
	s, trips := teststore.Counting(t)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("%03d", i))
	}
	if err := store.Update(t.Context(), s, func(tx store.Tx) error {
		for _, key := range want {
			tx.Put("table", key, nil)
		}
		tx.Put("table-of-another-name", "0", nil)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, bounds := range [][2]string{{"", ""}, {"0", "3"}, {"299", ""}} {
		of := store.Range{Table: "table", From: bounds[0], To: bounds[1]}
		n := 2
		if of.From == "299" {
			n = 1
		}
		trips.Want(t, n, fmt.Sprintf("a scan of %q", bounds), func() {
			if err := s.View(t.Context(), func(r store.Reader) error {
				if err := r.(store.Prefetcher).Prefetch(store.Wanted{Ranges: []store.Range{of}}); err != nil {
					return err
				}
				var got []string
				for row, err := range r.Scan(of.Table, of.From, of.To) {
					if err != nil {
						return err
					}
					got = append(got, row.Key)
				}
				if begin, _ := slices.BinarySearch(want, of.From); !slices.Equal(got, want[begin:]) {
					t.Errorf("a scan of %q yields %d records %q, want %q", bounds, len(got), got, want[begin:])
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a prefetch has failed to read is not taken for what is not there.
func TestASequenceAfterAFailedPrefetchFails(t *testing.T) {
	t.Parallel()
	s, _ := teststore.Counting(t)
	ctx, cancel := context.WithCancel(t.Context())
	_ = s.View(ctx, func(r store.Reader) error {
		cancel()
		of := store.Wanted{
			Ranges: []store.Range{{Table: "table"}, {Table: "table", To: "z"}}, OfThings: []muster.ThingName{"lamp"},
			OfJobs: []store.OfJob{{Job: "job"}}, Timers: []muster.Instant{1},
		}
		if err := r.(store.Prefetcher).Prefetch(of); !errors.Is(err, context.Canceled) {
			t.Errorf("Prefetch() = %v, want that it was cancelled", err)
		}
		for name, err := range map[string]error{
			"Scan": first(r.Scan("table", "", "")), "Scan with a bound": first(r.Scan("table", "", "z")),
			"ExecutionsOfThing": first(r.ExecutionsOfThing("lamp")), "ExecutionsOfJob": first(r.ExecutionsOfJob("job", 0, store.Cursor{})),
			"Timers": first(r.Timers(1)),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s after a failed prefetch: %v, want that it was cancelled", name, err)
			}
		}
		return nil
	})
}

// first returns the error of the first pair.
func first[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		return err
	}
	return nil
}

// A view forgets what it has read for the rows before, and not what it reads for those that come.
func TestAPrefetchAnew(t *testing.T) {
	t.Parallel()
	s, trips := teststore.Counting(t)
	var many []store.RecordKey
	for i := range 3000 {
		many = append(many, store.RecordKey{Table: "table", Key: fmt.Sprint(i)})
	}
	for anew, want := range map[bool]int{false: 2, true: 3} {
		trips.Want(t, want, fmt.Sprintf("reading on after a prefetch, anew %v,", anew), func() {
			if err := s.View(t.Context(), func(r store.Reader) error {
				far := r.(store.Prefetcher)
				last := store.RecordKey{Table: "table", Key: "last"}
				err := errors.Join(far.Prefetch(store.Wanted{Records: many}), far.Prefetch(store.Wanted{Records: []store.RecordKey{last}, Anew: anew}))
				for _, k := range []store.RecordKey{last, many[0]} {
					_, failed := r.Get(k.Table, k.Key)
					err = errors.Join(err, failed)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
