package memstore_test

import (
	"testing"

	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

func TestSkewed(t *testing.T) {
	storetest.RunLaned(t, func(*testing.T) store.Laned { return storetest.Skewed(memstore.New(), 3, 1, 0) })
}
