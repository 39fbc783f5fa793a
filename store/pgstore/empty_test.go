package pgstore_test

import (
	"errors"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

func TestAnEmptiedStoreHasNothingAndGoesOn(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := muster.Execution{Thing: "lamp", Job: "fw", Number: 1, Status: muster.Queued, Version: 1, QueuedAt: 1, UpdatedAt: 1}
	fill := func(tx store.Tx) error {
		tx.Change(nil, &x)
		tx.Put("setting", "a", []byte("1"))
		return nil
	}
	for range 2 {
		if err := store.Update(t.Context(), s, fill); err != nil {
			t.Fatal(err)
		}
		if err := s.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = s.View(t.Context(), func(r store.Reader) error {
			if record, err := r.Get("setting", "a"); err != nil || record != nil {
				t.Errorf("a record is left: %q, %v", record, err)
			}
			if all, err := r.Executions(store.Key(x)); err != nil || all[0] != nil {
				t.Errorf("an execution is left: %v, %v", all, err)
			}
			if counts, err := r.Counts("fw"); err != nil || counts[0] != (muster.Counts{}) {
				t.Errorf("counts are left: %v, %v", counts, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A server that another one has taken over from must not empty the store of that one.
func TestAServerThatWasTakenOverEmptiesNothing(t *testing.T) {
	database := postgres.Shared(t).Database(t)
	former, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer former.Close()
	next, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	err = store.Update(t.Context(), next, func(tx store.Tx) error { tx.Put("setting", "a", []byte("1")); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := former.Empty(t.Context()); !errors.Is(err, store.ErrStopped) {
		t.Errorf("Empty() = %v, want ErrStopped", err)
	}
	err = next.View(t.Context(), func(r store.Reader) error {
		record, err := r.Get("setting", "a")
		if string(record) != "1" {
			t.Errorf("the record is %q, %v", record, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
