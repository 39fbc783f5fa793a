package service

import (
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
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

// Of several processes, each delivers what its own sessions are owed.
func TestAProcessLeavesWhatIsOwedToSessionsOfOthers(t *testing.T) {
	site := storetest.NewSite(memstore.New(), time.Now, 2, 1, 0)
	keeps := func(thing muster.ThingName) Options {
		return Options{Audience: audience{keep: func(key store.QueueKey, _ muster.Change) bool { return key.Thing == thing }}}
	}
	first := newEnvOnJust(t, site.Join(), keeps("lamp"))
	first.thing("lamp")
	first.job("a", "lamp")
	first.told()
	for thing, want := range map[muster.ThingName][]string{"pump": nil, "lamp": {"lamp notify QUEUED[a]", "lamp next a QUEUED v1"}} {
		other := newEnvOnJust(t, site.Join(), keeps(thing))
		for range 2 {
			if err := other.Redeliver(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantTold(t, "by the process of "+string(thing), other.told(), want...)
		}
	}
}

// What a process catches up with and delivers is owed no longer, whichever process has written it down.
func TestWhatAnotherProcessOwesIsDeliveredHere(t *testing.T) {
	site := storetest.NewSite(memstore.New(), time.Now, 2, 1, 0)
	keep := audience{keep: func(key store.QueueKey, _ muster.Change) bool { return key.Thing == "lamp" }}
	here, there := newEnvOnJust(t, site.Join(), Options{Audience: keep}), newEnvOnJust(t, site.Join(), Options{Audience: keep})
	there.thing("lamp")
	there.job("a", "lamp")
	var notes []jobs.Notification
	list := jobs.News{QueueKey: store.QueueKey{Thing: "lamp"}, Change: muster.Change{List: true}}
	if err := here.Jobs.CatchUp(t.Context(), []jobs.News{list}, func(n []jobs.Notification) { notes = append(notes, n...) }); err != nil {
		t.Fatal(err)
	}
	here.told()
	here.record(notes)
	wantTold(t, "after CatchUp", here.told(), "lamp notify QUEUED[a]", "lamp next a QUEUED v1") // all that is owed
	for _, n := range notes {
		here.Delivered(n)
	}
	for tries := 100; ; tries-- { // deliveries are not waited for
		if err := here.Redeliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told := here.told(); len(told) == 0 {
			return
		} else if tries == 0 {
			t.Fatalf("after it was delivered, things are told %q", told)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
