package dataplane

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/turns"
)

// board is a Publisher that keeps what was published, by topic.
type board struct {
	mu       sync.Mutex
	unwanted map[string]bool
	messages map[string][]string
	unsafe   []func(error) // what is to be told that a message is safe, when kept
	kept     bool
	topics   []string // that somebody is subscribed to by name
}

func (b *board) Wanted(topic string) bool { return !b.unwanted[topic] }

func (b *board) Kept(topic string) bool { return b.kept && b.Wanted(topic) }

func (b *board) Subscribed(prefix string) []string {
	return slices.DeleteFunc(slices.Clone(b.topics), func(topic string) bool { return !strings.HasPrefix(topic, prefix) })
}

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
				Change: muster.Change{List: true, Next: i == 0}, Queue: muster.Queue{Thing: thing, Rev: int64(i + 1)}, HeadRev: int64(i + 1),
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

// shown is a notification of one thing that shows its queue as of a revision.
func shown(rev int64, change muster.Change) jobs.Notification {
	return jobs.Notification{
		QueueKey: store.QueueKey{Thing: "lamp"}, At: muster.Instant(rev * 1000), Change: change,
		Queue: muster.Queue{Thing: "lamp", Rev: rev}, HeadRev: rev,
	}
}

// Whatever the order of notifications, a topic shows states that only get newer, and the
// newest of them at last.
func TestAnOlderStateIsNotToldAfterANewerOne(t *testing.T) {
	list, next, both := muster.Change{List: true}, muster.Change{Next: true}, muster.Change{List: true, Next: true}
	given := []jobs.Notification{
		shown(0, both), // an earlier process owed it, and the queue is gone
		shown(2, both), shown(1, both), shown(3, list), shown(2, both), shown(3, both), shown(3, next),
		shown(0, both), shown(7, next), shown(5, both), shown(6, next),
	}
	wantLists, wantNexts := []string{`{"timestamp":0,"jobs":{}}`, `{"timestamp":2,"jobs":{}}`, `{"timestamp":3,"jobs":{}}`, `{"timestamp":5,"jobs":{}}`},
		[]string{`{"timestamp":0}`, `{"timestamp":2}`, `{"timestamp":3}`, `{"timestamp":7}`}
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		delivered := make(chan int64, len(given))
		n := NewNotifier(NotifierOptions{Publisher: b, Delivered: func(n jobs.Notification) { delivered <- n.Queue.Rev }})
		ctx, cancel := context.WithCancel(t.Context())
		running := make(chan struct{})
		go func() { n.Run(ctx); close(running) }()
		for _, note := range given {
			n.Notify([]jobs.Notification{note})
		}
		synctest.Wait()
		if got := b.messages[notificationTopic(NotifyList, given[0].QueueKey)]; !slices.Equal(got, wantLists) {
			t.Errorf("the lists published are %v, want %v", got, wantLists)
		}
		if got := b.messages[notificationTopic(NotifyNext, given[0].QueueKey)]; !slices.Equal(got, wantNexts) {
			t.Errorf("the heads published are %v, want %v", got, wantNexts)
		}
		if len(delivered) != 5 {
			t.Errorf("%d are delivered before any message is safe, want the 5 that were left out", len(delivered))
		}
		cancel()
		<-running
	})
}

func TestThinningKeepsTheNewestOfBoth(t *testing.T) {
	list, next := muster.Change{List: true}, muster.Change{Next: true}
	for name, given := range map[string][]jobs.Notification{
		"in order":     {shown(4, next), shown(7, next), shown(9, list)},
		"out of order": {shown(9, list), shown(4, next), shown(7, next)},
		"head first":   {shown(7, next), shown(9, list), shown(4, next)},
	} {
		got := newest(given)
		if len(got) != 1 || got[0].Queue.Rev != 9 || got[0].HeadRev != 7 || !got[0].List || !got[0].Next {
			t.Errorf("%s: newest = %+v, want one that owes both and shows the queue of revision 9 and the head of 7", name, got)
		}
	}
}

// subscribers are those of one thing after the other.
type subscribers struct {
	board
	stay, now muster.ThingName
}

func (s *subscribers) Wanted(topic string) bool {
	return topic == notificationTopic(NotifyNext, store.QueueKey{Thing: s.now}) || topic == notificationTopic(NotifyList, store.QueueKey{Thing: s.stay})
}

// What was told is remembered of queues that somebody subscribes to, and of few others.
func TestWhatWasToldIsForgottenWithItsSubscribers(t *testing.T) {
	s := &subscribers{stay: "stays"}
	n := NewNotifier(NotifierOptions{Publisher: s})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tell := func(thing muster.ThingName, rev int64) {
		n.Notify([]jobs.Notification{{
			QueueKey: store.QueueKey{Thing: thing}, Queue: muster.Queue{Thing: thing, Rev: rev}, HeadRev: rev, Change: muster.Change{List: true, Next: true},
		}})
		n.Run(ctx) // publishes what waits, and ends
	}
	tell("stays", 5)
	for i := range 2 * toldMin * lanes {
		s.now = muster.ThingName(fmt.Sprint("thing", i))
		tell(s.now, 1)
	}
	for i := range n.lanes {
		if many := len(n.lanes[i].told); many > toldMin {
			t.Errorf("a lane remembers %d queues, of which at most 2 have subscribers; want at most %d", many, toldMin)
		}
	}
	tell("stays", 4)
	if got := s.messages[notificationTopic(NotifyList, store.QueueKey{Thing: "stays"})]; len(got) != 1 {
		t.Errorf("the thing that stays is told %d times, want once", len(got))
	}
}

// stepwise is a store each of whose transactions waits for a turn, as if a step of
// background work came before it. It gives up after a second and counts that.
type stepwise struct {
	store.Store
	turns *turns.Turns
	stuck *atomic.Int64
}

func (s stepwise) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	taken := make(chan struct{})
	go func() {
		turn := s.turns.Of()
		turn.Take()
		turn.GiveBack()
		close(taken)
	}()
	select {
	case <-taken:
	case <-time.After(time.Second):
		s.stuck.Add(1)
	}
	return s.Store.Apply(ctx, fn)
}

// late is an audience that keeps what it is handed, and to which nothing has subscribed yet.
type late struct{ handed chan []jobs.Notification }

func (late) Keep(store.QueueKey, muster.Change) bool { return false }
func (late) Hears(store.QueueKey) bool               { return false }
func (l late) Notify(n []jobs.Notification)          { l.handed <- n }

// A document whose links must be made anew waits for a transaction, which may itself wait
// for the turn of a step.
func TestNoTurnIsHeldWhileLinksAreMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := turns.New(turns.Options{Processors: 2, Now: time.Now})
		var stuck atomic.Int64
		audience := late{make(chan []jobs.Notification, 1)}
		env := newEnv(t, stepwise{memstore.New(), all, &stuck}, packet.V311, func(_ *Options, o *service.Options) { o.Audience = audience })
		env.step("given thing lamp")
		env.step(`given job fw for lamp {"get":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/lab/fw.bin}"}`)
		env.settle()
		note := (<-audience.handed)[0]
		b := &board{}
		n := NewNotifier(NotifierOptions{Publisher: b, Turns: all})
		const long = promptMax + 5
		for range long {
			note.Queue.Rev++
			note.HeadRev++
			n.Notify([]jobs.Notification{note})
		}
		all.Asked()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		ended := make(chan struct{})
		go func() { n.Run(ctx); close(ended) }() // publishes what waits, and ends
		<-ended
		if got := len(b.messages[notificationTopic(NotifyNext, note.QueueKey)]); got != long {
			t.Errorf("%d of %d notifications were published", got, long)
		}
		if n := stuck.Load(); n > 0 {
			t.Errorf("%d transactions waited in vain for a turn that was held meanwhile", n)
		}
	})
}

// A thing is listened for by whoever is subscribed to one of its two notifications in the namespace.
func TestListen(t *testing.T) {
	unwanted := map[string]bool{}
	for _, topic := range []string{
		"fan/jobs/notify", "lamp/jobs/notify", "lamp/jobs/notify-next", "pump/jobs/notify-next",
		"fan/jobs/notify-namespace-x", "fan/jobs/notify-next-namespace-x",
	} {
		unwanted["$aws/things/"+topic] = true
	}
	n := NewNotifier(NotifierOptions{Publisher: &board{unwanted: unwanted}})
	for namespace, want := range map[muster.Namespace][]bool{"": {true, false, true, true}, "x": {false, true, true, true}} {
		got, certain := n.Listen(t.Context(), namespace, []muster.ThingName{"fan", "lamp", "pump", "valve"})
		if !certain || !slices.Equal(got, want) {
			t.Errorf("in namespace %q: %v (%v), want %v", namespace, got, certain, want)
		}
	}
}
