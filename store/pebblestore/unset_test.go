package pebblestore

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/storetest"
)

// openLogging opens a store that is flushed often, and returns what it logs as an error.
// That is to be read when the store is closed.
func openLogging(t *testing.T) (*Store, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := Open("data", Options{
		FS:            vfs.NewMem(),
		MemTableBytes: 256 << 10,
		Logger:        slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// merge writes all that is in the store to the lowest level, where each removal has met what
// it removes.
func merge(t *testing.T, s *Store) {
	t.Helper()
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
}

// Whatever happens to executions, each place and each timer is set once between two removals.
// Otherwise Pebble would say so when they meet, and older ones might come back.
func TestPlacesAndTimersAreSetOnce(t *testing.T) {
	s, log := openLogging(t)
	h := storetest.NewHistory(1)
	for h.Steps() < 400 {
		if _, err := h.Step(s); err != nil {
			t.Fatal(err)
		}
		if h.Steps()%50 == 0 {
			merge(t, s)
		}
	}
	merge(t, s)
	viewOf(t, s, func(r store.Reader) error {
		_, err := h.Check(r)
		return err
	})
	if problems, err := store.Verify(t.Context(), s); err != nil || len(problems) > 0 {
		t.Errorf("Verify = %v, %v", problems, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("logged:\n%s", log)
	}
}

// A place that is set twice and then removed is an error of the program, which is logged.
func TestAPlaceThatIsSetTwiceIsLogged(t *testing.T) {
	s, log := openLogging(t)
	key := appendPlaceKey(nil, "job", muster.Queued, store.Cursor{QueuedAt: benchStart, Thing: "lamp", Number: 1})
	for _, write := range []func(*tx){
		func(t *tx) { t.set(key, nil) },
		func(t *tx) { t.set(key, nil) },
		func(t *tx) { t.unset(key) },
	} {
		err := store.Update(t.Context(), s, func(w store.Tx) error {
			write(w.(*tx))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	merge(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(log.Bytes(), []byte("verify the folder")) {
		t.Errorf("logged: %q", log)
	}
}

// A device that starts an execution and ends it adds to a table that two keys have gone, its
// queue and the place of an execution that waits. The snapshot keeps both where they are.
func TestTheStateBetweenLeavesNothing(t *testing.T) {
	s, _ := openLogging(t)
	defer s.Close()
	const n = 20
	executions := make([]muster.Execution, n)
	for i := range executions {
		executions[i] = muster.Execution{
			Thing: muster.ThingName(fmt.Sprint("thing-", i)), Job: "job", Number: 1,
			Status: muster.Queued, Version: 1, QueuedAt: benchStart, UpdatedAt: benchStart,
		}
		put(t, s, nil, &executions[i])
	}
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close()
	for i := range executions {
		started := flip(executions[i], benchStart.Minutes(1))
		done := flip(started, benchStart.Minutes(2))
		put(t, s, &executions[i], &started)
		put(t, s, &started, &done)
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	levels, err := s.db.SSTables(pebble.WithProperties())
	if err != nil {
		t.Fatal(err)
	}
	removed := uint64(0)
	for _, table := range slices.Concat(levels...) {
		removed += table.Properties.NumDeletions
	}
	if want := uint64(2 * n); removed != want {
		t.Errorf("%d keys are removed, want %d", removed, want)
	}
}
