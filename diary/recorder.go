package diary

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// GatherTime is how long what is seen is gathered before it is written together. Together with the time that this takes it
// is less than Behind, unless the store is overloaded.
const GatherTime = 4 * time.Second

// Behind is by how much diaries may be behind what other nodes have seen.
const Behind = 5 * time.Second

// Limits of what is gathered in one of shardCount shards: more things than a node has devices for are written at once,
// and beyond waitingMax they are lost, with a line in the log. Of troubledMax things it is known that something
// failed for them.
const (
	shardCount  = 64
	waitingMax  = 8192
	troubledMax = 2048
)

// stepMax bounds the things of one step of background work.
const stepMax = 128

// Things says which things there are; registry.Lookup does.
type Things interface {
	// Thing returns a thing, or nil when there is none.
	Thing(r store.Reader, name muster.ThingName) (*muster.Thing, error)
	// WantThing names what Thing reads.
	WantThing(w *commit.Wants, name muster.ThingName)
}

// Options are the parts of a Recorder. All but Log are required.
type Options struct {
	Commits *commit.Committer
	Things  Things
	Now     func() muster.Instant
	Pages   listing.Pager
	Log     *slog.Logger // nil discards
}

// Recorder gathers what is seen of things, and who is refused, and writes it. Make it with New and keep Run running. Its
// methods may be called by many goroutines; those that take something in never wait.
type Recorder struct {
	o        Options
	seed     maphash.Seed
	shards   [shardCount]shard
	refusals refusals
	hurry    chan struct{} // holds a token when a shard is half full
}

// shard has the things whose names have the same hash.
type shard struct {
	mu       sync.Mutex
	waiting  map[muster.ThingName]*news
	writing  map[muster.ThingName]*news    // taken from waiting, and not durable yet
	troubled map[muster.ThingName]struct{} // whose stored diary has something that a success removes
	lost     int
}

// New returns a Recorder on o.
func New(o Options) *Recorder {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{o: o, seed: maphash.MakeSeed(), hurry: make(chan struct{}, 1)}
	for i := range r.shards {
		r.shards[i] = shard{waiting: map[muster.ThingName]*news{}, troubled: map[muster.ThingName]struct{}{}}
	}
	r.refusals.waiting = map[refusalKey]*Refusal{}
	return r
}

// Came notes that the subject has connected.
func (r *Recorder) Came(s Subject) {
	at := r.o.Now()
	for thing, marked := range s.things("") {
		r.note(thing, func(n *news) { n.connected(muster.Arrival{At: at, AsClientID: marked}) })
	}
}

// Left notes that a connection of the subject has ended, for a reason in the contract's word. Its session keeps messages for
// a time; zero is not at all.
func (r *Recorder) Left(s Subject, reason string, keeps time.Duration) {
	left := muster.Departure{At: r.o.Now(), Reason: reason}
	if keeps > 0 {
		left.Kept = left.At.Add(keeps)
	}
	for thing := range s.things("") {
		r.note(thing, func(n *news) { n.left = left })
	}
}

// Refused notes that a CONNECT of the subject was refused.
func (r *Recorder) Refused(s Subject, certificate muster.CertificateID, why string) {
	c := muster.ConnectRefusal{At: r.o.Now(), Certificate: certificate, Why: why}
	for thing, marked := range s.things("") {
		c.AsClientID = marked
		r.note(thing, func(n *news) { n.refused(c) })
	}
}

// Denied notes that policies, of which one may deny it by a statement, have refused the subject an action on a resource without
// the head of its ARN. Actions that are not of the data plane and of MQTT are ignored.
func (r *Recorder) Denied(s Subject, action, resource, policy, statement string) {
	if kindOf(action, false) == kindOf("", false) {
		return
	}
	d := muster.Denial{At: r.o.Now(), Action: action, Resource: clip(resource, textMax), Policy: policy, Statement: statement}
	for thing, marked := range s.things(resource) {
		d.AsClientID = marked
		r.note(thing, func(n *news) { n.denied(d) })
	}
}

// Allowed notes that policies have allowed the subject an action. It need not be told of each one, but of the first after one that was
// refused.
func (r *Recorder) Allowed(s Subject, action, resource string) {
	at, kind := r.o.Now(), kindOf(action, ofJobs(action, resource))
	for thing, marked := range s.things("") {
		r.remedy(thing, func(n *news) { n.allowed(kind, marked, at) })
	}
}

// Failed notes that a request of the data plane for a thing has failed. Its instant and its count are filled in.
func (r *Recorder) Failed(thing muster.ThingName, q muster.Request) {
	if !muster.ValidThingName(string(thing)) {
		return // no thing has this name
	}
	if !muster.ValidJobID(string(q.Job)) {
		q.Job = ""
	}
	q.At, q.Message = r.o.Now(), clip(q.Message, textMax)
	r.note(thing, func(n *news) { n.failed(q) })
}

// Asked notes that a request of the data plane for a thing has succeeded, and whether it has changed an execution. Its instant is filled in.
func (r *Recorder) Asked(thing muster.ThingName, q muster.Request, changed bool) {
	q.At = r.o.Now()
	if changed {
		r.remedy(thing, func(n *news) { n.succeeded(q, true) })
	} else {
		r.note(thing, func(n *news) { n.succeeded(q, false) })
	}
}

// HTTPS notes that a request for a thing came over HTTPS.
func (r *Recorder) HTTPS(thing muster.ThingName) {
	if !muster.ValidThingName(string(thing)) {
		return
	}
	at := r.o.Now()
	r.note(thing, func(n *news) { n.overHTTPS(at) })
}

// Told notes that a notification that names a job as the first one was sent to a client.
func (r *Recorder) Told(thing muster.ThingName, job muster.JobID) {
	at := r.o.Now()
	r.note(thing, func(n *news) { n.told.At, n.told.Job = at, job })
}

// Acknowledged notes that a client has acknowledged such a notification.
func (r *Recorder) Acknowledged(thing muster.ThingName) {
	at := r.o.Now()
	r.note(thing, func(n *news) { n.told.Acked = at })
}

// textMax bounds the texts that are gathered, in bytes.
const textMax = 128

// note has fn change the news of a thing.
func (r *Recorder) note(thing muster.ThingName, fn func(*news)) {
	s := r.shard(thing)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.change(s, thing, fn)
}

// remedy is note for what matters only if something is to be written of the thing, or has failed for it.
func (r *Recorder) remedy(thing muster.ThingName, fn func(*news)) {
	s := r.shard(thing)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, troubled := s.troubled[thing]
	if troubled || s.waiting[thing] != nil || s.writing[thing] != nil { // while it is being written it is not known whether it is troubled
		r.change(s, thing, fn)
	}
}

// change has fn change the news of a thing in its shard, which is locked.
func (r *Recorder) change(s *shard, thing muster.ThingName, fn func(*news)) {
	n := s.waiting[thing]
	if n == nil {
		if len(s.waiting) >= waitingMax {
			s.lost++
			return
		}
		n = &news{}
		s.waiting[thing] = n
		if len(s.waiting) == waitingMax/2 {
			r.soon()
		}
	}
	fn(n)
}

func (r *Recorder) shard(thing muster.ThingName) *shard {
	return &r.shards[maphash.Comparable(r.seed, thing)%shardCount]
}

func (r *Recorder) soon() {
	select {
	case r.hurry <- struct{}{}:
	default:
	}
}

// Of returns the diary of a thing, with what this node has not written yet.
func (r *Recorder) Of(of store.Reader, thing muster.ThingName) (muster.Diary, error) {
	d, err := Of(of, thing)
	if err != nil {
		return d, err
	}
	s := r.shard(thing)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range []*news{s.writing[thing], s.waiting[thing]} {
		if n != nil {
			d = n.onto(d)
		}
	}
	return d, nil
}

// AsOf returns the instant until which Of shows what all nodes have seen.
func (r *Recorder) AsOf() muster.Instant {
	if r.o.Commits.Clustered() {
		return r.o.Now().Add(-Behind)
	}
	return r.o.Now()
}

// Run writes what is gathered until ctx ends, and then what is left.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(GatherTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.hurry:
		case <-ctx.Done():
			return r.write()
		}
		if err := r.write(); err != nil {
			r.o.Log.Error("what was seen of devices could not be stored", "error", err)
		}
	}
}

// write writes what was gathered. What cannot be written is kept for the next time.
func (r *Recorder) write() error {
	taken := r.take()
	steps := r.refusalSteps()
	for some := range slices.Chunk(taken, stepMax) {
		steps = append(steps, func(tx *commit.Tx) error { return r.record(tx, some) })
	}
	if len(steps) == 0 {
		return nil
	}
	err := r.o.Commits.Background(context.Background(), steps) // to the end: what is being written must not change
	for i := range r.shards {
		r.shards[i].written(err == nil)
	}
	r.refusals.written(err == nil)
	return err
}

// seen is what is to be written of a thing.
type seen struct {
	thing muster.ThingName
	*news
}

// take takes what there is to write, in the order of names: neighbours in the store are cheaper one after the other.
func (r *Recorder) take() (taken []seen) {
	lost := 0
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		lost, s.lost = lost+s.lost, 0
		if len(s.waiting) > 0 {
			s.writing, s.waiting = s.waiting, map[muster.ThingName]*news{}
		}
		for thing, n := range s.writing {
			if _, troubled := s.troubled[thing]; n.empty() && !troubled {
				delete(s.writing, thing)
			} else {
				taken = append(taken, seen{thing, n})
			}
		}
		s.mu.Unlock()
	}
	if lost > 0 {
		r.o.Log.Error("too many devices were seen at once", "lost", lost)
	}
	slices.SortFunc(taken, func(a, b seen) int { return cmp.Compare(a.thing, b.thing) })
	return taken
}

// written ends the writing of what was taken from the shard. If it failed, that is to be written the next time.
func (s *shard) written(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for thing, n := range s.writing {
		newer := s.waiting[thing]
		switch {
		case ok:
		case newer != nil:
			n.since(newer)
			s.waiting[thing] = n
		case len(s.waiting) < waitingMax:
			s.waiting[thing] = n
		default:
			s.lost++
		}
	}
	s.writing = nil
}

// record writes what was seen of some things.
func (r *Recorder) record(tx *commit.Tx, some []seen) error {
	tx.Prefetch(func(w *commit.Wants) {
		for _, s := range some {
			Want(w, s.thing)
			r.o.Things.WantThing(w, s.thing)
		}
	})
	bad := make([]bool, len(some))
	for i, s := range some {
		old, err := tables.diaries.Get(tx, string(s.thing))
		if err != nil {
			return err
		}
		if old == nil { // else the thing exists, since its diary is deleted with it
			thing, err := r.o.Things.Thing(tx, s.thing)
			if err != nil {
				return err
			}
			if thing == nil {
				continue
			}
			old = &page{}
		}
		d := s.onto(muster.Diary(*old))
		bad[i] = troubled(d)
		if d != muster.Diary(*old) {
			tables.diaries.Put(tx, string(s.thing), page(d))
		}
	}
	tx.After(func() {
		for i, s := range some {
			r.shard(s.thing).know(s.thing, bad[i])
		}
	})
	return nil
}

// know remembers whether the stored diary of a thing has something that a success removes.
func (s *shard) know(thing muster.ThingName, troubled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !troubled {
		delete(s.troubled, thing)
		return
	}
	if len(s.troubled) >= troubledMax {
		for some := range s.troubled {
			delete(s.troubled, some)
			break
		}
	}
	s.troubled[thing] = struct{}{}
}
