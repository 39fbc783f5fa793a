package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func ofJob() []promise {
	return []promise{
		{"the executions of a job come latest queued first, then by thing and number", executionsOfJobInOrder},
		{"the executions of a job can be had by status", executionsOfJobByStatus},
		{"a cursor continues after its place, even if that execution is gone", cursorContinues},
		{"pages of any size add up to the whole, ties included", pagesAddUp},
		{"jobs whose names begin alike are apart", jobsAreApart},
	}
}

// tied returns executions of one job in their order, many queued at the same
// instant and their statuses mixed.
func tied() []muster.Execution {
	var all []muster.Execution
	for i, at := range []muster.Instant{1_700_000_000_000, 300, 299, 0} {
		for _, thing := range []muster.ThingName{"a", "a-b", "b"} {
			for _, number := range []int64{1, 2, 300} {
				e := queued(thing, "job", number+int64(i)*1000, at)
				e.Status = muster.Statuses()[len(all)*5%8]
				all = append(all, e)
			}
		}
	}
	return all
}

func createBackwards(t *testing.T, s store.Store, all []muster.Execution) {
	t.Helper()
	for _, e := range slices.Backward(all) {
		create(t, s, e)
	}
}

func executionsOfJobInOrder(t *testing.T, s store.Store) {
	all := tied()
	createBackwards(t, s, all)
	view(t, s, func(r store.Reader) {
		expect(t, "ExecutionsOfJob()", list(t, r.ExecutionsOfJob("job", 0, store.Cursor{}), 0), all)
		expect(t, "ExecutionsOfJob(other)", list(t, r.ExecutionsOfJob("other", 0, store.Cursor{}), 0), "[]")
	})
}

func executionsOfJobByStatus(t *testing.T, s store.Store) {
	all := tied()
	createBackwards(t, s, all)
	view(t, s, func(r store.Reader) {
		for _, status := range muster.Statuses() {
			got := list(t, r.ExecutionsOfJob("job", status, store.Cursor{}), 0)
			expect(t, fmt.Sprintf("ExecutionsOfJob(%s)", status), got, after(all, status, -1))
		}
	})
	succeeded := with(all[0], muster.Succeeded)
	update(t, s, func(tx store.Tx) { tx.Change(&all[0], &succeeded) })
	view(t, s, func(r store.Reader) {
		got := list(t, r.ExecutionsOfJob("job", all[0].Status, store.Cursor{}), 0)
		expect(t, "its old status", got, after(all, all[0].Status, 0))
		got = list(t, r.ExecutionsOfJob("job", muster.Succeeded, store.Cursor{}), 1)
		expect(t, "its new status", got, []muster.Execution{succeeded})
	})
}

func cursorContinues(t *testing.T, s store.Store) {
	all := tied()
	createBackwards(t, s, all)
	check := func() {
		t.Helper()
		view(t, s, func(r store.Reader) {
			for i, e := range all {
				for _, status := range []muster.Status{0, e.Status, muster.Failed} {
					got := list(t, r.ExecutionsOfJob("job", status, store.CursorOf(e)), 0)
					expect(t, fmt.Sprintf("ExecutionsOfJob(%q) after %d", status, i), got, after(all, status, i))
				}
			}
		})
	}
	check()
	gone := all[7]
	update(t, s, func(tx store.Tx) { tx.Change(&gone, nil) })
	view(t, s, func(r store.Reader) {
		got := list(t, r.ExecutionsOfJob("job", 0, store.CursorOf(gone)), 0)
		expect(t, "after an execution that is gone", got, all[8:])
	})
}

func pagesAddUp(t *testing.T, s store.Store) {
	all := tied()
	createBackwards(t, s, all)
	for size := 1; size <= len(all)+1; size += 3 {
		var got []muster.Execution
		var cursor store.Cursor
		for range len(all) + 1 {
			var page []muster.Execution
			view(t, s, func(r store.Reader) { page = list(t, r.ExecutionsOfJob("job", 0, cursor), size) })
			if got = append(got, page...); len(page) < size {
				break
			}
			cursor = store.CursorOf(page[len(page)-1])
		}
		expect(t, fmt.Sprintf("pages of %d", size), got, all)
	}
}

func jobsAreApart(t *testing.T, s store.Store) {
	a, ab, b := queued("t", "a", 1, 10), queued("t", "a-b", 1, 10), queued("t", "b", 1, 10)
	create(t, s, b, ab, a)
	view(t, s, func(r store.Reader) {
		expect(t, "ExecutionsOfJob(a)", list(t, r.ExecutionsOfJob("a", 0, store.Cursor{}), 0), []muster.Execution{a})
		expect(t, "ExecutionsOfJob(a-b)", list(t, r.ExecutionsOfJob("a-b", 0, store.Cursor{}), 0), []muster.Execution{ab})
		expect(t, "ExecutionsOfJob(b) after a's", list(t, r.ExecutionsOfJob("b", muster.Queued, store.CursorOf(a)), 0), "[]")
		expect(t, "Counts(a)", must[muster.Counts](t)(store.CountsOf(r, "a")).Total(), 1)
	})
}

// after returns those of all with the status (any, if zero) that follow
// position i.
func after(all []muster.Execution, status muster.Status, i int) []muster.Execution {
	var some []muster.Execution
	for _, e := range all[i+1:] {
		if status == 0 || e.Status == status {
			some = append(some, e)
		}
	}
	return some
}
