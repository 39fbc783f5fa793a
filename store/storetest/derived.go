package storetest

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func derived() []promise {
	return []promise{
		{"counts follow every change of every execution", countsFollow},
		{"timers follow the deadline: set, moved, cleared, ended, deleted", timersFollow},
		{"timers come earliest first and only when due", timersInOrder},
	}
}

func countsFollow(t *testing.T, s store.Store) {
	counts := func(job muster.JobID, want muster.Counts) {
		t.Helper()
		view(t, s, func(r store.Reader) {
			expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, job)), want)
		})
	}
	a, b, other := queued("a", "job", 1, 10), queued("b", "job", 1, 10), queued("a", "other", 1, 10)
	create(t, s, a, b, other)
	counts("job", muster.Counts{}.Add(muster.Queued, 2))

	started := due(a, 50)
	failed := with(b, muster.Failed)
	update(t, s, func(tx store.Tx) { tx.Change(&a, &started); tx.Change(&b, &failed) })
	counts("job", muster.Counts{}.Add(muster.InProgress, 1).Add(muster.Failed, 1))

	reported := with(started, muster.InProgress)
	update(t, s, func(tx store.Tx) { tx.Change(&started, &reported) })
	counts("job", muster.Counts{}.Add(muster.InProgress, 1).Add(muster.Failed, 1))

	update(t, s, func(tx store.Tx) {
		done, second := with(reported, muster.Succeeded), queued("b", "job", 2, 20)
		tx.Change(&reported, &done) // twice in one transaction
		tx.Change(&done, nil)
		tx.Change(nil, &second)
	})
	counts("job", muster.Counts{}.Add(muster.Failed, 1).Add(muster.Queued, 1))
	counts("other", muster.Counts{}.Add(muster.Queued, 1))
	update(t, s, func(tx store.Tx) { tx.Change(&other, nil) })
	counts("other", muster.Counts{})
	view(t, s, func(r store.Reader) {
		want := []muster.Counts{{}, muster.Counts{}.Add(muster.Failed, 1).Add(muster.Queued, 1)}
		expect(t, "Counts(other, job)", must[[]muster.Counts](t)(r.Counts("other", "job")), want)
	})
}

func timersFollow(t *testing.T, s store.Store) {
	e := queued("pump", "job", 1, 10)
	create(t, s, e)
	becomes := func(next muster.Execution, want ...store.Timer) {
		t.Helper()
		next.Version = e.Version + 1
		update(t, s, func(tx store.Tx) { tx.Change(&e, &next) })
		e = next
		view(t, s, func(r store.Reader) { expect(t, "Timers()", list(t, r.Timers(1<<60), 0), want) })
	}
	at := func(due muster.Instant) store.Timer { return store.Timer{Due: due, ExecutionKey: store.Key(e)} }

	started := with(e, muster.InProgress)
	becomes(started)
	becomes(due(started, 1000), at(1000))
	step := due(started, 1000)
	step.StepDeadline = 700
	becomes(step, at(700))
	step.StepDeadline = 800
	becomes(step, at(800))
	step.Details = map[string]string{"k": "v"}
	becomes(step, at(800))
	step.StepDeadline = 0
	becomes(step, at(1000))
	becomes(started)
	becomes(step, at(1000))
	becomes(with(step, muster.Succeeded)) // a final execution has no deadline, whatever its fields say
	becomes(step, at(1000))
	update(t, s, func(tx store.Tx) { tx.Change(&e, nil) })
	view(t, s, func(r store.Reader) { expect(t, "Timers() once deleted", list(t, r.Timers(1<<60), 0), "[]") })
}

func timersInOrder(t *testing.T, s store.Store) {
	var want []store.Timer
	for _, at := range []muster.Instant{1, 255, 256, 1_700_000_000_000} {
		for _, thing := range []muster.ThingName{"a", "a-b", "b"} {
			e := due(queued(thing, "job", int64(at), 1), at)
			create(t, s, e)
			want = append(want, store.Timer{Due: at, ExecutionKey: store.Key(e)})
		}
	}
	view(t, s, func(r store.Reader) {
		expect(t, "Timers(0)", list(t, r.Timers(0), 0), "[]")
		expect(t, "Timers(254)", list(t, r.Timers(254), 0), want[:3])
		expect(t, "Timers(255)", list(t, r.Timers(255), 0), want[:6])
		expect(t, "Timers(256)", list(t, r.Timers(256), 0), want[:9])
		expect(t, "the first two", list(t, r.Timers(1<<60), 2), want[:2])
		expect(t, "Timers(max)", list(t, r.Timers(1<<63-1), 0), want)
	})
}
