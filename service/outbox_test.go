package service

import (
	"slices"
	"sync/atomic"
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

// debtors are two processes, of whose sessions each keeps what lamp is told, when its first job was created.
type debtors struct {
	t     *testing.T
	clock atomic.Int64 // nanoseconds since testEpoch
	all   [2]*env
	notes []jobs.Notification // to the sessions of the first one
}

func newDebtors(t *testing.T) *debtors {
	d := &debtors{t: t}
	site := storetest.NewSite(memstore.New(), func() time.Time { return testEpoch.Time().Add(time.Duration(d.clock.Load())) }, 2, 1, 0)
	keep := audience{keep: func(key store.QueueKey, _ muster.Change) bool { return key.Thing == "lamp" }}
	for i := range d.all {
		d.all[i] = newEnvOnJust(t, site.Join(), Options{Audience: keep})
	}
	d.all[1].thing("lamp")
	d.all[1].job("a", "lamp")
	list := jobs.News{QueueKey: store.QueueKey{Thing: "lamp"}, Change: muster.Change{List: true}}
	if err := d.all[0].Jobs.CatchUp(t.Context(), []jobs.News{list}, func(n []jobs.Notification) { d.notes = append(d.notes, n...) }); err != nil {
		t.Fatal(err)
	}
	return d
}

// deliver has the first process deliver, some time after it last did.
func (d *debtors) deliver(after time.Duration) {
	d.clock.Add(int64(after))
	d.all[0].write(func(store.Tx) {}) // which shows it the time
	for _, n := range d.notes {
		d.all[0].Delivered(n)
	}
}

// redelivered is what a process tells again.
func (d *debtors) redelivered(i int) []string {
	d.t.Helper()
	d.all[i].told()
	if err := d.all[i].Redeliver(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return d.all[i].told()
}

// owed is what the sessions of both are told.
var owed = []string{"lamp notify QUEUED[a]", "lamp next a QUEUED v1"}

// What a process catches up with and delivers is owed no longer, whichever process has written it down.
func TestWhatAnotherProcessOwesIsDeliveredHere(t *testing.T) {
	d := newDebtors(t)
	d.all[0].told()
	d.all[0].record(d.notes)
	wantTold(t, "after CatchUp", d.all[0].told(), owed...) // all that is owed
	d.deliver(0)
	for tries := 100; ; tries-- { // deliveries are not waited for
		d.deliver(time.Minute)
		if told := d.redelivered(0); len(told) == 0 {
			return
		} else if tries == 0 {
			t.Fatalf("after it was delivered, things are told %q", told)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// What one process has delivered to its sessions, or to nobody, may be owed to those of another one. If that
// ends before it has stored it, who has them then finds it.
func TestWhatOneProcessHasDeliveredIsOwedToSessionsOfAnother(t *testing.T) {
	d := newDebtors(t)
	d.deliver(0)
	d.deliver(29 * time.Second)
	time.Sleep(20 * time.Millisecond) // deliveries are not waited for
	wantTold(t, "by another process", d.redelivered(1), owed...)
}

// A debt that has grown since it was delivered is a new one.
func TestADebtThatGrowsRemainsForLonger(t *testing.T) {
	d := newDebtors(t)
	d.deliver(0)
	d.all[1].job("b", "lamp")
	d.deliver(time.Minute)
	time.Sleep(20 * time.Millisecond) // deliveries are not waited for
	wantTold(t, "by another process", d.redelivered(1), "lamp notify QUEUED[a,b]", "lamp next a QUEUED v1")
}

// What another process owes is found without news of it, until it is settled.
func TestOwed(t *testing.T) {
	d := newDebtors(t)
	for _, env := range d.all {
		got, err := env.Jobs.Owed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []jobs.News{{QueueKey: store.QueueKey{Thing: "lamp"}, Change: muster.Change{List: true, Next: true}}}
		if !slices.Equal(got, want) {
			t.Errorf("Owed() = %v, want %v", got, want)
		}
	}
	for tries := 100; ; tries-- { // deliveries are not waited for
		d.deliver(time.Minute)
		if got, err := d.all[1].Jobs.Owed(t.Context()); err != nil || len(got) > 0 && tries == 0 {
			t.Fatalf("after the delivery, Owed() = %v, %v", got, err)
		} else if len(got) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
