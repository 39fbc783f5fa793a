package storetest_test

import (
	"testing"
	"time"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// What a site promises is what the simulations of several processes rest on.
func TestSite(t *testing.T) {
	storetest.RunShared(t, func(*testing.T) func() store.Shared {
		site := storetest.NewSite(memstore.New(), time.Now, 2, 1, time.Millisecond)
		return func() store.Shared { return site.Join() }
	})
}
