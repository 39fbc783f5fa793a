package dataplane

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
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

// Untold returns only queues that somebody here is subscribed to.
func TestUntold(t *testing.T) {
	n := NewNotifier(NotifierOptions{Publisher: &board{unwanted: map[string]bool{
		"$aws/things/lamp/jobs/notify": true, "$aws/things/pump/jobs/notify": true, "$aws/things/pump/jobs/notify-next": true,
	}}})
	lamp, fan := store.QueueKey{Thing: "lamp"}, store.QueueKey{Thing: "fan"}
	ended, end := context.WithCancel(t.Context())
	end()
	list, next, both := muster.Change{List: true}, muster.Change{Next: true}, muster.Change{List: true, Next: true}
	n.Notify([]jobs.Notification{{QueueKey: lamp, HeadRev: 7, Change: next}})
	_ = n.Run(ended) // publishes what waits
	got := n.Untold([]jobs.News{{QueueKey: store.QueueKey{Thing: "pump"}, Change: both}, {QueueKey: lamp, Change: both}, {QueueKey: lamp, Change: list}, {QueueKey: fan, Change: list}})
	if want := []jobs.News{{QueueKey: lamp, Change: next, After: 7}, {QueueKey: fan, Change: list}}; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
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

func TestNotificationTopics(t *testing.T) {
	for key, want := range map[store.QueueKey][2]string{
		{Thing: "lamp"}:                            {"$aws/things/lamp/jobs/notify", "$aws/things/lamp/jobs/notify-next"},
		{Thing: "lamp", Namespace: "site"}:         {"$aws/things/lamp/jobs/notify-namespace-site", "$aws/things/lamp/jobs/notify-next-namespace-site"},
		{Thing: "lamp", Namespace: "site-next"}:    {"$aws/things/lamp/jobs/notify-namespace-site-next", "$aws/things/lamp/jobs/notify-next-namespace-site-next"},
		{Thing: "jobs-notify-next", Namespace: ""}: {"$aws/things/jobs-notify-next/jobs/notify", "$aws/things/jobs-notify-next/jobs/notify-next"},
	} {
		if list, next := notificationTopics(key); [2]string{list, next} != want {
			t.Errorf("the topics of %v are %q and %q, want %q", key, list, next, want)
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

// Who comes from another node is told the newest state once more, and nothing older.
func TestAgain(t *testing.T) {
	b := &board{}
	n := NewNotifier(NotifierOptions{Publisher: b})
	ended, end := context.WithCancel(t.Context())
	end()
	lamp := store.QueueKey{Thing: "lamp"}
	tell := func(rev int64) int {
		n.Notify([]jobs.Notification{{QueueKey: lamp, Queue: muster.Queue{Thing: "lamp", Rev: rev}, Change: muster.Change{List: true}}})
		_ = n.Run(ended) // publishes what waits
		return len(b.messages["$aws/things/lamp/jobs/notify"])
	}
	if first, again := tell(5), tell(5); first != 1 || again != 1 {
		t.Error("what is no news is published")
	}
	got, wide := n.Again([]string{
		"$aws/things/lamp/jobs/notify", "$aws/things/lamp/jobs/get/accepted", "news",
		"$aws/things/lamp/jobs/+/update/+", "$aws/things/lamp/jobs/start-next/+", "$aws/things/lamp/shadow/#",
	})
	if want := []jobs.News{{QueueKey: lamp, Change: muster.Change{List: true}}}; !slices.Equal(got, want) || wide {
		t.Errorf("Again = %v, %v, want %v", got, wide, want)
	}
	if tell(4) != 1 {
		t.Error("an older state is published after a newer one")
	}
	if first, again := tell(5), tell(5); first != 2 || again != 2 {
		t.Error("the newest state is not published once more")
	}
	if got, wide := n.Again([]string{"$aws/things/+/jobs/notify"}); len(got) > 0 || !wide {
		t.Errorf("of a filter with a wildcard, Again = %v, %v", got, wide)
	}
	if tell(4) != 2 || tell(5) != 3 {
		t.Error("the newest state is not published once more to who has subscribed with a wildcard")
	}
	other := []jobs.News{{QueueKey: store.QueueKey{Thing: "pump"}, Change: muster.Change{List: true, Next: true}}}
	if got, wide := n.Again([]string{"$aws/things/pump/jobs/#"}); !slices.Equal(got, other) || !wide {
		t.Errorf("of a filter that names a thing, Again = %v, %v", got, wide)
	}
	if tell(5) != 3 {
		t.Error("the newest state is published once more because of another thing")
	}
	if n.Again([]string{"$aws/things/lamp/#"}); tell(5) != 4 {
		t.Error("the newest state is not published once more to who has subscribed to all of the thing")
	}
}

// What is owed to somebody at another process is not taken to be delivered because nobody is here.
func TestWhatIsOwedElsewhere(t *testing.T) {
	var delivered []int64
	b := &board{unwanted: map[string]bool{"$aws/things/lamp/jobs/notify": true}}
	n := NewNotifier(NotifierOptions{
		Publisher: b, Delivered: func(note jobs.Notification) { delivered = append(delivered, note.Queue.Rev) },
		Elsewhere: func(key store.QueueKey, c muster.Change) bool { return key.Thing == "lamp" && c.List },
	})
	n.Notify([]jobs.Notification{
		{QueueKey: store.QueueKey{Thing: "lamp"}, Queue: muster.Queue{Rev: 1}, Change: muster.Change{List: true}},
		{QueueKey: store.QueueKey{Thing: "lamp"}, Queue: muster.Queue{Rev: 2}},
	})
	if want := []int64{2}; !slices.Equal(delivered, want) {
		t.Errorf("delivered %v, want %v", delivered, want)
	}
}

func TestForNotifications(t *testing.T) {
	for filter, want := range map[string]bool{
		"$aws/things/lamp/jobs/notify":          true,
		"$aws/things/+/jobs/notify-next":        true,
		"$aws/things/+/jobs/notify-namespace-a": true,
		"$aws/things/lamp/jobs/+":               true,
		"$aws/things/lamp/jobs/#":               true,
		"$aws/things/lamp/jobs/notify-next/#":   true,
		"$aws/#":                                true,
		"+/+/+/+/+":                             true,
		"$aws/things/lamp/jobs":                 false,
		"$aws/things/lamp/+/get":                false,
		"$aws/things/lamp/jobs/start-next/+":    false,
		"$aws/things/lamp/jobs/+/update/+":      false,
		"$aws/things/lamp/jobs/notify-next/+":   false,
		"$aws/things/lamp/shadow/#":             false,
		"$aws/rules/#":                          false,
	} {
		if got := ForNotifications(filter); got != want {
			t.Errorf("ForNotifications(%q) = %v, want %v", filter, got, want)
		}
	}
}
