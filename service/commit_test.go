package service

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// What goes wrong in a transaction is logged when its outcome is known, once,
// however often it ran.
func TestFaultsAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	env := newEnvOn(t, newStore(t), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	err := env.Commits.Do(t.Context(), func(tx *commit.Tx) error {
		things.Put(tx, "lamp", muster.Thing{Name: "lamp"})
		panic("out of luck")
	})
	wantKind(t, "a command that panics", err, muster.Internal)
	env.dynamic("group", "thingName:lamp")
	env.write(func(tx store.Tx) {
		g, err := groups.Get(tx, "group")
		if err != nil {
			return // the transaction is refused, and runs again
		}
		g.Dynamic.Query = "no (query"
		groups.Put(tx, "group", *g)
	})
	same := func(c muster.IndexingConfig) muster.IndexingConfig { return c }
	noErr(t, "UpdateIndexingConfiguration, which reads the queries again", env.UpdateIndexingConfiguration(t.Context(), same))
	env.stop()
	for _, line := range []string{"command panicked", "out of luck", "cannot be read any more"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("the log says %q %d times, want once:\n%s", line, n, log.String())
		}
	}
	if _, err := env.DescribeThing(t.Context(), "lamp"); err == nil {
		t.Error("what the command wrote before its fault is there")
	}
}
