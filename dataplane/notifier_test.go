package dataplane

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/turns"
)

// board is a Publisher that keeps what was published, by topic.
type board struct {
	mu       sync.Mutex
	unwanted map[string]bool
	messages map[string][]string
	unsafe   []func(error) // what is to be told that a message is safe, when kept
	kept     bool
}

func (b *board) Wanted(topic string) bool { return !b.unwanted[topic] }

func (b *board) Kept(topic string) bool { return b.kept && b.Wanted(topic) }

func (b *board) Publish(m gateway.Message, done func(error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsafe = append(b.unsafe, done)
	if b.messages == nil {
		b.messages = map[string][]string{}
	}
	b.messages[m.Topic] = append(b.messages[m.Topic], string(m.Payload))
}

// notes returns notifications of n commits for each of several things.
func notes(n int) (all []jobs.Notification) {
	for i := range n {
		for _, thing := range []muster.ThingName{"a", "b", "c"} {
			all = append(all, jobs.Notification{
				QueueKey: store.QueueKey{Thing: thing}, At: muster.Instant(i * 1000),
				Change: muster.Change{List: true, Next: i == 0},
			})
		}
	}
	return all
}

func TestNotificationsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{unwanted: map[string]bool{notificationTopic(NotifyList, store.QueueKey{Thing: "c"}): true}}
		n := NewNotifier(NotifierOptions{Publisher: b})
		ctx, cancel := context.WithCancel(t.Context())
		running := make(chan struct{})
		go func() { n.Run(ctx); close(running) }()
		for _, note := range notes(100) {
			n.Notify([]jobs.Notification{note})
		}
		synctest.Wait()
		cancel()
		<-running
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprintf(`{"timestamp":%d,"jobs":{}}`, i))
		}
		for _, thing := range []muster.ThingName{"a", "b"} {
			if got := b.messages[notificationTopic(NotifyList, store.QueueKey{Thing: thing})]; !slices.Equal(got, want) {
				t.Errorf("thing %s is notified of %v, want %v", thing, got, want)
			}
		}
		key := store.QueueKey{Thing: "c"}
		if got := b.messages[notificationTopic(NotifyList, key)]; got != nil {
			t.Errorf("what nobody wants is published: %v", got)
		}
		if got := b.messages[notificationTopic(NotifyNext, key)]; !slices.Equal(got, []string{`{"timestamp":0}`}) {
			t.Errorf("thing c is told of its next job by %v, want once", got)
		}
	})
}

// Another has the only turn. What is left of a long list waits for it, and the first few
// do not; when nobody asks, none do.
func TestALongListTakesTurns(t *testing.T) {
	const long = promptMax + 5
	for asked, want := range map[bool]int{true: promptMax, false: long} {
		synctest.Test(t, func(t *testing.T) {
			b := &board{}
			all := turns.New(turns.Options{Processors: 2, Now: time.Now})
			n := NewNotifier(NotifierOptions{Publisher: b, Turns: all})
			all.Asked()
			turn := all.Of()
			turn.Take()
			if !asked {
				time.Sleep(time.Second)
			}
			for i := range long {
				n.Notify([]jobs.Notification{{QueueKey: store.QueueKey{Thing: "a"}, At: muster.Instant(i), Change: muster.Change{List: true}}})
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			ended := make(chan struct{})
			go func() { n.Run(ctx); close(ended) }() // publishes what waits, and ends
			synctest.Wait()
			b.mu.Lock()
			topic := notificationTopic(NotifyList, store.QueueKey{Thing: "a"})
			if got := len(b.messages[topic]); got != want {
				t.Errorf("asked %v: %d of %d notifications were published without a turn, want %d", asked, got, long, want)
			}
			b.mu.Unlock()
			turn.GiveBack()
			<-ended
			if got := len(b.messages[topic]); got != long {
				t.Errorf("asked %v: then %d of %d were published", asked, got, long)
			}
		})
	}
}

func TestABacklogKeepsTheNewestOfEachThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		n := NewNotifier(NotifierOptions{Publisher: b})
		rounds := 2*laneMax + 10
		n.Notify(notes(rounds)) // Run is not running yet
		for i := range n.lanes {
			if held := len(n.lanes[i].waiting); held > laneMax {
				t.Errorf("a lane holds %d notifications of 3 things, want at most %d", held, laneMax)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		n.Run(ctx) // publishes what waits, and ends
		for _, thing := range []muster.ThingName{"a", "b", "c"} {
			key := store.QueueKey{Thing: thing}
			got := b.messages[notificationTopic(NotifyList, key)]
			if want := fmt.Sprintf(`{"timestamp":%d,"jobs":{}}`, rounds-1); len(got) == 0 || got[len(got)-1] != want {
				t.Errorf("the last list that thing %s hears of is not the newest, %s", thing, want)
			}
			if got := len(b.messages[notificationTopic(NotifyNext, key)]); got != 1 {
				t.Errorf("thing %s is told %d times of its next job, want once", thing, got)
			}
		}
	})
}

func TestThinningKeepsTheHeadThatIsOwed(t *testing.T) {
	key := store.QueueKey{Thing: "a"}
	head := &muster.Execution{Job: "fw"}
	got := newest([]jobs.Notification{
		{QueueKey: key, At: 1, Change: muster.Change{Next: true}, Head: head},
		{QueueKey: key, At: 2, Change: muster.Change{List: true}},
	})
	if len(got) != 1 || got[0].At != 2 || got[0].Head != head || !got[0].List || !got[0].Next {
		t.Errorf("newest = %+v, want one that owes both and shows the head of the first", got)
	}
}

func TestANotificationIsDeliveredWhenAllItsMessagesAreSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{kept: true, unwanted: map[string]bool{notificationTopic(NotifyNext, store.QueueKey{Thing: "b"}): true}}
		delivered := 0
		n := NewNotifier(NotifierOptions{Publisher: b, Delivered: func(jobs.Notification) { delivered++ }})
		if change := (muster.Change{Next: true}); !n.Keep(store.QueueKey{Thing: "a"}, change) || n.Keep(store.QueueKey{Thing: "b"}, change) {
			t.Error("Keep is not true for a, or not false for b")
		}
		ctx, cancel := context.WithCancel(t.Context())
		running := make(chan struct{})
		go func() { n.Run(ctx); close(running) }()
		n.Notify(notes(1)[:1]) // owes a list and a head
		n.Notify([]jobs.Notification{{QueueKey: store.QueueKey{Thing: "b"}, Change: muster.Change{Next: true}}})
		synctest.Wait()
		if delivered != 1 || len(b.unsafe) != 2 {
			t.Fatalf("%d delivered and %d sent; want the one delivered that nobody wants, and two sent", delivered, len(b.unsafe))
		}
		b.unsafe[1](nil)
		if delivered != 1 {
			t.Error("delivered while one of two messages is not safe")
		}
		b.unsafe[0](nil)
		if delivered != 2 {
			t.Error("not delivered though both messages are safe")
		}
		cancel()
		<-running
	})
}
