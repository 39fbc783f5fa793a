package diary

import (
	"slices"

	"github.com/muster-iot/muster"
)

// news is what one node has seen of a thing since it was written last. Its zero parts have no news.
type news struct {
	came  muster.Arrival
	left  muster.Departure
	https muster.Instant
	told  muster.Telling
	asked muster.Request
	rare  *rare // nil for nothing

	// worked are the kinds of which something has succeeded, at the instant at or before; workedMarked those of subjects that
	// are the thing by their client id only.
	worked, workedMarked kinds
	at                   muster.Instant
}

// rare is what is seen of few things.
type rare struct {
	refused muster.ConnectRefusal
	denied  muster.Denial
	failed  muster.Request
}

// kinds is a set of kinds of actions and requests.
type kinds uint64

const kindsMax = 32 // of each of those that concern jobs, and of others

// kindOf returns the kind of a request of the data plane, or of an action.
func kindOf(word string, jobs bool) kinds {
	at := max(slices.Index(words, word), 0) % kindsMax
	if jobs {
		at += kindsMax
	}
	return 1 << at
}

func kindOfDenial(d muster.Denial) kinds { return kindOf(d.Action, ofJobs(d.Action, d.Resource)) }

func (n *news) seldom() *rare {
	if n.rare == nil {
		n.rare = &rare{}
	}
	return n.rare
}

// empty reports whether there is nothing to write of a thing whose diary has no failure.
func (n *news) empty() bool {
	return n.came.At == 0 && n.left.At == 0 && n.https == 0 && n.told == (muster.Telling{}) && n.asked.At == 0 &&
		(n.rare == nil || *n.rare == rare{})
}

func (n *news) overHTTPS(at muster.Instant) {
	n.https = at
	if n.rare != nil {
		n.rare.refused = muster.ConnectRefusal{}
	}
}

func (n *news) connected(c muster.Arrival) {
	n.came = c
	if n.rare != nil {
		n.rare.refused = muster.ConnectRefusal{}
	}
}

func (n *news) refused(c muster.ConnectRefusal) {
	r := n.seldom()
	c.Count = r.refused.Count + 1
	r.refused = c
}

func (n *news) denied(d muster.Denial) {
	r := n.seldom()
	d.Count = 1
	r.denied = later(r.denied, d)
}

// allowed notes that an action of a kind was permitted.
func (n *news) allowed(kind kinds, marked bool, at muster.Instant) {
	n.at = at
	if marked {
		n.workedMarked |= kind
	} else {
		n.worked |= kind
	}
	if r := n.rare; r != nil && kindOfDenial(r.denied) == kind && (r.denied.AsClientID || !marked) {
		r.denied = muster.Denial{}
	}
}

func (n *news) failed(q muster.Request) {
	r := n.seldom()
	q.Count = 1
	if r.failed.Operation == q.Operation {
		q.Count += r.failed.Count
	}
	r.failed = q
}

// succeeded notes that a request has succeeded. If it has changed an execution, that tells of it, and that the thing was
// told before is of no interest any more.
func (n *news) succeeded(q muster.Request, changed bool) {
	if changed {
		n.told = muster.Telling{}
	} else {
		n.asked = q
	}
	n.at = q.At
	n.worked |= kindOf(q.Operation, false)
	if n.rare != nil && n.rare.failed.Operation == q.Operation {
		n.rare.failed = muster.Request{}
	}
}

// voids reports whether something of a kind has succeeded after an instant.
func (n *news) voids(at muster.Instant, kind kinds, marked bool) bool {
	worked := n.worked
	if marked {
		worked |= n.workedMarked
	}
	return at <= n.at && worked&kind != 0
}

// later returns which of two denials is kept, with how many there were of its kind. One that concerns jobs, and one of a
// subject that is the thing for certain, is kept while the other is of another kind.
func later(old, next muster.Denial) muster.Denial {
	if next.At < old.At {
		old, next = next, old
	}
	switch {
	case old.At == 0:
		return next
	case next.AsClientID && !old.AsClientID, ofJobs(old.Action, old.Resource) && !ofJobs(next.Action, next.Resource):
		return old
	case kindOfDenial(old) == kindOfDenial(next) && old.AsClientID == next.AsClientID:
		next.Count = min(next.Count+old.Count, countMax)
	}
	return next
}

// onto returns the diary that d becomes with the news. Of each part the newer is kept, since other nodes write d, too.
func (n *news) onto(d muster.Diary) muster.Diary {
	if n.came.At != 0 && n.came.At >= d.Came.At {
		d.Came = n.came
	}
	if n.left.At != 0 && n.left.At >= d.Left.At {
		d.Left = n.left
	}
	d.HTTPS = max(d.HTTPS, n.https)
	if n.told.At != 0 && n.told.At >= d.Told.At {
		d.Told.At, d.Told.Job = n.told.At, n.told.Job
	}
	if d.Told.Acked = max(d.Told.Acked, n.told.Acked); d.Told.Acked < d.Told.At {
		d.Told.Acked = 0
	}
	if n.asked.At != 0 && n.asked.At >= d.Asked.At {
		d.Asked = n.asked
	}
	if d.Refused.At <= max(d.Came.At, d.HTTPS) {
		d.Refused = muster.ConnectRefusal{}
	}
	if n.voids(d.Denied.At, kindOfDenial(d.Denied), d.Denied.AsClientID) {
		d.Denied = muster.Denial{}
	}
	if n.voids(d.Failed.At, kindOf(d.Failed.Operation, false), false) {
		d.Failed = muster.Request{}
	}
	if n.rare != nil {
		n.rare.onto(&d)
	}
	return d
}

func (r *rare) onto(d *muster.Diary) {
	if next := r.refused; next.At > max(d.Came.At, d.HTTPS) && next.At >= d.Refused.At {
		next.Count = min(next.Count+d.Refused.Count, countMax)
		d.Refused = next
	}
	if r.denied.At != 0 {
		d.Denied = later(d.Denied, r.denied)
	}
	if next := r.failed; next.At != 0 && next.At >= d.Failed.At {
		if next.Operation == d.Failed.Operation {
			next.Count = min(next.Count+d.Failed.Count, countMax)
		}
		d.Failed = next
	}
}

// since adds newer news to n.
func (n *news) since(newer *news) {
	d := muster.Diary{Came: n.came, Left: n.left, HTTPS: n.https, Told: n.told, Asked: n.asked}
	if r := n.rare; r != nil {
		d.Refused, d.Denied, d.Failed = r.refused, r.denied, r.failed
	}
	d = newer.onto(d)
	*n = news{
		came: d.Came, left: d.Left, https: d.HTTPS, told: d.Told, asked: d.Asked,
		worked: n.worked | newer.worked, workedMarked: n.workedMarked | newer.workedMarked, at: max(n.at, newer.at),
	}
	if r := (rare{d.Refused, d.Denied, d.Failed}); r != (rare{}) {
		n.rare = &r
	}
}

// troubled reports whether a diary has something that a success would remove.
func troubled(d muster.Diary) bool { return d.Refused.At != 0 || d.Denied.At != 0 || d.Failed.At != 0 }
