package sim

import (
	"container/heap"
	"context"
	"errors"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
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
	next muster.Instant // when it does something next
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

// natures has the well-behaved ones several times.
var natures = []nature{
	{}, {}, {2, 1, 1, 5}, {2, 1, 1, 5}, {2, 1, 1, 5}, {40, 5, 5, 20}, {10, 10, 20, 40}, {100, 0, 0, 0}, {0, 100, 0, 0}, {0, 0, 100, 0},
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

// connect brings a device online; it asks what is pending unless it has a session
// that was kept.
func (d *dummy) connect(w *world) {
	d.online, d.next = true, w.now+w.between(0, 2*second)
	if d.keeps || w.book.things[d.name] == nil {
		return
	}
	for _, ns := range namespaces {
		d.ask(w, ns)
	}
}

// ask makes a device ask what is pending, and compares the answer with the book.
func (d *dummy) ask(w *world, ns muster.Namespace) {
	key := store.QueueKey{Thing: d.name, Namespace: ns}
	p, err := ask(w, func(ctx context.Context) (jobs.Pending, error) { return w.service.Jobs.GetPending(ctx, d.name, ns) })
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
	next, err := ask(w, func(ctx context.Context) (jobs.Described, error) {
		return w.service.Jobs.DescribeExecution(ctx, jobs.DescribeInput{Thing: d.name, Namespace: ns})
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

// look makes an idle device ask whether there is something to do.
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
