package pebblestore_test

import (
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/pebblestore"
	"github.com/muster-iot/muster/store/storetest"
)

// open opens a store, on turns that are contended if o has none.
func open(t *testing.T, dir string, o pebblestore.Options) *pebblestore.Store {
	t.Helper()
	if o.Turns == nil {
		o.Turns = contended(t)
	}
	s, err := pebblestore.Open(dir, o)
	if err != nil {
		t.Fatalf("Open(%q) = %v", dir, err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, "data", pebblestore.Options{FS: vfs.NewMem()})
	})
}

func TestReopen(t *testing.T) {
	storetest.Reopen(t, func(t *testing.T) func() store.Store {
		dir := filepath.Join(t.TempDir(), "data")
		return func() store.Store { return open(t, dir, pebblestore.Options{}) }
	})
}
