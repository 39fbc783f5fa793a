package service

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// A process that stops before a kept subscriber has its message tells it again;
// one that was told is not told again.
func TestWhatIsOwedOutlivesTheProcess(t *testing.T) {
	s := newStore(t)
	var undelivered []jobs.Notification
	keep := func(key store.QueueKey, _ muster.Change) bool { return key.Thing == "lamp" }
	env := newEnvOn(t, s, Options{Audience: audience{keep: keep, notify: func(n []jobs.Notification) { undelivered = append(undelivered, n...) }}})
	env.thing("lamp", "pump")
	env.job("job1", "lamp", "pump")
	env.job("job2", "lamp")
	env.write(func(store.Tx) {}) // what was owed before it has been handed to Notify

	again := newEnvOn(t, s, Options{Audience: audience{keep: keep}})
	if err := again.Redeliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantTold(t, "after a restart", again.told(), "lamp notify QUEUED[job1,job2]", "lamp next job1 QUEUED v1")

	for _, n := range undelivered {
		env.Delivered(n)
	}
	env.write(func(store.Tx) {}) // after the deliveries
	if err := again.Redeliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantTold(t, "after it was delivered", again.told())
}
