package commit

import (
	"context"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store/memstore"
)

func TestStats(t *testing.T) {
	refusals := 3
	c := running(t, Options{Store: &picky{memstore.New(), func(int) bool { refusals--; return refusals >= 0 }}, Now: func() muster.Instant { return 1 }})
	if err := c.Do(context.Background(), func(tx *Tx) error { records.Put(tx, "lamp", "on"); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := c.Stats(), (Stats{Lanes: 1, Refused: 3}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}
