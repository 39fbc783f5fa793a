package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

const table store.Table = "table"

func open(t *testing.T, database, node string) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: node})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // a test may have closed it
	return s
}

func put(key, value string) func(store.Tx) error {
	return func(tx store.Tx) error { tx.Put(table, key, []byte(value)); return nil }
}

func keys(t *testing.T, s store.Store) (all []string) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		all = nil
		for rec, err := range r.Scan(table, "", "") {
			if err != nil {
				return err
			}
			all = append(all, rec.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What becomes of a commit is known, wherever the connection is lost. Each run of the
// function writes a key of its own, so what took place twice would leave two.
func TestALostCommitIsNeitherForgottenNorRepeated(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	p, address := newProxy(t, database)
	s := open(t, address, "node")
	if err := store.Update(t.Context(), s, put("a", "")); err != nil { // statements are prepared
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		mode mode
		runs int
		read bool // so the transaction begins before its commit is sent
	}{
		"the answer is lost":                                         {loseAnswer, 1, true},
		"the answer is lost, nothing was read":                       {loseAnswer, 1, false},
		"the request is lost":                                        {loseRequest, 2, true},
		"the request comes when nobody expects it":                   {hold, 2, true},
		"the request comes when nobody expects it, nothing was read": {hold, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			runs := 0
			err := store.Update(t.Context(), s, func(tx store.Tx) error {
				runs++
				if test.read {
					if _, err := tx.Get(table, "a"); err != nil {
						return err
					}
				}
				tx.Put(table, fmt.Sprintf("%s, %s, run %d", name, marker, runs), nil)
				if runs == 1 {
					p.next(test.mode)
				}
				return nil
			})
			p.next(pass)
			if err != nil {
				t.Fatal(err)
			}
			if test.mode == hold {
				p.release()
				time.Sleep(50 * time.Millisecond) // it must do nothing, which nothing tells
			}
			if runs != test.runs {
				t.Errorf("the function ran %d times, want %d", runs, test.runs)
			}
			var kept []string
			for _, key := range keys(t, s) {
				if strings.HasPrefix(key, name+", "+marker) {
					kept = append(kept, key)
				}
			}
			if want := fmt.Sprintf("%s, %s, run %d", name, marker, test.runs); len(kept) != 1 || kept[0] != want {
				t.Errorf("kept are %q, want %q", kept, want)
			}
			if err := store.Update(t.Context(), s, put("a", name)); err != nil {
				t.Errorf("the next transaction fails: %v", err)
			}
		})
	}
}

// A database that restarts is waited for, and what was answered stays.
func TestADatabaseThatRestartsLosesNothing(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t, postgres.Options{})
	s := open(t, server.Database(t), "node")
	stop, all := atomic.Bool{}, sync.WaitGroup{}
	var answered [4][]string
	for i := range answered {
		all.Go(func() {
			for n := 0; !stop.Load(); n++ {
				key := fmt.Sprintf("%d-%d", i, n)
				if err := store.Update(context.Background(), s, put(key, "")); err != nil {
					t.Errorf("a transaction during a restart: %v", err)
					return
				}
				answered[i] = append(answered[i], key)
				if err := s.View(context.Background(), func(r store.Reader) error { _, err := r.Get(table, key); return err }); err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("a view during a restart: %v", err)
				}
			}
		})
	}
	for _, end := range []func() error{
		func() error { return server.Stop(postgres.Fast) },
		func() error { return server.Stop(postgres.Immediate) },
		server.Kill,
	} {
		time.Sleep(100 * time.Millisecond)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond)
	stop.Store(true)
	all.Wait()
	kept := map[string]bool{}
	for _, key := range keys(t, s) {
		kept[key] = true
	}
	total := 0
	for _, mine := range answered {
		total += len(mine)
		for _, key := range mine {
			if !kept[key] {
				t.Errorf("%s was answered and is lost", key)
			}
		}
	}
	if total != len(kept) {
		t.Errorf("%d transactions were answered, and %d took place", total, len(kept))
	}
}

// While the database is away, calls fail in the end, and not each after a long wait.
func TestAnOutageEndsInUnavailable(t *testing.T) {
	t.Parallel()
	p, address := newProxy(t, postgres.Shared(t).Database(t))
	s := open(t, address, "node")
	p.sever(true)
	_, err := s.Apply(t.Context(), put("k", "v"))
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Apply() during an outage = %v, want ErrUnavailable", err)
	}
	began := time.Now()
	err = s.View(t.Context(), func(r store.Reader) error { _, err := r.Get(table, "k"); return err })
	if !errors.Is(err, store.ErrUnavailable) || time.Since(began) > 5*time.Second {
		t.Fatalf("View() later in the outage = %v after %v, want ErrUnavailable at once", err, time.Since(began))
	}
	p.sever(false)
	if err := store.Update(t.Context(), s, put("k", "v")); err != nil {
		t.Fatalf("Update() after the outage = %v", err)
	}
}

// Two transactions that run at the same time in different processes cannot meet in this
// store; another program can. What the database refuses runs again.
func TestWhatTheDatabaseRefusesIsSaid(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"40001": store.ErrAgain, "40P01": store.ErrAgain, "53100": store.ErrFull, "53200": store.ErrUnavailable,
	} {
		t.Run(code, func(t *testing.T) {
			server := postgres.Shared(t)
			database := spoilable(t, server)
			s := open(t, database, "node")
			query(t, server, database, fmt.Sprintf(`
				CREATE SEQUENCE public.rows; GRANT ALL ON SEQUENCE public.rows TO %s;
				CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN IF nextval('public.rows') > 1 THEN RETURN NEW; END IF; RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$;
				CREATE TRIGGER refuse BEFORE INSERT ON muster.record FOR EACH ROW WHEN (NEW.tbl = 'table') EXECUTE FUNCTION public.refuse()`, postgres.Role, code))
			_, err := s.Apply(t.Context(), put("k", "v"))
			if code == "53200" { // tried again, and the sequence has moved on
				if err != nil {
					t.Fatalf("Apply() = %v, want that it is tried again", err)
				}
				return
			}
			if !errors.Is(err, want) {
				t.Fatalf("Apply() = %v, want %v", err, want)
			}
			if err := store.Update(t.Context(), s, put("k", "v")); err != nil {
				t.Errorf("the next transaction fails: %v", err)
			}
		})
	}
}

// A database may refuse connections with any error at all while its disk is full or its operator
// works on it. That is an outage.
func TestADatabaseThatAcceptsNoConnectionsIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	s := open(t, database, "node")
	if err := store.Update(t.Context(), s, put("k", "v")); err != nil {
		t.Fatal(err)
	}
	accept := func(yes bool) {
		t.Helper()
		if _, err := server.Query("postgres", fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %v", nameOf(database), yes)); err != nil {
			t.Fatal(err)
		}
	}
	accept(false)
	if _, err := server.Query("postgres", fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", nameOf(database))); err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	get := func(r store.Reader) error { _, err := r.Get(table, "k"); return err }
	if err := s.View(impatient, get); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("View() = %v, want ErrUnavailable", err)
	}
	done := make(chan error, 2)
	go func() { done <- s.View(t.Context(), get) }()
	go func() { done <- store.Update(t.Context(), s, put("k", "w")) }()
	time.Sleep(50 * time.Millisecond) // they may not have begun, which only makes the test easier
	accept(true)
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("when connections are accepted again: %v", err)
		}
	}
}

// While a disk is full many transactions fail, which must not fill the disk of the log.
func TestAFullDiskIsLoggedOnce(t *testing.T) {
	t.Parallel()
	server := postgres.Shared(t)
	database := spoilable(t, server)
	var log strings.Builder
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "node", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	query(t, server, database, `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON muster.record FOR EACH ROW EXECUTE FUNCTION public.refuse()`)
	for range 3 {
		if _, err := s.Apply(t.Context(), put("k", "v")); !errors.Is(err, store.ErrFull) || strings.Count(err.Error(), store.ErrFull.Error()) != 1 {
			t.Errorf("Apply() = %v, want ErrFull, said once", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "no room"); n != 1 {
		t.Errorf("a full disk is logged %d times:\n%s", n, &log)
	}
}

func TestTextThatTheDatabaseCannotHoldIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Shared(t).Database(t), "node")
	for _, text := range []string{"a\x00b", "a\xffb"} {
		x := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Queued, Version: 1, Details: map[string]string{"k": text}}
		if _, err := s.Apply(t.Context(), func(tx store.Tx) error { tx.Change(nil, &x); return nil }); err == nil {
			t.Errorf("Apply() with the detail %q = nil, want an error", text)
		}
		if err := store.Update(t.Context(), s, put(text, text)); err != nil { // records are bytes
			t.Errorf("a record %q: %v", text, err)
		}
	}
}

func TestAChangeOfWhatIsNotStoredFails(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Shared(t).Database(t), "node")
	x := muster.Execution{Thing: "lamp", Job: "job", Number: 1, Status: muster.Queued, Version: 1}
	y := x
	y.Number = 2
	for name, change := range map[string]struct{ before, after *muster.Execution }{
		"changed though not there": {&x, &x},
		"changed into another":     {&x, &y},
		"deleted though not there": {&x, nil},
		"nothing at all":           {nil, nil},
	} {
		if _, err := s.Apply(t.Context(), func(tx store.Tx) error { tx.Change(change.before, change.after); return nil }); err == nil {
			t.Errorf("%s: Apply() = nil, want an error", name)
		}
	}
}

// What a transaction writes without having read it is refused too, if another one has
// inserted or deleted it since.
func TestABlindWriteIsRefusedToo(t *testing.T) {
	t.Parallel()
	s, err := pgstore.Open(t.Context(), pgstore.Options{Database: postgres.Shared(t).Database(t), Node: "node", Lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, test := range map[string]struct{ before, meanwhile func(store.Tx) error }{
		"inserted": {func(store.Tx) error { return nil }, put("k", "2")},
		"updated":  {put("k", "1"), put("k", "2")},
		"deleted":  {put("k", "1"), func(tx store.Tx) error { tx.Delete(table, "k"); return nil }},
	} {
		clear := func(tx store.Tx) error { tx.Delete(table, "k"); return nil }
		for _, fn := range []func(store.Tx) error{clear, test.before} {
			if err := store.Update(t.Context(), s, fn); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.ApplyIn(t.Context(), 0, func(tx store.Tx) error {
			if _, err := tx.Get(table, "other"); err != nil { // takes the snapshot
				return err
			}
			if err := store.Update(t.Context(), s, test.meanwhile); err != nil {
				return err
			}
			return put("k", "3")(tx)
		})
		if !errors.Is(err, store.ErrAgain) {
			t.Errorf("%s meanwhile: ApplyIn() = %v, want ErrAgain", name, err)
		}
	}
}
