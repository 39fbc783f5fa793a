package sim

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/store"
)

// crowd is all devices, the one that acts next first.
type crowd struct {
	byName map[muster.ThingName]*dummy
	queue  turns
}

// dummy is a simulated device: small, so that thousands fit.
type dummy struct {
	name muster.ThingName
	next muster.Instant // when it does something of its own accord
	turn int            // its place in the queue of turns

	keeps   bool // its session outlives the process and its absence
	picks   bool // it picks from the list, instead of taking what is next
	nature  nature
	online  bool
	job     *assignment
	told    map[muster.Namespace]*news
	patient bool // the simulation is about to end: it does what it can
}

// nature is what a device is like, of 100 times.
type nature struct {
	fails, rejects, hangs, vanishes int
}

// natures has the good ones several times.
var natures = []nature{
	{}, {}, {2, 1, 1, 5}, {2, 1, 1, 5}, {2, 1, 1, 5}, {40, 5, 5, 20}, {10, 10, 20, 40}, {100, 0, 0, 0}, {0, 100, 0, 0}, {0, 0, 100, 0},
}

// assignment is what a device works on.
type assignment struct {
	job     muster.JobID
	ns      muster.Namespace
	number  int64
	version int64
	ends    muster.Instant
}

// news is what a device was told last; unknown until it has asked or was told.
type news struct {
	list, head           string
	knowsList, knowsHead bool
}

var namespaces = []muster.Namespace{"", "fw"}

func (c *crowd) keeps(name muster.ThingName) bool { d := c.byName[name]; return d != nil && d.keeps }

func (c *crowd) next() muster.Instant { return c.queue[0].next }

// add makes a device for a thing.
func (c *crowd) add(w *world, name muster.ThingName) {
	d := &dummy{name: name, keeps: w.chance(3), picks: w.chance(3), told: map[muster.Namespace]*news{}}
	for _, ns := range namespaces {
		d.told[ns] = &news{}
	}
	d.nature = natures[w.rng.IntN(len(natures))]
	d.next = w.now + w.between(0, hour)
	if c.byName == nil {
		c.byName = map[muster.ThingName]*dummy{}
	}
	c.byName[name] = d
	heap.Push(&c.queue, d)
}

// act lets the device whose turn it is do something.
func (c *crowd) act(w *world) {
	d := c.queue[0]
	d.act(w)
	c.moved(d)
}

func (c *crowd) moved(d *dummy) { heap.Fix(&c.queue, d.turn) }

// disconnect is what the devices see of a crash.
func (c *crowd) disconnect(w *world) {
	for _, name := range names(c.byName) {
		d := c.byName[name]
		if d.online {
			d.online = false
			d.next = min(d.next, w.now+w.between(0, 5*minute))
			c.moved(d)
		}
		if !d.keeps {
			d.forget()
		}
	}
}

func (d *dummy) forget() {
	for _, n := range d.told {
		*n = news{}
	}
}

func (d *dummy) act(w *world) {
	switch {
	case !d.online:
		d.connect(w)
	case w.rng.IntN(100) < d.nature.vanishes && !d.patient:
		d.online = false
		if !d.keeps {
			d.forget()
		}
		d.next = w.now + w.between(minute, 8*hour)
	case d.job != nil:
		d.carryOn(w)
	default:
		d.look(w)
	}
}

// connect brings a device online; who has no session that was kept asks.
func (d *dummy) connect(w *world) {
	d.online, d.next = true, w.now+w.between(0, 2*second)
	if d.keeps || w.book.things[d.name] == nil {
		return
	}
	for _, ns := range namespaces {
		d.ask(w, ns)
	}
}

// ask has a device ask what is pending, and holds the answer against the book.
func (d *dummy) ask(w *world, ns muster.Namespace) {
	key := store.QueueKey{Thing: d.name, Namespace: ns}
	p, err := ask(w, func(ctx context.Context) (engine.Pending, error) { return w.engine.GetPending(ctx, d.name, ns) })
	if errors.Is(err, errCrash) {
		return
	}
	if exists := w.book.things[d.name] != nil; exists != (err == nil) {
		w.broke("GetPending(%v) = %v, and the thing exists: %v", key, err, exists)
	}
	if err != nil {
		return
	}
	if got, want := entries(p.InProgress, p.Queued), executions(w.book.shown(key)); got != want {
		w.broke("GetPending(%v) = %s, want %s", key, got, want)
	}
	next, err := ask(w, func(ctx context.Context) (engine.Described, error) {
		return w.engine.DescribeExecution(ctx, engine.Describe{Thing: d.name, Namespace: ns})
	})
	if errors.Is(err, errCrash) {
		return
	}
	got := d.described(w, next, err)
	pending := w.book.pending(key)
	if want := executions(pending[:min(1, len(pending))]); got != want {
		w.broke("DescribeExecution(%v, $next) = %s, %v, want %s", key, got, err, want)
	}
	*d.told[ns] = news{list: set(pending), head: got, knowsList: true, knowsHead: true}
}

// described checks the document of what a device is shown, and returns which
// execution it is.
func (d *dummy) described(w *world, got engine.Described, err error) string {
	if err != nil || got.Execution == nil {
		return ""
	}
	x := *got.Execution
	if j := w.book.jobs[x.Job]; j == nil || got.Document == nil || *got.Document != j.document {
		w.broke("%s was handed %+v with the wrong document %v; the job is %+v", d.name, x, got.Document, j)
	}
	return executions([]muster.Execution{x})
}

// look has an idle device see whether there is something to do.
func (d *dummy) look(w *world) {
	d.next = w.now + w.between(hour, 12*hour)
	if d.patient {
		d.next = w.now + w.between(minute, hour)
	}
	ns := namespaces[w.rng.IntN(len(namespaces))]
	if d.picks {
		d.pick(w, ns)
	} else {
		d.start(w, ns)
	}
}

// start asks for whatever is next.
func (d *dummy) start(w *world, ns muster.Namespace) {
	key := store.QueueKey{Thing: d.name, Namespace: ns}
	want := w.book.pending(key)
	in := engine.Start{Thing: d.name, Namespace: ns}
	if w.chance(6) {
		in.StepMinutes = 1 + w.rng.IntN(90)
	}
	got, err := asks(w, request{thing: d.name, by: muster.Device, status: muster.InProgress}, func(done func(engine.Described, error)) { w.engine.StartNext(in, done) })
	if errors.Is(err, errCrash) {
		return
	}
	exists := w.book.things[d.name] != nil
	switch {
	case exists != (err == nil):
		w.broke("StartNext(%v) = %v, and the thing exists: %v", key, err, exists)
	case err != nil:
		return
	case (got.Execution == nil) != (len(want) == 0):
		w.broke("StartNext(%v) = %+v, want the first of %s", key, got.Execution, executions(want))
	case got.Execution == nil:
		return
	}
	d.described(w, got, nil)
	x := *got.Execution
	expected := want[0]
	if expected.Status == muster.Queued {
		expected.Version++
	}
	if x.Job != expected.Job || x.Number != expected.Number || x.Version != expected.Version || x.Status != muster.InProgress {
		w.broke("StartNext(%v) = %+v, want %+v in progress", key, x, want[0])
	}
	w.say("%s starts %s#%d", d.name, x.Job, x.Number)
	d.take(w, x)
}

// take begins the work on an execution.
func (d *dummy) take(w *world, x muster.Execution) {
	d.job = &assignment{job: x.Job, ns: x.Namespace, number: x.Number, version: x.Version, ends: w.now + w.between(second, 40*minute)}
	if w.rng.IntN(100) < d.nature.hangs {
		d.job.ends = w.now + w.between(hour, 3*day)
		if d.patient {
			d.job.ends = w.now + hour
		}
	}
	d.next = w.now + w.between(second, 20*minute)
}

// pick chooses from the list of what is pending.
func (d *dummy) pick(w *world, ns muster.Namespace) {
	if w.book.things[d.name] == nil {
		return
	}
	d.ask(w, ns)
	all := w.book.shown(store.QueueKey{Thing: d.name, Namespace: ns})
	if len(all) == 0 || w.power.isDead() {
		return
	}
	x := all[w.rng.IntN(len(all))]
	d.job = &assignment{job: x.Job, ns: ns, number: x.Number, version: x.Version, ends: w.now + w.between(second, 40*minute)}
	d.report(w, muster.InProgress)
}

// carryOn reports progress, or the end.
func (d *dummy) carryOn(w *world) {
	if w.now < d.job.ends {
		d.next = min(d.job.ends, w.now+w.between(minute, hour))
		d.report(w, muster.InProgress)
		return
	}
	roll := w.rng.IntN(100)
	switch {
	case roll < d.nature.fails:
		d.report(w, muster.Failed)
	case roll < d.nature.fails+d.nature.rejects && !w.o.StrictTransitions:
		d.report(w, muster.Rejected)
	default:
		d.report(w, muster.Succeeded)
	}
}

// report makes a device's report and holds the answer against the book.
func (d *dummy) report(w *world, status muster.Status) {
	a := d.job
	in := engine.Report{Thing: d.name, Namespace: a.ns, Job: a.job, Status: status, WithDocument: w.chance(4)}
	if w.chance(2) {
		in.Number = &a.number
	}
	if w.chance(3) {
		version := a.version
		if w.chance(10) {
			version += 1 + w.rng.Int64N(3)
		}
		in.ExpectedVersion = &version
	}
	if w.chance(3) {
		in.Details = map[string]string{"progress": fmt.Sprint(w.rng.IntN(100))}
	}
	if w.chance(8) {
		in.StepMinutes = []int{1 + w.rng.IntN(90), muster.ClearStep}[w.rng.IntN(2)]
	}
	want, kind := w.book.reported(in)
	got, err := asks(w, request{thing: d.name, job: a.job, by: muster.Device, status: status}, func(done func(engine.Described, error)) { w.engine.UpdateExecution(in, done) })
	if errors.Is(err, errCrash) {
		return // it will try again
	}
	w.say("%s reports %s#%d %s: %v", d.name, a.job, a.number, status, err)
	if kindOf(err) != kind {
		w.broke("UpdateExecution(%+v) = %v, want an error of kind %d; it is %+v", in, err, kind, want)
	}
	if err != nil {
		d.refused(w, kind, want)
		return
	}
	x := *got.Execution
	if x.Version != want.Version+1 || x.Status != status || in.WithDocument && (got.Document == nil || *got.Document != w.book.jobs[x.Job].document) {
		w.broke("UpdateExecution(%+v) = %+v, document %v; it was %+v", in, x, got.Document, want)
	}
	stored := w.book.jobs[x.Job].find(d.name, x.Number)
	if stored == nil || !stored.Equal(x) {
		w.broke("UpdateExecution(%+v) answered %+v, and stored is %+v", in, x, stored)
	}
	a.number, a.version = x.Number, x.Version
	if x.Status.Terminal() {
		d.job, d.next = nil, w.now+w.between(0, 5*second)
	} else {
		d.next = max(d.next, w.now+second)
	}
}

// refused is how a device takes a refusal.
func (d *dummy) refused(w *world, kind muster.Kind, is *muster.Execution) {
	d.next = w.now + w.between(0, 10*second)
	if kind == muster.VersionConflict {
		d.job.version = is.Version
		return
	}
	d.job = nil
}

// reported returns the execution that a report is about, or nil, and the kind
// of failure that it must meet: noFailure when it must be taken
// (jobs-data-plane.md section 6.4).
func (b *book) reported(in engine.Report) (*muster.Execution, muster.Kind) {
	j := b.jobs[in.Job]
	if j == nil || j.namespace != in.Namespace || j.stored == nil {
		return nil, muster.NotFound
	}
	x := j.latest(in.Thing)
	if in.Number != nil {
		x = j.find(in.Thing, *in.Number)
	}
	if x == nil {
		return nil, muster.NotFound
	}
	now := *x
	status, gone := j.effective(now)
	if gone {
		return nil, muster.NotFound
	}
	if status != now.Status {
		now.Status = status
		now.Version++
	}
	switch {
	case in.ExpectedVersion != nil && *in.ExpectedVersion != now.Version:
		return &now, muster.VersionConflict
	case now.Status.Terminal(), b.strict && now.Status == muster.InProgress && in.Status == muster.Rejected:
		return &now, muster.InvalidTransition
	}
	return &now, noFailure
}

// noFailure is the kind of no error.
const noFailure = muster.KindCount

func kindOf(err error) muster.Kind {
	var e *muster.Error
	switch {
	case err == nil:
		return noFailure
	case errors.As(err, &e):
		return e.Kind
	}
	return muster.Internal
}

var errCrash = errors.New("sim: the process died")

// ask puts a question on behalf of a device; errCrash means that it was not
// answered.
func ask[T any](w *world, question func(context.Context) (T, error)) (T, error) {
	var got T
	err, answered := w.do(func(ctx context.Context) (err error) { got, err = question(ctx); return err })
	if !answered {
		return got, errCrash
	}
	return got, err
}

// asks is ask for what may change something, which is judged at once.
func asks(w *world, r request, call func(func(engine.Described, error))) (engine.Described, error) {
	w.book.asked = append(w.book.asked, r)
	got, err := ask(w, func(ctx context.Context) (engine.Described, error) { return engine.Await(ctx, call) })
	if errors.Is(err, errCrash) {
		return got, err
	}
	w.judge(false)
	w.book.over()
	return got, err
}

// tell hands the devices what the service has for them.
func (w *world) tell() {
	w.mu.Lock()
	hot := w.hot
	w.hot = nil
	w.mu.Unlock()
	for _, n := range hot {
		if d := w.crowd.byName[n.Thing]; d != nil {
			d.hear(w, n)
			w.crowd.moved(d)
		}
	}
	for _, n := range hot {
		if w.crowd.keeps(n.Thing) && !w.chance(5) { // else it is delivered and nobody has said so yet
			w.engine.Delivered(n)
			synctest.Wait()
		}
	}
	w.judge(false)
}

// hear takes a notification, if the device is there or kept.
func (d *dummy) hear(w *world, n engine.Notification) {
	if !d.online && !d.keeps {
		return
	}
	told := d.told[n.Namespace]
	if n.List {
		told.list, told.knowsList = entrySet(n.Queue.Pending()), true
	}
	if n.Next {
		told.head, told.knowsHead = "", true
		if n.Head != nil {
			told.head = executions([]muster.Execution{*n.Head})
		}
		if d.online && n.Head != nil && d.job == nil {
			d.next = min(d.next, w.now+w.between(0, 30*second))
		}
	}
}

// check holds what some of the devices were told last against what there is.
func (c *crowd) check(w *world) {
	for _, name := range names(c.byName) {
		d := c.byName[name]
		for _, ns := range namespaces {
			pending := w.book.pending(store.QueueKey{Thing: name, Namespace: ns})
			told := d.told[ns]
			if w.book.things[name] == nil {
				continue
			}
			if want := set(pending); (told.knowsList || d.keeps) && told.list != want {
				w.broke("%s (namespace %q) was told %q last, and pending is %q", name, ns, told.list, want)
			}
			head := pending[:min(1, len(pending))]
			if want := set(head); (told.knowsHead || d.keeps) && which(told.head) != want {
				w.broke("%s (namespace %q) was told that %q is next, and it is %q", name, ns, told.head, want)
			}
		}
	}
}

// executions writes executions down, in their order.
func executions(all []muster.Execution) string {
	var parts []string
	for _, x := range all {
		parts = append(parts, fmt.Sprintf("%s#%d v%d %s", x.Job, x.Number, x.Version, x.Status))
	}
	return strings.Join(parts, ", ")
}

// which cuts what executions wrote of one down to which it is.
func which(x string) string { name, _, _ := strings.Cut(x, " "); return name }

func entries(lists ...[]muster.Entry) string {
	var parts []string
	for _, list := range lists {
		for _, e := range list {
			parts = append(parts, fmt.Sprintf("%s#%d v%d %s", e.Job, e.Number, e.Version, e.Status))
		}
	}
	return strings.Join(parts, ", ")
}

// set writes down which executions there are.
func set(all []muster.Execution) string {
	var parts []string
	for _, x := range all {
		parts = append(parts, fmt.Sprintf("%s#%d", x.Job, x.Number))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func entrySet(all []muster.Entry) string {
	var parts []string
	for _, e := range all {
		parts = append(parts, fmt.Sprintf("%s#%d", e.Job, e.Number))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// turns is a heap of devices by when they act next, then by name.
type turns []*dummy

func (t turns) Len() int { return len(t) }
func (t turns) Less(i, j int) bool {
	return t[i].next < t[j].next || t[i].next == t[j].next && t[i].name < t[j].name
}
func (t turns) Swap(i, j int) { t[i], t[j] = t[j], t[i]; t[i].turn, t[j].turn = i, j }
func (t *turns) Push(x any)   { d := x.(*dummy); d.turn = len(*t); *t = append(*t, d) }
func (t *turns) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
