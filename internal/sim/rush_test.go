package sim

import (
	"context"
	"slices"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/jobs"
)

// call is one of several that the service was asked for at the same time.
type call struct {
	answer chan error
	got    jobs.Described
	device *dummy
	order  *order
}

// rushMax bounds the devices that come at the same time.
const rushMax = 40

// rush makes many devices, an operator and the background work call the service
// while it is busy, so that they share a transaction. The answer to each depends on
// those before it; in any case, what a caller was told must be true afterwards.
func (w *world) rush() {
	open := w.power.shut()
	w.rushed(func(ctx context.Context) error { // it keeps the committer busy
		_, err := commit.Await(ctx, func(done func(jobs.Described, error)) {
			w.service.Jobs.StartNext(jobs.StartNextInput{Thing: "nobody"}, done)
		})
		return err
	})
	var calls []*call
	for _, d := range w.comers() {
		calls = append(calls, w.come(d))
	}
	background := w.chance(2)
	if background {
		w.rushed(func(ctx context.Context) error { _, err := w.service.Work(ctx); return err })
	}
	if o := w.hasty(); o != nil {
		w.unknown = o
		w.book.asked = append(w.book.asked, o.asked...)
		calls = append(calls, &call{answer: w.rushed(o.call), order: o})
	}
	w.say("%d calls at the same time, background work: %v", len(calls), background)
	open()
	synctest.Wait()
	w.due = true
	for _, c := range calls {
		w.gone(c)
	}
	if slices.ContainsFunc(calls, func(c *call) bool { return c.device != nil && len(c.answer) == 0 }) {
		w.power.kill() // they wait for a disk on which nothing becomes durable any more
	}
	if w.power.isDead() {
		synctest.Wait()
		return // crashed finds out
	}
	w.judge(author{itself: background})
	w.book.over()
	for _, c := range calls {
		w.holds(c)
	}
}

// rushed makes a call that cannot be answered yet.
func (w *world) rushed(fn func(context.Context) error) chan error {
	answer := make(chan error, 1)
	go func() { answer <- fn(context.Background()) }()
	synctest.Wait()
	return answer
}

// comers are some of the devices that are online, each once.
func (w *world) comers() []*dummy {
	var all []*dummy
	for _, name := range names(w.crowd.byName) {
		if d := w.crowd.byName[name]; d.online && w.chance(3) && len(all) < rushMax {
			all = append(all, d)
		}
	}
	return all
}

// come makes a device report on its job, or ask for one.
func (w *world) come(d *dummy) *call {
	c := &call{device: d}
	if d.job == nil {
		w.book.asked = append(w.book.asked, request{thing: d.name, by: muster.Device, status: muster.InProgress})
		in := jobs.StartNextInput{Thing: d.name, Namespace: namespaces[w.rng.IntN(len(namespaces))]}
		c.answer = w.rushed(func(ctx context.Context) (err error) {
			c.got, err = commit.Await(ctx, func(done func(jobs.Described, error)) { w.service.Jobs.StartNext(in, done) })
			return err
		})
		return c
	}
	status := []muster.Status{muster.InProgress, muster.Succeeded, muster.Failed}[w.rng.IntN(3)]
	w.book.asked = append(w.book.asked, request{thing: d.name, job: d.job.job, by: muster.Device, status: status})
	in := jobs.UpdateInput{Thing: d.name, Namespace: d.job.ns, Job: d.job.job, Status: status}
	c.answer = w.rushed(func(ctx context.Context) (err error) {
		c.got, err = commit.Await(ctx, func(done func(jobs.Described, error)) { w.service.Jobs.UpdateExecution(in, done) })
		return err
	})
	return c
}

// hasty is an order whose result depends on what runs before it, or nil.
func (w *world) hasty() (o *order) {
	switch w.rng.IntN(4) {
	case 0:
		o = w.cancelJob(w.someJob())
	case 1:
		o = w.deleteJob(w.someJob())
	case 2:
		o = w.cancelExecution(w.someThing(), w.someJob())
	default:
		return nil
	}
	o.want = noFailure // whether it must fail cannot be known
	return o
}

// gone enters the answer to an order, if there is one, into the book.
func (w *world) gone(c *call) {
	if c.order == nil || len(c.answer) == 0 {
		return
	}
	err := <-c.answer
	w.say("%s: %v", c.order.name, err)
	if known(err) {
		w.unknown = nil
	}
	if err == nil {
		w.book.stop(c.order)
	}
}

// stop enters the effect of an order that other calls may have preceded: the jobs
// that it stops may have been given to things before it.
func (b *book) stop(o *order) {
	was := map[*job]stop{}
	for _, j := range b.jobs {
		was[j] = j.stopped
	}
	o.effect(b)
	for j, stopped := range was {
		j.stopping = j.stopped != stopped
	}
}

// holds checks that what a device was told is true.
func (w *world) holds(c *call) {
	if c.device == nil {
		return
	}
	err := <-c.answer
	d := c.device
	switch {
	case !known(err):
		w.broke("the service failed: %v", err)
	case err != nil:
		d.job = nil
	case c.got.Execution != nil:
		x := *c.got.Execution
		if j := w.book.jobs[x.Job]; j != nil {
			if stored := j.find(x.Thing, x.Number); stored == nil || stored.Version < x.Version {
				w.broke("%s was told %+v, and stored is %+v", d.name, x, stored)
			}
		}
		if d.job = nil; !x.Status.Terminal() {
			d.take(w, x)
		}
	}
	d.next = min(d.next, w.now+w.between(0, 10*second))
	w.crowd.moved(d)
}
