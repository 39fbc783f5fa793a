package sim

import "github.com/muster-iot/muster"

// finish lets all jobs come to their end: operators give no more orders, and all
// devices are online and do what they can. Afterwards no execution may be left
// that a device could have ended, and no job that could have ended.
func (w *world) finish() {
	w.say("the operators go home")
	w.operator.next = w.now + 1000*day
	for _, name := range names(w.crowd.byName) {
		d := w.crowd.byName[name]
		d.patient = true
		d.next = min(d.next, w.now+hour)
		if d.job != nil {
			d.job.ends = min(d.job.ends, w.now+hour)
		}
		w.crowd.moved(d)
	}
	for end := w.now + 6*day; w.now < end && !w.quiet(); {
		w.next()
		w.step++
	}
	w.check()
	w.verify()
	w.last()
}

// quiet reports whether there is nothing left to do.
func (w *world) quiet() bool {
	for _, j := range w.book.jobs {
		if j.counts.Pending() > 0 || j.stored.Status.Active() && (j.selection == muster.Snapshot || !j.stored.Rollout.Done || j.calendar.end != 0) {
			return false
		}
	}
	return true
}

// last checks what must be true in the end.
func (w *world) last() {
	for _, id := range names(w.book.jobs) {
		j := w.book.jobs[id]
		for _, name := range names(j.runs) {
			if x := j.latest(name); x != nil && !x.Status.Terminal() && w.book.things[name] != nil {
				w.broke("in the end %s has %+v, of job %+v", name, *x, j.stored)
			}
		}
		if j.stored.Status.Active() && (j.selection == muster.Snapshot || j.calendar.end != 0) {
			w.broke("in the end job %s is %s with %v", id, j.stored.Status, j.counts)
		}
	}
}
