package sessionstore_test

import (
	"testing"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/sessiontest"
	"github.com/muster-iot/muster/sessionstore"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/pebblestore"
)

func TestInMemory(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) func() gateway.SessionStore {
		s := memstore.New()
		t.Cleanup(func() { s.Close() })
		return func() gateway.SessionStore { return sessionstore.On(s) }
	})
}

func TestInPebble(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) func() gateway.SessionStore {
		dir := t.TempDir()
		var s *pebblestore.Store
		t.Cleanup(func() { s.Close() })
		return func() gateway.SessionStore {
			if s != nil {
				s.Close()
			}
			var err error
			if s, err = pebblestore.Open(dir, pebblestore.Options{}); err != nil {
				t.Fatal(err)
			}
			return sessionstore.On(s)
		}
	})
}
