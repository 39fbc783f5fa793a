package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
)

// ofVersion1 returns a database as a server left it that made version 1 of the tables.
func ofVersion1(t *testing.T) (database string, query func(statements string) string) {
	t.Helper()
	server := postgres.Shared(t)
	name, err := server.Create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Drop(name) })
	query = func(statements string) string {
		t.Helper()
		rows, err := server.Query(name, statements)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	dump, err := os.ReadFile("testdata/schema1.sql")
	if err != nil {
		t.Fatal(err)
	}
	query("SET SESSION AUTHORIZATION " + postgres.Role + ";\n" + string(dump))
	query(fmt.Sprint("UPDATE muster.version SET format = ", store.Format)) // these tests are about tables, not about what is in their records
	return server.URL(name), query
}

// shape returns what a database has of tables and views.
func shape(query func(string) string) string {
	var all []string
	for _, of := range []string{
		"SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'muster' ORDER BY 1, 2",
		"SELECT indexdef FROM pg_indexes WHERE schemaname = 'muster' ORDER BY 1",
		"SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'muster'::regnamespace ORDER BY 1",
		"SELECT viewname, definition FROM pg_views WHERE schemaname = 'muster' ORDER BY 1",
		"SELECT schema, least, format FROM muster.version",
	} {
		all = append(all, query(of))
	}
	return strings.Join(all, "\n")
}

// openAs opens the store as a release with certain steps does.
func openAs(t *testing.T, database, name string, shared bool, s steps) (*Store, error) {
	t.Helper()
	store, err := open(t.Context(), Options{Database: database, Node: name, Shared: shared, Version: fmt.Sprint("makes ", s.last)}, s)
	if err == nil {
		t.Cleanup(func() { _ = store.Close() }) // a test may have closed it
	}
	return store, err
}

// later returns the steps of a later release, which add columns.
func later(t *testing.T, last int) steps {
	t.Helper()
	files := fstest.MapFS{}
	for version := 1; version <= last; version++ {
		name := fmt.Sprintf("schema/%04d.sql", version)
		text, err := fs.ReadFile(schemaFiles, name)
		if err != nil {
			text = fmt.Appendf(nil, "ALTER TABLE muster.queue ADD COLUMN added%[1]d integer; ALTER TABLE muster.execution ADD COLUMN added%[1]d integer;", version)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return steps{files, last}
}

func TestTablesOfAFormerReleaseAreMigrated(t *testing.T) {
	t.Parallel()
	fresh := postgres.Shared(t)
	name, err := fresh.Create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fresh.Drop(name) })
	if _, err := openAs(t, fresh.URL(name), "node", false, present); err != nil {
		t.Fatal(err)
	}
	want := shape(func(q string) string {
		rows, err := fresh.Query(name, q)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	})
	for how, migrate := range map[string]func(query func(string) string){
		"by a server": func(func(string) string) {},
		"by its operator": func(query func(string) string) {
			statements, err := Schema(SchemaOptions{From: 1})
			if err != nil {
				t.Fatal(err)
			}
			query("SET SESSION AUTHORIZATION " + postgres.Role + ";" + statements)
		},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, shared %v", how, shared), func(t *testing.T) {
				database, query := ofVersion1(t)
				migrate(query)
				s, err := openAs(t, database, "former", shared, present)
				if err != nil {
					t.Fatal(err)
				}
				if got := shape(query); got != want {
					t.Errorf("the tables are\n%s\nwant as new ones\n%s", got, want)
				}
				if problems, err := store.Verify(t.Context(), s, "fw", "old"); err != nil || len(problems) > 0 {
					t.Errorf("Verify() = %v, %v", problems, err)
				}
				err = store.Update(t.Context(), s, func(tx store.Tx) error {
					x, err := store.LatestOf(tx, "pump", "fw")
					if err != nil || x == nil || x.Details["progress"] != "50 %" {
						return fmt.Errorf("the execution of pump is %+v, %w", x, err)
					}
					q, err := tx.Queues(store.QueueKey{Thing: "pump"})
					ended := *x
					ended.Status, ended.Version = muster.Succeeded, 2
					tx.PutQueue(q[0].With(ended).Revised(0))
					tx.Change(x, &ended)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if problems, err := store.Verify(t.Context(), s, "fw", "old"); err != nil || len(problems) > 0 {
					t.Errorf("Verify() = %v, %v", problems, err)
				}
			})
		}
	}
}

// A migration that was interrupted has done some steps and not the others.
func TestAMigrationThatWasInterruptedContinues(t *testing.T) {
	t.Parallel()
	database, query := ofVersion1(t)
	query("CREATE SCHEMA other; CREATE TABLE other.in_the_way (); GRANT USAGE ON SCHEMA other TO muster")
	three := later(t, 3)
	three.files.(fstest.MapFS)["schema/0003.sql"].Data = []byte("ALTER TABLE muster.queue ADD COLUMN added3 integer; DROP TABLE other.in_the_way")
	if _, err := openAs(t, database, "node", false, three); err == nil {
		t.Fatal("Open() = nil although a step fails")
	}
	if got := query("SELECT schema FROM muster.version"); got != "2" {
		t.Fatalf("the tables have version %s, want 2", got)
	}
	if got := query("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'muster' AND column_name = 'added3'"); got != "0" {
		t.Fatal("a part of a step that failed is there")
	}
	s, err := openAs(t, database, "node", false, later(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := store.Verify(t.Context(), s, "fw", "old"); err != nil || len(problems) > 0 {
		t.Errorf("Verify() = %v, %v", problems, err)
	}
	if got := query("SELECT schema, least FROM muster.version"); got != "3|2" {
		t.Fatalf("the tables have version and least %s, want 3|2", got)
	}
}

// A release waits for a server of the former one, and changes nothing while that goes on.
func TestTablesThatAServerUsesAreNotMigrated(t *testing.T) {
	t.Parallel()
	database, query := ofVersion1(t)
	renew := func() { query("UPDATE muster.node SET expires = now() + interval '2 seconds'") }
	renew()
	renewing, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for renewing.Err() == nil {
			renew()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	for _, shared := range []bool{false, true} {
		if _, err := openAs(t, database, "another", shared, present); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "node former on host vm") {
			t.Errorf("Open() = %v, want ErrInUse with the name of the other one", err)
		}
		if got := query("SELECT schema FROM muster.version"); got != "1" {
			t.Fatalf("the tables have version %s, want 1", got)
		}
	}
	stop()
	<-ended
	if _, err := openAs(t, database, "another", true, present); err != nil {
		t.Errorf("Open() once the former server is gone = %v", err)
	}
}

func write(t *testing.T, s *Store, key string) {
	t.Helper()
	x := muster.Execution{Thing: muster.ThingName(key), Job: "job", Number: 1, Status: muster.Queued, Version: 1}
	wait, err := s.ApplyIn(t.Context(), 0, func(tx store.Tx) error {
		tx.PutQueue(muster.Queue{Thing: x.Thing}.With(x).Revised(0))
		tx.Change(nil, &x)
		tx.Put("table", key, nil)
		_, err := tx.Latest(store.AttemptsKey{Thing: "pump", Job: "fw"})
		for _, failed := range tx.ExecutionsOfJob("job", 0, store.Cursor{}) {
			err = errors.Join(err, failed)
		}
		return err
	})
	if err == nil {
		err = wait()
	}
	if err != nil {
		t.Fatalf("a transaction of a node that %s = %v", s.o.Version, err)
	}
}

// Nodes of a release and of the next one work beside each other, while those of the release
// after that wait until the first ones are gone.
func TestReleasesOneSchemaApartWorkBesideEachOther(t *testing.T) {
	t.Parallel()
	database, query := ofVersion1(t)
	first, err := openAs(t, database, "first", true, present)
	if err != nil {
		t.Fatal(err)
	}
	write(t, first, "a") // whatever it has prepared is used again later
	second, err := openAs(t, database, "second", true, later(t, 3))
	if err != nil {
		t.Fatalf("a release one schema ahead: Open() = %v", err)
	}
	if got := query("SELECT schema, least FROM muster.version"); got != "3|2" {
		t.Fatalf("the tables have version and least %s, want 3|2", got)
	}
	for n := range 3 {
		write(t, first, fmt.Sprint("b", n))
		write(t, second, fmt.Sprint("c", n))
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if first, err = openAs(t, database, "first", true, present); err != nil {
		t.Fatalf("a release one schema behind: Open() = %v", err)
	}
	write(t, first, "d")

	_, err = openAs(t, database, "third", true, later(t, 4))
	if err == nil || !strings.Contains(err.Error(), "node first on host") || !strings.Contains(err.Error(), "too far from it") {
		t.Fatalf("a release two schemas ahead of a live node: Open() = %v, want an error that names it", err)
	}
	if got := query("SELECT schema FROM muster.version"); got != "3" {
		t.Fatalf("the tables have version %s, want 3", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := openAs(t, database, "third", true, later(t, 4))
	if err != nil {
		t.Fatalf("once the first is gone: Open() = %v", err)
	}
	write(t, second, "e")
	write(t, third, "f")
	if _, err := openAs(t, database, "first", true, present); err == nil || !strings.Contains(err.Error(), "its tables have version 4; this release knows 2") {
		t.Errorf("a release two schemas behind: Open() = %v, want an error that says so", err)
	}
}

// Whoever reads a table for long does not make a migration hold up all others.
func TestAMigrationDoesNotHoldOthersUp(t *testing.T) {
	t.Parallel()
	database, _ := ofVersion1(t)
	first, err := openAs(t, database, "first", true, present)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	err = first.View(t.Context(), func(r store.Reader) error {
		if _, err := r.Queues(store.QueueKey{Thing: "pump"}); err != nil {
			return err
		}
		go func() {
			_, err := openAs(t, database, "second", true, later(t, 3))
			opened <- err
		}()
		for began := time.Now(); time.Since(began) < 3*time.Second; {
			tried := time.Now()
			if err := store.Update(t.Context(), first, func(tx store.Tx) error {
				_, err := tx.Queues(store.QueueKey{Thing: "pump"})
				tx.Put("table", "k", nil)
				return err
			}); err != nil {
				return err
			}
			if took := time.Since(tried); took > 2*stepWait {
				t.Errorf("a transaction took %v while a migration waits", took)
			}
			time.Sleep(50 * time.Millisecond)
		}
		select {
		case err := <-opened:
			t.Errorf("Open() = %v while a table is being read", err)
		default:
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Open() = %v", err)
	}
}

func TestSchemaOfNothingIsRefused(t *testing.T) {
	for _, from := range []int{-1, schemaVersion, schemaVersion + 1} {
		if _, err := Schema(SchemaOptions{From: from}); err == nil {
			t.Errorf("Schema(From: %d) = nil", from)
		}
	}
}

// Whoever may not change the tables is told who prints what is missing.
func TestAServerThatMayNotMigrateSaysWhatToDo(t *testing.T) {
	t.Parallel()
	database, query := ofVersion1(t)
	// REASSIGN OWNED would take the databases of other tests, too.
	query(`DO $$ DECLARE name regclass; BEGIN
			FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'muster'::regnamespace AND relkind IN ('r', 'v', 'S') LOOP
				EXECUTE 'ALTER TABLE ' || name || ' OWNER TO postgres';
			END LOOP;
		END $$;
		ALTER SCHEMA muster OWNER TO postgres; GRANT USAGE ON SCHEMA muster TO muster;
		GRANT ALL ON ALL TABLES IN SCHEMA muster TO muster; GRANT ALL ON ALL SEQUENCES IN SCHEMA muster TO muster`)
	if _, err := openAs(t, database, "node", false, present); err == nil || !strings.Contains(err.Error(), "muster admin schema --from 1") {
		t.Errorf("Open() = %v, want an error that says what to do", err)
	}
	statements, err := Schema(SchemaOptions{From: 1, User: postgres.Role})
	if err != nil {
		t.Fatal(err)
	}
	query(statements)
	s, err := openAs(t, database, "node", true, present)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, "a")
	if wait, err := s.ApplyAlone(t.Context(), func(tx store.Tx) error { tx.Put("table", "k", nil); return nil }); err != nil || wait() != nil {
		t.Errorf("ApplyAlone() = %v", err)
	}
	if _, err := s.Beat(t.Context(), store.Beat{Take: []string{"a"}}); err != nil {
		t.Errorf("Beat() = %v", err)
	}
}

func TestAClockThatIsWrongIsRefused(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		ours time.Duration // ahead of the database
		took time.Duration
		want string
	}{
		{0, 0, ""},
		{59 * time.Second, time.Second, ""},
		{-59 * time.Second, time.Second, ""},
		{2 * time.Minute, time.Millisecond, "is 2m0s ahead of the database's"},
		{-90 * time.Second, 10 * time.Second, "is 1m25s behind the database's"},
		{59 * time.Second, 4 * time.Second, ""}, // it may be the answer that took long
	} {
		err := checkClock(now.Add(test.ours), test.took, now)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("a clock %v ahead: %v, want %q", test.ours, err, test.want)
		}
	}
}
