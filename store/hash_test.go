package store_test

import (
	"hash/fnv"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func TestHashesStay(t *testing.T) {
	if got := store.HashOf("lamp"); got != 1810951995 {
		t.Errorf("HashOf(lamp) = %d", got)
	}
	for _, name := range []string{"", "lamp", "pump-0000017", "a:b_c", "\xff\x00"} {
		h := fnv.New32a()
		_, _ = h.Write([]byte(name))
		if got, want := store.HashOf(muster.ThingName(name)), h.Sum32(); got != want {
			t.Errorf("HashOf(%q) = %d, want %d", name, got, want)
		}
	}
}
