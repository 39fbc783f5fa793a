package sim

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/internal/postgres"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/storetest"
)

// course is all that determines a simulation.
type course struct {
	seed     uint64
	steps    int
	fault    *fault // nil: the service as it is
	database bool   // on PostgreSQL, else in memory
}

// epoch is when every simulation begins: a Monday, at no round time.
const epoch = muster.Instant(1_790_000_123_456)

// world is one simulation under way. It runs on one goroutine, apart from the
// two of the committer, which are run, one call at a time, until they are idle.
type world struct {
	course
	t    *testing.T
	ctx  context.Context
	rng  *rand.Rand
	now  muster.Instant
	step int

	disk    *disk
	power   *power
	o       service.Options
	service *service.Service
	stop    func()
	ended   chan error

	book      *book
	crowd     crowd
	operator  operator
	work      muster.Instant // when the background work is to be done; zero: only when due
	wanted    muster.Instant // when the service asked for it, which may be sooner; zero: never
	due       bool           // the service asked for background work
	unknown   *order         // an order of which it is not known whether it was carried out
	tail      []string       // what happened last
	history   hash.Hash64    // of all that happened
	delivered []jobs.Notification

	mu  sync.Mutex
	hot []jobs.Notification // not yet handed to the devices
}

// breach is what was found to be wrong.
type breach struct {
	course
	step int
	at   muster.Instant
	what string
	tail []string
}

func (b *breach) Error() string {
	return fmt.Sprintf("step %d, %s: %s", b.step, b.at.Time().Format("2006-01-02 15:04:05.000"), b.what)
}

// play runs a course to its end and returns the breach that was found, or nil.
func play(t *testing.T, c course) (w *world, found *breach) {
	t.Helper()
	database := ""
	if c.database {
		database = postgres.Shared(t).Database(t)
	}
	w = &world{course: c, now: epoch, rng: rand.New(rand.NewPCG(c.seed, 7)), disk: newDisk(database), history: fnv.New64()}
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			fault := recover()
			w.leave()
			var ok bool
			if found, ok = fault.(*breach); !ok && fault != nil {
				panic(fault)
			}
		}()
		w.t, w.ctx = t, t.Context()
		w.run()
	})
	return w, found
}

func (w *world) broke(format string, args ...any) {
	panic(&breach{course: w.course, step: w.step, at: w.now, what: fmt.Sprintf(format, args...), tail: w.tail})
}

// say writes the history. A breach shows the last of what -sim.only chooses.
func (w *world) say(format string, args ...any) {
	line := fmt.Sprintf("%6d %s ", w.step, w.now.Time().Format("02 15:04:05.000")) + fmt.Sprintf(format, args...)
	_, _ = io.WriteString(w.history, line)
	if *simOnly != "" && !regexp.MustCompile(*simOnly).MatchString(line) {
		return
	}
	if len(w.tail) == *simTail {
		w.tail = w.tail[1:]
	}
	w.tail = append(w.tail, line)
}

func (w *world) run() {
	w.book = newBook(w.broke)
	w.o = service.Options{
		Account: muster.Account{ID: "000000000000", Region: "us-east-1"}, PageKey: make([]byte, 32),
		Now:      func() muster.Instant { return w.now },
		Audience: audience{w}, Watcher: watcher{w},
		NewID:             w.newID,
		RemovedInProgress: w.chance(3),
		StrictTransitions: w.chance(8),
		RolloutPerMinute:  []int{0, 0, 1000, 40}[w.rng.IntN(4)],
	}
	w.book.limit, w.book.removes, w.book.strict = w.o.RolloutPerMinute, w.o.RemovedInProgress, w.o.StrictTransitions
	if w.fault != nil && w.fault.limit != 0 {
		w.book.limit = w.fault.limit
	}
	w.start()
	w.populate()
	for w.step = 1; w.step <= w.steps; w.step++ {
		w.next()
		if w.chance(40) {
			w.check()
		}
	}
	w.finish()
}

// audience is who the service tells of changes of queues: the devices.
type audience struct{ w *world }

func (a audience) Keep(key store.QueueKey, _ muster.Change) bool { return a.w.crowd.keeps(key.Thing) }
func (a audience) Hears(store.QueueKey) bool                     { return false }

func (a audience) Notify(n []jobs.Notification) {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.w.hot = append(a.w.hot, n...)
}

// watcher hears that there may be background work.
type watcher struct{ w *world }

func (w watcher) Due() {
	w.w.mu.Lock()
	defer w.w.mu.Unlock()
	w.w.due = true
}

func (watcher) Committed(int)               {}
func (watcher) Told(muster.Instant)         {}
func (watcher) Recorded()                   {}
func (watcher) RightsChanged(rights.Change) {}

func (w *world) newID() string { w.operator.ids++; return fmt.Sprintf("id-%d", w.operator.ids) }

func (w *world) chance(oneIn int) bool { return w.rng.IntN(oneIn) == 0 }

func (w *world) between(a, b muster.Instant) muster.Instant {
	return a + muster.Instant(w.rng.Int64N(int64(b-a)+1))
}

// start brings a process up on the disk.
func (w *world) start() {
	w.power = w.disk.on(w.t, func() muster.Instant { return w.now })
	o := w.o
	o.Store = w.power
	if w.seed%2 == 1 { // half of the courses run every transaction twice
		o.Store = storetest.Twice(w.power)
	}
	if w.fault != nil {
		o = w.fault.on(o)
	}
	w.service = service.New(o)
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ended = stop, make(chan error, 1)
	run, ended := w.service, w.ended
	go func() { ended <- run.Run(ctx) }()
	w.book.now, w.book.down, w.due = w.now, w.now, true
}

// leave ends the process, whatever it is doing.
func (w *world) leave() {
	if w.power == nil {
		return
	}
	w.power.kill()
	w.stop()
	<-w.ended
	synctest.Wait()
	_ = w.power.Close() // it may be closed
}

// attempt calls the service and reports whether it answered. It may not: it may be
// killed meanwhile, or wait for a disk on which nothing becomes durable any more.
func (w *world) attempt(call func(context.Context) error) (answer error, answered bool) {
	done := make(chan error, 1)
	go func() { done <- call(context.Background()) }()
	synctest.Wait()
	select {
	case err := <-done:
		return err, known(err)
	default:
		w.say("no answer")
		w.power.kill()
		synctest.Wait()
		return nil, false
	}
}

// known reports whether err is an answer, and not a sign that the service is
// dying.
func known(err error) bool {
	var e *muster.Error
	return err == nil || errors.As(err, &e) && e.Kind != muster.Internal && e.Kind != muster.Unavailable
}

// do is attempt for a service that must not fail, unless it dies.
func (w *world) do(call func(context.Context) error) (answer error, answered bool) {
	answer, answered = w.attempt(call)
	if !answered && !w.power.isDead() {
		w.broke("the service failed: %v", answer)
	}
	return answer, answered
}

// judge checks what became durable since it was last called.
func (w *world) judge(by author) {
	w.book.now, w.book.late = w.now, 0
	if w.wanted != 0 {
		w.book.late = max(0, w.now-w.wanted)
	}
	for _, t := range w.disk.audit() {
		w.book.audit(t, by)
	}
}

// next does what is due next.
func (w *world) next() {
	at := min(w.crowd.next(), w.operator.next)
	if w.work != 0 {
		at = min(at, w.work)
	}
	if w.due {
		at = min(at, w.now)
	}
	w.now = max(w.now, at)
	w.book.now = w.now
	switch {
	case w.due || w.work != 0 && w.work <= w.now:
		w.background()
	case w.operator.next <= w.now:
		w.operate()
	default:
		w.crowd.act(w)
	}
	if w.power.isDead() {
		w.crashed()
	}
	w.tell()
}

// background does a round of the service's own work.
func (w *world) background() {
	w.mu.Lock()
	w.due = false
	w.mu.Unlock()
	var agenda commit.Agenda
	_, answered := w.do(func(ctx context.Context) (err error) { agenda, err = w.service.Work(ctx); return err })
	if !answered {
		return
	}
	w.judge(author{itself: true})
	w.wanted = agenda.Next
	switch {
	case agenda.More:
		w.due, w.wanted = true, w.now
	case agenda.Next != 0:
		w.work = min(agenda.Next, w.now+minute)
	default:
		w.work = w.now + minute
	}
	if w.chance(20) { // the scheduler may be late
		w.work += w.between(0, 5*second)
	}
}

// crashed does what follows a crash of the process: some of what was not durable
// yet becomes durable, and after a while there is a new process.
func (w *world) crashed() {
	w.leave()
	kept, lost := w.disk.crash(func(n int) int { return w.rng.IntN(n + 1) })
	w.now += w.between(0, []muster.Instant{second, minute, 2 * hour}[w.rng.IntN(3)])
	w.say("CRASH: of what was under way %d transactions are kept and %d lost", kept, lost)
	w.mu.Lock()
	w.hot, w.delivered = nil, nil
	w.mu.Unlock()
	w.crowd.disconnect(w)
	w.start()
	w.resolve()
	w.judge(author{itself: true})
	w.book.over()
	if _, answered := w.attempt(func(ctx context.Context) error { return w.service.Jobs.Redeliver(ctx) }); !answered {
		w.broke("Redeliver fails")
	}
	w.tell()
	w.verify()
}

// resolve finds out whether the order that was under way took effect.
func (w *world) resolve() {
	o := w.unknown
	w.unknown = nil
	if o == nil {
		return
	}
	landed := false
	if o.want != noFailure {
		return
	}
	if _, answered := w.attempt(func(ctx context.Context) error { landed = o.landed(ctx, w); return nil }); !answered {
		w.broke("no answer after the start")
	}
	w.say("  %s took effect: %v", o.name, landed)
	if landed {
		w.book.stop(o)
	}
}

// verify checks everything that is stored.
func (w *world) verify() {
	var problems []store.Problem
	err, answered := w.attempt(func(ctx context.Context) (err error) { problems, err = store.Verify(ctx, w.power); return err })
	if err != nil || !answered || len(problems) > 0 {
		w.broke("Verify: %v, %v", problems, err)
	}
}

// settle lets the service do all that is due, at this instant.
func (w *world) settle() {
	for range 100_000 {
		if w.power.isDead() {
			w.crashed()
		}
		if !w.due && (w.work == 0 || w.work > w.now) {
			w.tell()
			return
		}
		w.background()
	}
	w.broke("the background work never ends")
}

// check checks what must be true whenever all that is due has been done.
func (w *world) check() {
	if w.work < w.now+minute {
		w.due = true // no lateness here
	}
	w.settle()
	w.book.now = w.now
	w.book.settled()
	w.book.overdue()
	w.crowd.check(w)
	w.audit()
	if w.chance(10) {
		w.verify()
	}
}

// audit compares the whole store with the book: nothing is missing, nothing is
// there without a cause, and the counters are exact.
func (w *world) audit() {
	type count struct {
		id     muster.JobID
		counts muster.Counts
	}
	var counts []count
	err, answered := w.attempt(func(ctx context.Context) error {
		for _, id := range names(w.book.jobs) {
			d, err := w.service.Jobs.DescribeJob(ctx, id)
			if err != nil {
				return fmt.Errorf("DescribeJob(%s): %w", id, err)
			}
			counts = append(counts, count{id, d.Counts})
		}
		return nil
	})
	if !answered {
		return // it died; the next check will tell
	}
	if err != nil {
		w.broke("%v", err)
	}
	for _, c := range counts {
		if want := w.book.jobs[c.id].counts; c.counts != want {
			w.broke("job %s counts %v, want %v", c.id, c.counts, want)
		}
	}
}

func (b *breach) report(run string) string {
	return fmt.Sprintf("%v\nthe last of it:\n  %s\nreplay: go test ./internal/sim -run '%s' -sim.seed=%d -sim.steps=%d",
		b, strings.Join(b.tail, "\n  "), run, b.seed, b.steps)
}
