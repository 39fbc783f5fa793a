package pgstore_test

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
)

// What is read after a commit is no part of it.
func TestACommitAfterWhichNothingCanBeReadIsOne(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	s := open(t, database, "node")
	read, beside := 0, 0
	write := func(value string) {
		t.Helper()
		err := store.Update(t.Context(), s, func(tx store.Tx) error {
			tx.Put(table, "k", []byte(value))
			tx.(store.Rereader).Reread(store.Wanted{Counts: []muster.JobID{"job"}}, func(r store.Reader) {
				if _, err := store.CountsOf(r, "job"); err == nil {
					read++
				}
				if _, err := r.Get(table, "k"); err == nil { // which is not named
					beside++
				}
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	query(t, server, database, "ALTER TABLE muster.counts RENAME TO gone")
	write("2")
	query(t, server, database, "ALTER TABLE muster.gone RENAME TO counts")
	write("3") // the connection is as good as before
	if read != 2 || beside != 0 {
		t.Errorf("counts were read %d times, want 2, and what is not named %d times", read, beside)
	}
	if got := query(t, server, database, "SELECT convert_from(value, 'UTF8') FROM muster.record WHERE tbl = 'table' AND key = 'k'"); got != "3" {
		t.Errorf("the record is %q", got)
	}
}
