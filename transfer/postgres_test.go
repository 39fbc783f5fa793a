package transfer

import (
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

func inPostgres(t testing.TB, database string) store.Store {
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
