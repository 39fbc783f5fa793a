package pgstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pgstore"
)

// The second server on a database is refused as long as the first one renews its row.
func TestOneServerOnADatabase(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	first := open(t, database, "first")
	if _, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "second"}); !errors.Is(err, pgstore.ErrInUse) {
		t.Fatalf("Open() beside another server = %v, want ErrInUse", err)
	}
	if err := store.Update(t.Context(), first, put("k", "v")); err != nil {
		t.Errorf("the first server afterwards: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	open(t, database, "second")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Open() after the first server has closed took %v; it need not wait", took)
	}
}

// A server whose network is cut is taken for dead when its row has expired. When it comes
// back it can commit nothing, and says so.
func TestAServerThatWasTakenOverStops(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	p, address := newProxy(t, database)
	first := open(t, address, "first")
	if err := store.Update(t.Context(), first, put("k", "first")); err != nil {
		t.Fatal(err)
	}
	p.sever(true)
	second := open(t, database, "second") // waits until the row of the first has expired
	p.sever(false)
	if _, err := first.Apply(t.Context(), put("k", "zombie")); !errors.Is(err, store.ErrStopped) {
		t.Errorf("Apply() of the first server = %v, want ErrStopped", err)
	}
	if err := first.View(t.Context(), func(store.Reader) error { return nil }); !errors.Is(err, store.ErrStopped) {
		t.Errorf("View() of the first server = %v, want ErrStopped", err)
	}
	if err := store.Update(t.Context(), second, put("l", "second")); err != nil {
		t.Errorf("the second server: %v", err)
	}
	if got := keys(t, second); len(got) != 2 {
		t.Errorf("the keys are %q, want k and l", got)
	}
}

// A server that has nothing to commit notices it too, and says so.
func TestAnIdleServerThatWasTakenOverStops(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	said := make(chan error, 2)
	first, err := pgstore.Open(t.Context(), pgstore.Options{Database: database, Node: "node", Fatal: func(err error) { said <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()                 // nothing was written
	second := open(t, database, "node") // of the same name, so the first is known to be gone
	if err := <-said; !errors.Is(err, store.ErrStopped) {
		t.Errorf("Fatal is told %v, want ErrStopped", err)
	}
	if err := first.View(t.Context(), func(store.Reader) error { return nil }); !errors.Is(err, store.ErrStopped) {
		t.Errorf("View() of the first server = %v, want ErrStopped", err)
	}
	if _, err := first.Apply(t.Context(), put("k", "zombie")); !errors.Is(err, store.ErrStopped) {
		t.Errorf("Apply() of the first server = %v, want ErrStopped", err)
	}
	if len(said) > 0 {
		t.Errorf("Fatal is told again: %v", <-said)
	}
	if err := store.Update(t.Context(), second, put("k", "v")); err != nil {
		t.Errorf("the second server: %v", err)
	}
}

// A commit that is on its way when another server takes over does not take place after
// that server has begun to read.
func TestACommitOnItsWayDoesNotOvertakeTheNextServer(t *testing.T) {
	t.Parallel()
	database := postgres.Shared(t).Database(t)
	p, address := newProxy(t, database)
	first := open(t, address, "node")
	if err := store.Update(t.Context(), first, put("a", "")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := first.Apply(t.Context(), func(tx store.Tx) error {
			p.next(hold)
			tx.Put(table, marker, nil)
			return nil
		})
		done <- err
	}()
	for p.holding() == 0 {
		time.Sleep(time.Millisecond)
	}
	second := open(t, database, "node")
	p.release()
	if err := <-done; !errors.Is(err, store.ErrStopped) {
		t.Errorf("Apply() of the first server = %v, want ErrStopped", err)
	}
	if got := keys(t, second); len(got) != 1 {
		t.Errorf("the keys are %q, want a only", got)
	}
}
