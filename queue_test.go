package muster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func pending(job string, status Status, queuedAt Instant) Execution {
	return Execution{Thing: "lamp", Job: JobID(job), Number: 1, Status: status, Version: 1, QueuedAt: queuedAt}
}

func ids(entries []Entry) string {
	var names []string
	for _, e := range entries {
		names = append(names, string(e.Job))
	}
	return strings.Join(names, " ")
}

func TestPendingOrder(t *testing.T) {
	q := Queue{Thing: "lamp"}
	for _, e := range []Execution{
		pending("late", Queued, 30), pending("early", Queued, 10), pending("b", Queued, 20), pending("a", Queued, 20),
		pending("running-late", InProgress, 40), pending("running-early", InProgress, 5),
	} {
		q = q.With(e)
	}
	if got, want := ids(q.Pending()), "running-early running-late early a b late"; got != want {
		t.Errorf("Pending = %s, want %s", got, want)
	}
	if head, ok := q.Head(); !ok || head.Job != "running-early" {
		t.Errorf("Head = %+v, %v", head, ok)
	}
}

func TestShownIsCapped(t *testing.T) {
	q := Queue{Thing: "lamp"}
	for i := range 20 {
		e := pending(fmt.Sprintf("job-%02d", i), Queued, Instant(i))
		e.Windowed = i%2 == 0
		q = q.With(e)
	}
	q = q.With(pending("running", InProgress, 99))
	inProgress, queued := q.Shown()
	if len(inProgress) != 1 || len(queued) != 9+5 {
		t.Errorf("Shown has %d and %d, want 1 and 14: 10 plain ones and 5 with windows", len(inProgress), len(queued))
	}
	if got, want := ids(queued[:3]), "job-00 job-01 job-02"; got != want {
		t.Errorf("Shown begins %s, want %s", got, want)
	}
}

// On random histories of a queue, Head, Diff and With agree with a slow model that
// follows their definitions.
func TestQueueProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		q := Queue{Thing: "lamp"}
		model := map[JobID]Entry{}
		for range 40 {
			job := JobID(fmt.Sprintf("job-%d", rng.IntN(8)))
			e := Execution{
				Thing: "lamp", Job: job, Number: 1 + rng.Int64N(2), Status: Status(1 + rng.IntN(4)),
				Version: rng.Int64N(9), QueuedAt: Instant(rng.IntN(5)),
			}
			if old, ok := model[job]; ok && e.Status.Terminal() {
				e.Number = old.Number
			}
			before, oldModel := q, clone(model)
			q = q.With(e)
			old := model[job]
			delete(model, job)
			if !e.Status.Terminal() {
				model[job] = Entry{
					Job: job, Number: e.Number, Version: e.Version, Status: e.Status, QueuedAt: e.QueuedAt,
					Hidden: old.Hidden && old.Number == e.Number && e.Status == Queued,
				}
			}
			if rng.IntN(4) == 0 {
				q = hide(q, model, rng)
			}
			check(t, before, q, oldModel, model)
		}
	}
}

func clone(m map[JobID]Entry) map[JobID]Entry {
	return maps.Clone(m)
}

// hide hides some entries, as the end of a maintenance window does.
func hide(q Queue, model map[JobID]Entry, rng *rand.Rand) Queue {
	q.Entries = slices.Clone(q.Entries)
	for i, e := range q.Entries {
		q.Entries[i].Hidden = e.Status == Queued && rng.IntN(2) == 0
		model[e.Job] = q.Entries[i]
	}
	return q
}

func check(t *testing.T, before, q Queue, oldModel, model map[JobID]Entry) {
	t.Helper()
	if len(q.Entries) != len(model) || !slices.IsSortedFunc(q.Entries, func(a, b Entry) int { return strings.Compare(string(a.Job), string(b.Job)) }) {
		t.Fatalf("the queue is %+v, want the entries of %+v by job", q.Entries, model)
	}
	sort := func(m map[JobID]Entry) []Entry {
		var all []Entry
		for _, e := range m {
			if !e.Hidden {
				all = append(all, e)
			}
		}
		slices.SortFunc(all, Entry.compare)
		return all
	}
	was, is := sort(oldModel), sort(model)
	if got := q.Pending(); ids(got) != ids(is) {
		t.Fatalf("Pending = %s, want %s", ids(got), ids(is))
	}
	head, ok := q.Head()
	if ok != (len(is) > 0) || (ok && head.Job != is[0].Job) {
		t.Fatalf("Head = %+v, %v; want the first of %s", head, ok, ids(is))
	}
	key := func(e Entry) string { return fmt.Sprintf("%s/%d", e.Job, e.Number) }
	set := func(all []Entry) map[string]bool {
		s := map[string]bool{}
		for _, e := range all {
			s[key(e)] = true
		}
		return s
	}
	first := func(all []Entry) string {
		if len(all) == 0 {
			return ""
		}
		return key(all[0])
	}
	want := Change{List: fmt.Sprint(set(was)) != fmt.Sprint(set(is)), Next: first(was) != first(is)}
	if got := Diff(before, q); got != want {
		t.Fatalf("Diff = %+v, want %+v, from %s to %s", got, want, ids(was), ids(is))
	}
}

// The revisions of a queue rise with every write: while the clock moves, stands still or
// goes back, when the queue is removed and comes again, and after a restart, which
// forgets what was removed and finds the clock at a later instant than that of the oldest entry.
func TestRevisionsRise(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		q := Queue{Thing: "lamp"}
		now, oldest, last, removed := Instant(1_700_000_000_000), Instant(0), int64(0), int64(0)
		steady := rng.IntN(2) == 0 // the clock never goes back in this history
		for step := range 60 {
			switch rng.IntN(4) {
			case 0:
				now += Instant(rng.IntN(3))
			case 1:
				if !steady {
					now -= Instant(rng.IntN(100))
				}
			case 2:
				if steady && rng.IntN(4) == 0 {
					now, removed = max(now, oldest+1), 0 // restarted
				}
			}
			job := fmt.Sprintf("job-%d", rng.IntN(3))
			if entry, ok := q.Find(JobID(job)); ok && rng.IntN(3) > 0 {
				oldest = Instant(q.LeastRev() / 1000)
				q = q.Without(entry.Job, entry.Number)
			} else {
				q = q.With(pending(job, Status(1+rng.IntN(2)), now)).Hide(JobID(job), rng.IntN(2) == 0)
			}
			q = q.Revised(removed)
			if q.Rev <= last || q.Rev < q.LeastRev() {
				t.Fatalf("step %d: revision %d after %d, and the lowest is %d", step, q.Rev, last, q.LeastRev())
			}
			if last = q.Rev; len(q.Entries) == 0 {
				removed, q.Rev = max(removed, q.Rev), 0
			}
		}
	}
}

// A store keeps a revision as what it is above the lowest one, so that must stay small.
func TestRevisionsStayNearTheLowest(t *testing.T) {
	q, now := Queue{Thing: "lamp"}, Instant(1_700_000_000_000)
	for i := range 1000 {
		now += 3_600_000
		q = q.With(pending(fmt.Sprintf("job-%d", i), Queued, now)).Revised(0)
		if done := fmt.Sprintf("job-%d", i-3); i >= 3 {
			q = q.Without(JobID(done), 1).Revised(0)
		}
		if above := q.Rev - q.LeastRev(); above > 8 {
			t.Fatalf("after %d jobs the revision is %d above the lowest one", i+1, above)
		}
	}
}
