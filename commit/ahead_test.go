package commit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
)

// remote is a store that is reached over a network, as far as commands can tell. It writes
// down which records are prefetched, by request.
type remote struct {
	store.Store
	requests [][]string
}

func (s *remote) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return fn(remoteReader{r, s}) })
}

func (s *remote) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	return s.Store.Apply(ctx, func(tx store.Tx) error { return fn(remoteTx{tx, s}) })
}

type remoteReader struct {
	store.Reader
	*remote
}

type remoteTx struct {
	store.Tx
	*remote
}

var errNetwork = errors.New("the network is gone")

func (s *remote) Prefetch(w store.Wanted) error {
	var keys []string
	for _, r := range w.Records {
		if r.Key == "unreachable" {
			return errNetwork
		}
		keys = append(keys, r.Key)
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		s.requests = append(s.requests, keys)
	}
	return nil
}

func (s *remote) want(t *testing.T, what string, want ...[]string) {
	t.Helper()
	if fmt.Sprint(s.requests) != fmt.Sprint(want) {
		t.Errorf("%s asked for %v, want %v", what, s.requests, want)
	}
	s.requests = nil
}

// chain names a record, then the one that it names, and so on.
func chain(w *Wants, key string) {
	w.Record(records.Table, key)
	w.Then(func(r store.Reader, w *Wants) error {
		next, err := records.Get(r, key)
		if err == nil && next != nil {
			chain(w, *next)
		}
		return err
	})
}

// What follows from what the commands of a batch read is read for all of them at once, too.
func TestABatchReadsAtOnceWhatFollows(t *testing.T) {
	s := &remote{Store: memstore.New()}
	c := running(t, Options{Store: s})
	if err := c.Do(t.Context(), func(tx *Tx) error {
		for key, next := range map[string]string{"a1": "a2", "a2": "a3", "b1": "b2", "d1": "unreachable"} {
			records.Put(tx, key, next)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		first []string
		want  [][]string
	}{
		{[]string{"a1", "b1", "c1"}, [][]string{{"a1", "b1", "c1"}, {"a2", "b2"}, {"a3"}}},
		{[]string{"d1", "a1"}, [][]string{{"a1", "d1"}}},
	} {
		s.requests = nil
		release := block(c)
		done := make(chan error, len(test.first))
		for _, key := range test.first {
			Submit(c, "", func(w *Wants) { chain(w, key) }, func(tx *Tx) (struct{}, error) {
				_, err := records.Get(tx, key)
				return struct{}{}, err
			}, func(_ struct{}, err error) { done <- err })
		}
		release()
		for range test.first {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		s.want(t, fmt.Sprintf("a batch of %v", test.first), test.want...)
	}
}

// A store that is near is not asked beforehand for what is found in no time.
func TestNothingFollowsOnAStoreThatIsNear(t *testing.T) {
	c := running(t, Options{Store: memstore.New()})
	if err := c.Do(t.Context(), func(tx *Tx) error {
		tx.Prefetch(func(w *Wants) {
			chain(w, "a")
			w.LatestOf("lamp", "job")
			w.Under(records.Table, "a")
			if w.Far() || w.First("job") || len(w.records)+len(w.then)+len(w.latest)+len(w.ranges) > 0 {
				t.Errorf("%+v is wanted of a store in memory", *w)
			}
		})
		tx.PrefetchFar(func(*Wants) { t.Error("PrefetchFar asks what is wanted of a store in memory") })
		for range Ahead(tx, 1, numbers(3), func(*Wants, int) { t.Error("Ahead asks what is wanted of a store in memory") }) {
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheFirstCommandNamesWhatAllReadOfAJob(t *testing.T) {
	c := running(t, Options{Store: &remote{Store: memstore.New()}})
	if err := c.Do(t.Context(), func(tx *Tx) error {
		for range 2 { // what was named for one prefetch is not named for the next
			tx.Prefetch(func(w *Wants) {
				if got := fmt.Sprint(w.First("a"), w.First("a"), w.First("b"), w.First("a")); got != "true false true false" {
					t.Errorf("First is %s", got)
				}
			})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// numbers yields 0 to n-1.
func numbers(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func TestAhead(t *testing.T) {
	s := &remote{Store: memstore.New()}
	c := running(t, Options{Store: s})
	names := func(w *Wants, n int) { w.Record(records.Table, fmt.Sprintf("%02d", n)) }
	collect := func(r store.Reader, rows iter.Seq2[int, error], most int) (all []int, err error) {
		for n, err := range Ahead(r, 2, rows, names) {
			if err != nil {
				return all, err
			}
			if all = append(all, n); len(all) == most {
				break
			}
		}
		return all, nil
	}
	broken := func(yield func(int, error) bool) {
		for n, err := range numbers(3) {
			if !yield(n, err) {
				return
			}
		}
		yield(0, errNetwork)
	}
	for _, test := range []struct {
		name string
		rows iter.Seq2[int, error]
		most int
		want [][]string
		got  string
	}{
		{"no row", numbers(0), 9, nil, "[] <nil>"},
		{"all rows", numbers(7), 9, [][]string{{"00", "01"}, {"02", "03", "04", "05"}, {"06"}}, "[0 1 2 3 4 5 6] <nil>"},
		{"two rows", numbers(7), 2, [][]string{{"00", "01"}}, "[0 1] <nil>"},
		{"rows that end with an error", broken, 9, [][]string{{"00", "01"}, {"02"}}, "[0 1 2] " + errNetwork.Error()},
	} {
		read := func(r store.Reader) error {
			all, err := collect(r, test.rows, test.most)
			if got := fmt.Sprint(all, err); got != test.got {
				t.Errorf("of %s, Ahead yields %s, want %s", test.name, got, test.got)
			}
			s.want(t, test.name, test.want...)
			return nil
		}
		if err := c.View(t.Context(), read); err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), func(tx *Tx) error { return read(tx) }); err != nil {
			t.Fatal(err)
		}
	}
}
