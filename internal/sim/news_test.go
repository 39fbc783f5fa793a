package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing/synctest"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

// news is the last state that a device was told; unknown until then.
type news struct {
	list, head           string
	knowsList, knowsHead bool
}

func (d *dummy) forget() {
	for _, n := range d.told {
		*n = news{}
	}
}

// tell passes the service's notifications to the devices.
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
		if w.crowd.keeps(n.Thing) && !w.chance(5) { // otherwise it is delivered, but not acknowledged yet
			w.service.Jobs.Delivered(n)
			synctest.Wait()
		}
	}
	w.judge(author{})
}

// hear takes a notification, if the device is online or has a kept session.
func (d *dummy) hear(w *world, n jobs.Notification) {
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

// check compares what some of the devices were told last with the actual state.
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

// which shortens the text of an execution to its name.
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
