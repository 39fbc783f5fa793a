package dataplane

import (
	"context"
	"hash/maphash"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/turns"
)

// Publisher carries messages to subscribers. *gateway.Server is one.
type Publisher interface {
	// Wanted reports whether a message on topic would have a receiver, one that
	// is connected or one whose session is kept. It must be quick.
	Wanted(topic string) bool
	// Kept reports whether a message on topic has a receiver that must get it
	// even if the process stops first. It must be quick.
	Kept(topic string) bool
	// Subscribed returns the topics that begin with prefix to which somebody is subscribed by
	// their names, without wildcards.
	Subscribed(prefix string) []string
	// Publish sends m. Messages on one topic that come from one goroutine keep
	// their order. done, which may be nil, is told when m is safe.
	Publish(m gateway.Message, done func(error))
}

// NotifierOptions are the parts of a Notifier. Publisher is required.
type NotifierOptions struct {
	Publisher Publisher
	// Delivered is called with each notification whose messages are safe; it is
	// meant to be Delivered of jobs.Jobs. Nil is allowed.
	Delivered func(jobs.Notification)
	// Elsewhere reports whether a notification that has no receiver here may have one in another
	// process that must get it, and calls Delivered then. It must be quick. Nil is never.
	Elsewhere func(store.QueueKey, muster.Change) bool
	Turns     *turns.Turns // of background work; nil holds nothing back
	Log       *slog.Logger // nil discards
}

// Notifier tells things of changes in their queues, by notify and notify-next
// messages (jobs-data-plane.md section 11); it is a jobs.Audience. For one thing
// they go out in the order of the commits, notify before notify-next. One that Notify is
// given later than a newer one is left out, as its subscribers know better. Keep Run
// running.
type Notifier struct {
	o     NotifierOptions
	seed  maphash.Seed
	lanes [lanes]lane
}

// lanes is how many notifications may be published at a time, all of different
// things: enough that one whose document must be read from the store delays few
// others.
const lanes = 16

// promptMax is how many notifications a lane publishes at once. More are no answer to what
// somebody just did but the work of a rollout, and take turns.
const promptMax = 32

// NewNotifier returns a notifier on o.
func NewNotifier(o NotifierOptions) *Notifier {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Delivered == nil {
		o.Delivered = func(jobs.Notification) {}
	}
	if o.Elsewhere == nil {
		o.Elsewhere = func(store.QueueKey, muster.Change) bool { return false }
	}
	n := &Notifier{o: o, seed: maphash.MakeSeed()}
	for i := range n.lanes {
		n.lanes[i] = lane{limit: laneMax, arrived: make(chan struct{}, 1), told: map[store.QueueKey]told{}, toldLimit: toldMin}
	}
	return n
}

// Notify takes the notifications that a commit causes; it is for
// jobs.Audience. It does not wait, and a notification without
// subscribers costs no more than finding that out.
func (n *Notifier) Notify(notes []jobs.Notification) {
	for _, note := range notes {
		owed := note.Change
		note.List = note.List && n.o.Publisher.Wanted(notificationTopic(NotifyList, note.QueueKey))
		note.Next = note.Next && n.o.Publisher.Wanted(notificationTopic(NotifyNext, note.QueueKey))
		switch {
		case note.Any():
			n.laneOf(note.Thing).add(note)
		case !n.o.Elsewhere(note.QueueKey, owed):
			n.o.Delivered(note)
		}
	}
}

// laneOf returns the lane of a thing.
func (n *Notifier) laneOf(thing muster.ThingName) *lane {
	return &n.lanes[maphash.Comparable(n.seed, thing)%lanes]
}

// Keep reports whether the notifications of a change must outlive the process;
// it is for jobs.Audience.
func (n *Notifier) Keep(key store.QueueKey, change muster.Change) bool {
	list, next := notificationTopics(key)
	return change.List && n.o.Publisher.Kept(list) || change.Next && n.o.Publisher.Kept(next)
}

// Listens reports whether a notification of a queue, of either kind, would have a receiver here, one that is
// connected or one whose session is kept. It is quick.
func (n *Notifier) Listens(key store.QueueKey) bool {
	return n.Hears(key) || n.o.Publisher.Wanted(notificationTopic(NotifyList, key))
}

// Listen returns Listens for the queues of things in a namespace. It is certain on a server that is alone: the sessions here are
// all that there are.
func (n *Notifier) Listen(_ context.Context, namespace muster.Namespace, things []muster.ThingName) (anybody []bool, certain bool) {
	anybody = make([]bool, len(things))
	for i, thing := range things {
		anybody[i] = n.Listens(store.QueueKey{Thing: thing, Namespace: namespace})
	}
	return anybody, true
}

// Hears reports whether the next notify-next of a queue would have a receiver;
// it is for jobs.Audience.
func (n *Notifier) Hears(key store.QueueKey) bool {
	return n.o.Publisher.Wanted(notificationTopic(NotifyNext, key))
}

func notificationTopic(k Kind, key store.QueueKey) string {
	return Topic{Kind: k, Thing: key.Thing, Namespace: key.Namespace}.String()
}

// notificationTopics returns the topics of both kinds of notifications of a queue. Those of the default namespace share
// their memory, since this is asked for each thing that another node tells of.
func notificationTopics(key store.QueueKey) (list, next string) {
	next = notificationTopic(NotifyNext, key)
	if key.Namespace != "" {
		return notificationTopic(NotifyList, key), next
	}
	return strings.TrimSuffix(next, "-next"), next
}

// Run publishes until ctx ends, and then publishes what is still waiting.
func (n *Notifier) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for i := range n.lanes {
		running.Go(func() { n.work(ctx, &n.lanes[i]) })
	}
	running.Wait()
	return nil
}

func (n *Notifier) work(ctx context.Context, l *lane) {
	var taken []jobs.Notification
	for ended := false; !ended; {
		select {
		case <-l.arrived:
		case <-ctx.Done():
			ended = true
		}
		turn := n.o.Turns.Of()
		taken = l.take(taken)
		for i, note := range taken {
			note.Change = l.toldOf(note.QueueKey).news(note)
			document, err := documentOf(note) // without a turn: it may wait for a transaction
			if err != nil {
				n.o.Log.Error("notification without a document", "thing", note.Thing, "job", note.Head.Job, "error", err)
				continue
			}
			if i >= promptMax {
				turn.Take()
			}
			n.publish(l, note, document)
			turn.GiveBack()
		}
		clear(taken)
	}
}

// publish sends a notification. document is that of its head.
func (n *Notifier) publish(l *lane, note jobs.Notification, document string) {
	var both [2]gateway.Message
	messages := both[:0]
	if note.List {
		messages = append(messages, newMessage(notificationTopic(NotifyList, note.QueueKey), appendNotify(nil, note)))
	}
	if note.Next && (note.Head == nil || document != "") { // otherwise the job was deleted in the meantime, and another notification says so
		messages = append(messages, newMessage(notificationTopic(NotifyNext, note.QueueKey), appendNotifyNext(nil, note, document)))
	}
	l.tell(note, n.Listens)
	n.send(note, messages)
}

// documentOf returns the document that a notification is sent with, or "" if it has none.
func documentOf(note jobs.Notification) (string, error) {
	if !note.Next || note.Head == nil {
		return "", nil
	}
	return note.Document(context.Background())
}

// newMessage returns a message of QoS 1. Each carries the full state, so a client
// that is away needs only the newest (arbitration A3).
func newMessage(topic string, payload []byte) gateway.Message {
	return gateway.Message{Topic: topic, Payload: payload, QoS: 1, Latest: true}
}

// send publishes the messages of a notification, and calls Delivered when all of
// them are safe.
func (n *Notifier) send(note jobs.Notification, messages []gateway.Message) {
	unsafe := new(atomic.Int32)
	unsafe.Store(int32(len(messages)) + 1)
	safe := func(err error) {
		if err == nil && unsafe.Add(-1) == 0 {
			n.o.Delivered(note)
		}
	}
	for _, m := range messages {
		n.o.Publisher.Publish(m, safe)
	}
	safe(nil)
}

// laneMax is how many notifications a lane holds before it keeps no more than
// the newest of each thing.
const laneMax = 4096

// lane is the notifications of some of the things, in commit order.
type lane struct {
	arrived chan struct{} // holds a token when waiting may not be empty

	mu      sync.Mutex // guards what follows
	waiting []jobs.Notification
	limit   int // of waiting, before it is thinned

	telling   sync.Mutex // guards what follows, which the goroutine that publishes changes
	told      map[store.QueueKey]told
	toldLimit int // of told, before it is thinned
}

// toldMin is how many queues a lane remembers before it forgets those that nobody
// subscribes to.
const toldMin = 256

// told is the revisions of a queue that were published last. Zero is none yet.
type told struct{ list, next int64 }

// news returns what of a notification is newer than that. Only the notification of an
// earlier process may show a queue that is not stored, and so without a revision. It is
// news unless something was published since: then the removal of the queue was, too.
func (t told) news(n jobs.Notification) muster.Change {
	return muster.Change{
		List: n.List && (t.list == 0 || n.Queue.Rev > t.list),
		Next: n.Next && (t.next == 0 || n.HeadRev > t.next),
	}
}

// toldOf returns what was published of a queue.
func (l *lane) toldOf(key store.QueueKey) told {
	l.telling.Lock()
	defer l.telling.Unlock()
	return l.told[key]
}

// tell remembers that a notification is published. When there are twice as many queues as
// somebody subscribed to the last time that it asked hears, it forgets those of the others.
func (l *lane) tell(n jobs.Notification, hears func(store.QueueKey) bool) {
	l.telling.Lock()
	defer l.telling.Unlock()
	t, known := l.told[n.QueueKey]
	if !known && len(l.told) >= l.toldLimit {
		maps.DeleteFunc(l.told, func(key store.QueueKey, _ told) bool { return !hears(key) })
		l.toldLimit = max(toldMin, 2*len(l.told))
	}
	if n.List {
		t.list = n.Queue.Rev
	}
	if n.Next {
		t.next = n.HeadRev
	}
	l.told[n.QueueKey] = t
}

func (l *lane) add(note jobs.Notification) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, note)
	if len(l.waiting) >= l.limit {
		l.waiting = newest(l.waiting)
		l.limit = max(laneMax, 2*len(l.waiting))
	}
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

// keptMax is how many notifications a lane keeps memory for.
const keptMax = 64

// take returns what waits. What comes is gathered in the memory of done, which take returned before.
func (l *lane) take(done []jobs.Notification) []jobs.Notification {
	if cap(done) > keptMax {
		done = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.waiting
	l.waiting, l.limit = done[:0], laneMax
	return taken
}

// newest returns one notification for each queue, which covers all of it.
func newest(notes []jobs.Notification) []jobs.Notification {
	at := map[store.QueueKey]int{}
	kept := notes[:0]
	for _, note := range notes {
		i, ok := at[note.QueueKey]
		if !ok {
			at[note.QueueKey] = len(kept)
			kept = append(kept, note)
			continue
		}
		kept[i] = note.Covering(kept[i])
	}
	return kept
}
