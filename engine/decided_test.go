package engine

import (
	"testing"

	"github.com/muster-iot/muster"
)

// What AWS leaves open and arbitration A26 decides.

func TestADeviceCannotQueueItsExecution(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.jobOf(muster.Snapshot, "fix", "lamp")
	for _, step := range []func(){func() {}, func() { env.start("lamp") }} {
		step()
		_, err := env.report("lamp", "fix", muster.Queued)
		wantKind(t, "a report of QUEUED", err, muster.Invalid)
	}
}

func TestAThingThatNeverConnectedIsNotDisconnected(t *testing.T) {
	env := newEnv(t)
	env.register("site", "north", "came", "never")
	env.connections(came("came", "1", 1000))
	env.connections(went("came", "1", 2000))
	env.settleDown()
	for query, want := range map[string]int{"connectivity.connected:false": 1, "connectivity.connected:true": 0, "NOT connectivity.connected:true": 2} {
		found, err := env.SearchIndex(t.Context(), IndexQuery{Text: query}, Page{})
		if err != nil || len(found.Things) != want {
			t.Errorf("%s finds %+v, %v; want %d things", query, found.Things, err, want)
		}
	}
}
