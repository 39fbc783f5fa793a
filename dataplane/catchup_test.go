package dataplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// What may have been missed is asked for from the revision on that was told last.
func TestFollowed(t *testing.T) {
	b := &board{topics: []string{
		"$aws/things/lamp/jobs/notify", "$aws/things/lamp/jobs/notify-next", "$aws/things/pump/jobs/notify-next", "$aws/things/pump/jobs/notify-namespace-s",
		"$aws/things/pump/jobs/get/accepted", "$aws/things/pump/shadow/update", "news",
	}}
	n := NewNotifier(NotifierOptions{Publisher: b})
	lamp, pump := store.QueueKey{Thing: "lamp"}, store.QueueKey{Thing: "pump"}
	ended, end := context.WithCancel(t.Context())
	end()
	tell := func(key store.QueueKey, change muster.Change, rev int64) {
		n.Notify([]jobs.Notification{{QueueKey: key, Queue: muster.Queue{Thing: key.Thing, Rev: rev}, HeadRev: rev, Change: change}})
		_ = n.Run(ended) // publishes what waits
	}
	both := muster.Change{List: true, Next: true}
	tell(lamp, both, 7)
	tell(lamp, muster.Change{List: true}, 8)
	got := n.Followed()
	slices.SortFunc(got, func(a, b jobs.News) int {
		return cmp.Or(cmp.Compare(a.Thing, b.Thing), cmp.Compare(a.Namespace, b.Namespace))
	})
	want := []jobs.News{{QueueKey: lamp, Change: both, After: 7}, {QueueKey: pump, Change: muster.Change{Next: true}}, {QueueKey: store.QueueKey{Thing: "pump", Namespace: "s"}, Change: muster.Change{List: true}}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	tell(pump, both, 3)
	tell(lamp, both, 8)
	got = n.Followed()
	for _, q := range got {
		if want := map[store.QueueKey]int64{lamp: 8, pump: 3}[q.QueueKey]; q.After != want {
			t.Errorf("%v was told revision %d, want %d", q.QueueKey, q.After, want)
		}
	}
}

func TestWants(t *testing.T) {
	n := NewNotifier(NotifierOptions{Publisher: &board{unwanted: map[string]bool{"$aws/things/lamp/jobs/notify": true}}})
	lamp := store.QueueKey{Thing: "lamp"}
	for change, want := range map[muster.Change]bool{
		{}: false, {List: true}: false, {Next: true}: true, {List: true, Next: true}: true,
	} {
		if got := n.Wants(lamp, change); got != want {
			t.Errorf("Wants(%v) = %v, want %v", change, got, want)
		}
	}
}

// Of several equal processes each allows its part.
func TestRatesAreDivided(t *testing.T) {
	s := New(Options{ReadsPerSecond: 4, WritesPerSecond: 2})
	s.Divide(2)
	for kind, want := range map[Kind]int{GetPending: 2, Update: 1} {
		allowed := 0
		for range 10 {
			if s.throttle(kind).Allow(time.Unix(1_790_000_000, 0)) {
				allowed++
			}
		}
		if allowed != want {
			t.Errorf("%d requests of kind %d are allowed at once, want %d", allowed, kind, want)
		}
	}
}

// BenchmarkWants is what a thing that another node tells of costs if nobody here listens to it.
func BenchmarkWants(b *testing.B) {
	g, err := gateway.New(b.Context(), gateway.Options{Authorizer: nobody{}})
	if err != nil {
		b.Fatal(err)
	}
	n := NewNotifier(NotifierOptions{Publisher: g})
	keys := make([]store.QueueKey, 512)
	for i := range keys {
		keys[i].Thing = muster.ThingName(fmt.Sprintf("thing-%06d", i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if n.Wants(keys[i%len(keys)], muster.Change{List: true, Next: true}) {
			b.Fatal("somebody listens")
		}
	}
}

// nobody lets nobody connect.
type nobody struct{}

func (nobody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) {
	return nil, errors.New("nobody may")
}
