package pebblestore

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
)

// A snapshot keeps old versions of records in the tables. So none is kept but that of the
// newest commit, and those that somebody reads.
func TestSnapshotsAreReleased(t *testing.T) {
	s, err := Open("data", Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	want := func(when string, snapshots int, newest string) {
		t.Helper()
		if n := s.db.Metrics().Snapshots.Count; n != snapshots {
			t.Errorf("%s there are %d snapshots, want %d", when, n, snapshots)
		}
		var got []byte
		if err := s.View(t.Context(), func(r store.Reader) (err error) { got, err = r.Get("table", "key"); return err }); err != nil || string(got) != newest {
			t.Errorf("%s a view shows %q, %v, want %q", when, got, err, newest)
		}
	}
	put := func(value string) (wait func() error) {
		t.Helper()
		wait, err := s.Apply(t.Context(), func(tx store.Tx) error { tx.Put("table", "key", []byte(value)); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	want("at first", 1, "")
	reading := func(store.Reader) error {
		for _, value := range []string{"a", "b", "c"} {
			if err := put(value)(); err != nil {
				return err
			}
		}
		want("while somebody reads the first state", 2, "c")
		return nil
	}
	if err := s.View(t.Context(), reading); err != nil {
		t.Fatal(err)
	}
	want("when nobody reads it any more", 1, "c")
	first, second, third := put("d"), put("e"), put("f")
	if err := third(); err != nil {
		t.Fatal(err)
	}
	want("when the last of three commits is waited for", 1, "f")
	if err := errors.Join(first(), second()); err != nil {
		t.Fatal(err)
	}
	want("when the others are waited for, too", 1, "f")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
