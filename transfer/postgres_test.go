package transfer

import (
	"errors"
	"testing"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
	"github.com/muster-iot/muster/store/storetest"
)

func TestAStoreMovesToPostgreSQLAndBack(t *testing.T) {
	server := postgres.Shared(t)
	for _, seed := range storetest.Seeds(t, 2) {
		from, through, to := inPebble(t), inPostgres(t, server.Database(t)), inPebble(t)
		h := played(t, from, seed)
		first, second := exported(t, from), ""
		if err := imported(t.Context(), first, through); err != nil {
			t.Fatalf("MUSTER_SEED=%d: %v", seed, err)
		}
		check(t, through, h)
		second = exported(t, through)
		if err := imported(t.Context(), second, to); err != nil {
			t.Fatalf("MUSTER_SEED=%d: %v", seed, err)
		}
		check(t, to, h)
	}
}

func openPostgres(t testing.TB, database string) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inPostgres is openPostgres until the test ends.
func inPostgres(t testing.TB, database string) store.Store {
	t.Helper()
	s := openPostgres(t, database)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A process that is killed before or after a commit has its import continued by the next one.
func TestAKilledImportIntoPostgreSQLContinues(t *testing.T) {
	server, from := postgres.Shared(t), inMemory(t)
	h := played(t, from, 7)
	dir := exported(t, from)
	for _, after := range []bool{false, true} {
		database := server.Database(t)
		for _, n := range []int{1, 2, 3} { // of each process
			s := openPostgres(t, database)
			if err := imported(t.Context(), dir, &mortal{s, n, after}); !errors.Is(err, errKilled) {
				t.Fatalf("a process that is killed at write %d says %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s := inPostgres(t, database)
		if err := s.View(t.Context(), CheckFinished); !errors.Is(err, errUnfinished) {
			t.Errorf("before the end the store may be served: %v", err)
		}
		if err := imported(t.Context(), dir, s); err != nil {
			t.Fatal(err)
		}
		check(t, s, h)
	}
}
