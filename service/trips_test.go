package service

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/teststore"
)

// newCountingEnv returns an env on a store on PostgreSQL, whose round trips are counted.
func newCountingEnv(t *testing.T) (*env, *teststore.Trips) {
	t.Helper()
	s, trips := teststore.Counting(t)
	return newEnvOnJust(t, s, Options{}), trips
}

// Every read that was not asked for beforehand costs a round trip to the database.
func TestRoundTripsOfDevices(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnv(t)
	env.thing("lamp", "door")
	env.job("job1", "lamp", "door")
	trips.Want(t, 2, "StartNext", func() { env.start("lamp") })
	trips.Want(t, 2, "UpdateExecution", func() { env.mustReport("lamp", "job1", muster.Succeeded) })
}

func TestRoundTripsOfWork(t *testing.T) {
	t.Parallel()
	env, trips := newCountingEnv(t)
	env.settleDown()
	trips.Want(t, 1, "work when nothing is due", env.settleDown)
}
