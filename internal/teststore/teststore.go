// Package teststore aims the suites at a store: a variable of the environment says which, and
// each suite asks this package for its stores.
package teststore

import (
	"context"
	"os"
	"testing"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

// Variable is the environment variable that aims the suites. Empty is the store that each
// is written for, in memory or on a disk; "postgres" is PostgreSQL.
const Variable = "MUSTER_TEST_STORE"

// Postgres reports whether the suites are aimed at PostgreSQL.
func Postgres(t testing.TB) bool {
	t.Helper()
	switch chosen := os.Getenv(Variable); chosen {
	case "":
		return false
	case "postgres":
		return true
	default:
		t.Fatalf("%s=%s: there is no such store", Variable, chosen)
		return false
	}
}

// Main runs the tests of a package that makes stores in bubbles of package synctest. A server
// must not be started in one, because a goroutine waits for its end.
func Main(m *testing.M) int {
	if os.Getenv(Variable) != "" {
		postgres.Begin()
	}
	return m.Run()
}

// New returns an empty store: the usual one, or one on a database of the test's own. The
// test closes it, or else it is closed after the test.
func New(t testing.TB, usual func() store.Store) store.Store {
	t.Helper()
	if !Postgres(t) {
		return usual()
	}
	return Open(t, postgres.Shared(t).Database(t))
}

// Open opens the store on a database, which is closed after the test at the latest. Stores
// that are opened one after the other take over from each other at once, as the server's do
// when it starts again.
func Open(t testing.TB, database string) store.Store {
	t.Helper()
	s, err := pgstore.Open(context.Background(), pgstore.Options{Database: database, Node: "test"})
	if err != nil {
		t.Fatalf("open the store on PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // most tests have closed it
	return s
}

// ServeFlags returns the flags of `muster serve` with which a server has an empty store of its
// own, beside those that say where its data folder is.
func ServeFlags(t testing.TB) []string {
	t.Helper()
	if !Postgres(t) {
		return nil
	}
	return []string{"--store", postgres.Shared(t).Database(t)}
}
