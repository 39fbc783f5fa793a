package pgstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

// nameOf returns the name of the database in a URL.
func nameOf(database string) string {
	return database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")]
}

// spoilable returns the URL of an empty database that no other test gets after this one.
func spoilable(t *testing.T, server *postgres.Server) string {
	t.Helper()
	name, err := server.Create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Drop(name) })
	return server.URL(name)
}

func query(t *testing.T, server *postgres.Server, database, statements string) string {
	t.Helper()
	rows, err := server.Query(nameOf(database), statements)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Whoever cannot start is told why, in a sentence that says what to do.
func TestADatabaseThatCannotBeUsedSaysWhy(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	for name, test := range map[string]struct {
		spoil    string // of a database that a server has worked on
		fresh    string // of an empty one
		readOnly bool
		want     string
	}{
		"tables of a later release":  {spoil: "UPDATE muster.version SET schema = 99, least = 98", want: "its tables have version 99"},
		"records of a later release": {spoil: "UPDATE muster.version SET format = 99", want: "its records have format 99"},
		"looked at, later tables":    {spoil: "UPDATE muster.version SET schema = 99, least = 98", readOnly: true, want: "its tables have version 99"},
		"looked at, former tables":   {spoil: "UPDATE muster.version SET schema = 0", readOnly: true, want: "its tables have version 0"},
		"looked at, empty":           {fresh: "SELECT 1", readOnly: true, want: "no tables of muster"},
		"no rights":                  {fresh: "REVOKE ALL ON DATABASE %s FROM public; ALTER DATABASE %s OWNER TO postgres; GRANT CONNECT ON DATABASE %s TO muster", want: "GRANT CREATE ON DATABASE"},
		"set to be read only":        {fresh: "ALTER DATABASE %s SET default_transaction_read_only = on", want: "name the primary"},
	} {
		t.Run(name, func(t *testing.T) {
			database := spoilable(t, server)
			if test.spoil != "" {
				if err := open(t, database, "node").Close(); err != nil {
					t.Fatal(err)
				}
			}
			query(t, server, database, strings.ReplaceAll(test.spoil+test.fresh, "%s", nameOf(database)))
			_, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "node", ReadOnly: test.readOnly})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), nameOf(database)) {
				t.Errorf("Open() = %v, want an error that names the database and says %q", err, test.want)
			}
		})
	}
	for name, test := range map[string]struct{ database, want string }{
		"no such database": {server.URL("nowhere"), "CREATE DATABASE"},
		"no server":        {"postgres://muster@127.0.0.1:1/muster?sslmode=disable", "connection refused"},
		"no URL":           {"postgres://muster@127.0.0.1:port/muster", "cannot parse"},
	} {
		if _, err := pgstore.Open(t.Context(), pgstore.Options{Database: test.database}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Open() = %v, want an error that says %q", name, err, test.want)
		}
	}
}

// What a check refuses stays as it is, whether a server has worked on it, works on it, or none has.
func TestADatabaseThatACheckRefusesStaysAsItIs(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	fresh, database := spoilable(t, server), spoilable(t, server)
	refused := errors.New("refused")
	open := func(database string, readOnly bool, check func(store.Reader) error) (*pgstore.Store, error) {
		return pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "second", ReadOnly: readOnly, Check: check})
	}
	none := func(r store.Reader) error {
		if r != nil {
			t.Error("the check of an empty database is given a reader")
		}
		return refused
	}
	if _, err := open(fresh, false, none); !errors.Is(err, refused) {
		t.Errorf("Open() of an empty database = %v, want the error of the check", err)
	}
	if made := query(t, server, fresh, "SELECT count(*) FROM pg_namespace WHERE nspname = 'muster'"); made != "0" {
		t.Error("an empty database has tables afterwards")
	}

	first, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(t.Context(), first, put("k", "first")); err != nil {
		t.Fatal(err)
	}
	seen := func(verdict error) func(store.Reader) error {
		return func(r store.Reader) error {
			value, err := r.Get(table, "k")
			if err != nil || string(value) != "first" {
				t.Errorf("the check reads %q, %v", value, err)
			}
			return verdict
		}
	}
	const rows = "SELECT last_value FROM muster.incarnation; SELECT name, incarnation FROM muster.node; SELECT * FROM muster.lane; SELECT * FROM muster.version"
	for _, serving := range []bool{true, false} {
		if !serving {
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
		}
		before := query(t, server, database, rows)
		for _, readOnly := range []bool{true, false} {
			if _, err := open(database, readOnly, seen(refused)); !errors.Is(err, refused) {
				t.Errorf("Open() = %v, want the error of the check", err)
			}
		}
		if after := query(t, server, database, rows); after != before {
			t.Errorf("the database has changed from\n%s\nto\n%s", before, after)
		}
	}
	second, err := open(database, false, seen(nil))
	if err != nil {
		t.Fatal(err)
	}
	second.Close() // nothing was written
}

func TestADatabaseOfAnotherEncodingIsRefused(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	if _, err := server.Query("postgres", "CREATE DATABASE latin OWNER muster TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Drop("latin") })
	if _, err := pgstore.Open(t.Context(), pgstore.Options{Database: server.URL("latin")}); err == nil || !strings.Contains(err.Error(), "UTF8 is needed") {
		t.Errorf("Open() = %v, want an error that says which encoding is needed", err)
	}
}

func TestAStandbyIsRefused(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t, postgres.Options{NoSync: true})
	database := server.Database(t)
	if err := open(t, database, "node").Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(postgres.Fast); err != nil {
		t.Fatal(err)
	}
	if err := server.Standby(); err != nil {
		t.Fatal(err)
	}
	if _, err := pgstore.Open(t.Context(), pgstore.Options{Database: database}); err == nil || !strings.Contains(err.Error(), "name the primary") {
		t.Errorf("Open() = %v, want an error that says to name the primary", err)
	}
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, ReadOnly: true})
	if err != nil {
		t.Fatalf("Open() to look at it = %v", err)
	}
	defer s.Close() // nothing was written
	if _, err := s.Apply(t.Context(), put("k", "v")); !errors.Is(err, pgstore.ErrReadOnly) {
		t.Errorf("Apply() = %v, want ErrReadOnly", err)
	}
}

// An operator may make the schema for a user that may not.
func TestASchemaThatIsThereIsUsed(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	query(t, server, database, "CREATE SCHEMA muster AUTHORIZATION muster")
	query(t, server, database, "REVOKE CREATE ON DATABASE "+nameOf(database)+" FROM muster")
	open(t, database, "node")
}

// Servers that start at the same time make the schema once.
func TestTheSchemaIsMadeOnce(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := pgstore.Open(context.Background(), pgstore.Options{Database: database, Node: "node"})
			if err != nil {
				t.Errorf("Open() = %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
	all.Wait()
}

// The views say in words what the tables hold.
func TestOperatorsReadTheViews(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := server.Database(t)
	s := open(t, database, "node")
	err := store.Update(t.Context(), s, func(tx store.Tx) error {
		x := muster.Execution{
			Thing: "lamp", Job: "fw", Number: 1, Status: muster.InProgress, Version: 2, Details: map[string]string{"progress": "50 %"},
			QueuedAt: 1_700_000_000_001, StartedAt: 1_700_000_000_002, UpdatedAt: 1_700_000_000_003, JobDeadline: 1_700_000_060_000,
		}
		tx.PutQueue(muster.Queue{Thing: "lamp"}.With(x).Revised(0))
		tx.Change(nil, &x)
		y := muster.Execution{Thing: "pump", Job: "fw", Number: 1, Status: muster.Failed, Version: 1, QueuedAt: 1_700_000_000_001}
		tx.Change(nil, &y)
		store.Of[map[string]any]{Table: "job"}.Put(tx, "fw", map[string]any{"ID": "fw"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for statement, want := range map[string]string{
		`SET timezone = 'UTC'; SELECT thing, job, status, version, queued_at, job_deadline, step_deadline, details->>'progress' FROM muster.view_execution WHERE thing = 'lamp'`: "lamp|fw|IN_PROGRESS|2|2023-11-14 22:13:20.001+00|2023-11-14 22:14:20+00||50 %",
		`SELECT thing, job, status FROM muster.view_queue`:                    "lamp|fw|IN_PROGRESS",
		`SELECT job, queued, in_progress, failed FROM muster.view_job_counts`: "fw|0|1|1",
		`SELECT job, content->>'ID' FROM muster.view_job`:                     "fw|fw",
		`SELECT name, alive FROM muster.view_node`:                            "node|t",
		`SELECT count(*) FROM muster.view_thing`:                              "0",
		`SELECT count(*) FROM muster.view_group`:                              "0",
	} {
		if got := query(t, server, database, statement); got != want {
			t.Errorf("%s\n got %s\nwant %s", statement, got, want)
		}
	}
}

func schema(t *testing.T, o pgstore.SchemaOptions) string {
	t.Helper()
	statements, err := pgstore.Schema(o)
	if err != nil {
		t.Fatal(err)
	}
	return statements
}

// An operator may make the tables for a server that may not.
func TestAServerNeedsNoRightToMakeTables(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	made, own := spoilable(t, server), spoilable(t, server)
	query(t, server, made, strings.ReplaceAll("ALTER DATABASE %s OWNER TO postgres; REVOKE CREATE ON DATABASE %s FROM public", "%s", nameOf(made)))
	query(t, server, made, schema(t, pgstore.SchemaOptions{User: postgres.Role}))
	s, other := open(t, made, "node"), open(t, own, "node")
	defer func() { _, _ = s.Close(), other.Close() }()

	if err := store.Update(t.Context(), s, put("a", "1")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(s.SetFormat(t.Context(), store.Format), s.Empty(t.Context())); err != nil {
		t.Error(err)
	}
	for _, of := range []string{
		"SELECT table_name, column_name, data_type, collation_name, is_nullable FROM information_schema.columns WHERE table_schema = 'muster' ORDER BY 1, 2",
		"SELECT indexdef FROM pg_indexes WHERE schemaname = 'muster' ORDER BY 1",
		"SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'muster'::regnamespace ORDER BY 1",
		"SELECT schema, format FROM muster.version",
	} {
		if got, want := query(t, server, made, of), query(t, server, own, of); got != want || got == "" {
			t.Errorf("%s:\n%s\nwant as a server makes it:\n%s", of, got, want)
		}
	}
}
