package pgstore_test

import (
	"slices"
	"testing"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

func TestWhatIsToldOfReads(t *testing.T) {
	t.Parallel()
	var told []pgstore.View
	s, err := pgstore.Open(t.Context(), pgstore.Options{
		Database: postgres.Shared(t).Database(t), Node: "test",
		OnView: func(v pgstore.View) { told = append(told, v) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, step := range []struct {
		what string
		do   func() error
		want []pgstore.View
	}{
		{"a view of nothing", func() error {
			return s.View(t.Context(), func(store.Reader) error { return nil })
		}, nil},
		{"a view of two records, one of them twice", func() error {
			return s.View(t.Context(), func(r store.Reader) error { return get(r, "a", "b", "a") })
		}, []pgstore.View{{Trips: 2, Statements: 3}}},
		{"a transaction that only reads", func() error {
			return store.Update(t.Context(), s, func(tx store.Tx) error { return get(tx, "a") })
		}, []pgstore.View{{Trips: 1, Statements: 2}}},
		{"a transaction that writes", func() error {
			return store.Update(t.Context(), s, func(tx store.Tx) error {
				tx.Put("table", "a", nil)
				return get(tx, "b")
			})
		}, nil},
	} {
		told = nil
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if !slices.Equal(told, step.want) {
			t.Errorf("%s was told as %+v, want %+v", step.what, told, step.want)
		}
	}
}

func get(r store.Reader, keys ...string) error {
	for _, key := range keys {
		if _, err := r.Get("table", key); err != nil {
			return err
		}
	}
	return nil
}
