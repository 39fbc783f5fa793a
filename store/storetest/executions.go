package storetest

import (
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

func executions() []promise {
	return []promise{
		{"executions come in the order asked for, with nil for a missing one", executionsInOrder},
		{"an execution keeps every field", executionKeepsFields},
		{"the latest execution has the highest number, whatever gaps there are", latestHasHighestNumber},
		{"the executions of a thing come by job, then number", executionsOfThingInOrder},
		{"a loop may delete what it walks over", loopMayDelete},
		{"an execution that was read or written belongs to the caller", executionBelongsToCaller},
	}
}

func executionsInOrder(t *testing.T, s store.Store) {
	a, b := queued("pump", "job", 1, 10), queued("lamp", "job", 2, 20)
	create(t, s, a, b)
	view(t, s, func(r store.Reader) {
		got := must[[]*muster.Execution](t)(r.Executions(
			store.Key(b), store.ExecutionKey{Thing: "lamp", Job: "job", Number: 1}, store.Key(a), store.Key(b),
			store.ExecutionKey{Thing: "pum", Job: "pjob", Number: 1}))
		expect(t, "Executions()", values(got...), values(&b, nil, &a, &b, nil))
	})
}

func executionKeepsFields(t *testing.T, s store.Store) {
	full := muster.Execution{
		Thing: "pump:1_-x", Job: "job", Number: 1 << 33, Namespace: "ns", Status: muster.InProgress, Version: 1 << 50,
		Details:  map[string]string{"progress": "50 %", "": "empty key", "größe": strings.Repeat("x", 1024), "none": ""},
		QueuedAt: 1_700_000_000_001, StartedAt: 1_700_000_000_002, UpdatedAt: 1_700_000_000_003,
		JobDeadline: 1_700_000_100_000, StepDeadline: 1_700_000_050_000,
		Retries: muster.Retries{Failed: 2, TimedOut: 1}, ForceCanceled: true, Windowed: true, PresignedAt: 1_700_000_000_000,
	}
	all := []muster.Execution{full, {Thing: "bare", Job: "job", Number: 1, Status: muster.Queued}}
	for _, status := range muster.Statuses() {
		all = append(all, muster.Execution{Thing: "pump", Job: muster.JobID(status.String()), Number: 1, Status: status, Version: 1})
	}
	create(t, s, all...)
	view(t, s, func(r store.Reader) {
		for _, want := range all {
			got := must[[]*muster.Execution](t)(r.Executions(store.Key(want)))
			if got[0] == nil || !got[0].Equal(want) {
				t.Errorf("Executions(%+v)\n got %+v\nwant %+v", store.Key(want), values(got...), want)
			}
		}
	})
}

func latestHasHighestNumber(t *testing.T, s store.Store) {
	two, three, many := queued("pump", "job", 2, 10), queued("pump", "job", 3, 20), queued("pump", "job", 300, 30)
	other, neighbour := queued("pump", "job-2", 999, 5), queued("pump-2", "job", 998, 5)
	create(t, s, two, three, many, other, neighbour, queued("pum", "job", 997, 5))
	latest := func(want *muster.Execution) {
		t.Helper()
		view(t, s, func(r store.Reader) {
			got := must[[]*muster.Execution](t)(r.Latest(
				store.AttemptsKey{Thing: "pump-2", Job: "job"}, store.AttemptsKey{Thing: "pump", Job: "jo"},
				store.AttemptsKey{Thing: "pump", Job: "job"}, store.AttemptsKey{Thing: "pump", Job: "job-2"}))
			expect(t, "Latest()", values(got...), values(&neighbour, nil, want, &other))
		})
	}
	latest(&many)
	update(t, s, func(tx store.Tx) { tx.Change(&many, nil) })
	latest(&three)
	update(t, s, func(tx store.Tx) { tx.Change(&three, nil); tx.Change(&two, nil) })
	latest(nil)
}

func executionsOfThingInOrder(t *testing.T, s store.Store) {
	a1, a2, a300, b := queued("pump", "a", 1, 40), queued("pump", "a", 2, 30), queued("pump", "a", 300, 20), queued("pump", "a-b", 1, 10)
	create(t, s, b, a300, a1, a2, queued("pump-1", "a", 1, 1), queued("pum", "a", 1, 1))
	view(t, s, func(r store.Reader) {
		expect(t, "ExecutionsOfThing(pump)", list(t, r.ExecutionsOfThing("pump"), 0), []muster.Execution{a1, a2, a300, b})
		expect(t, "the first two", list(t, r.ExecutionsOfThing("pump"), 2), []muster.Execution{a1, a2})
		expect(t, "ExecutionsOfThing(pu)", list(t, r.ExecutionsOfThing("pu"), 0), "[]")
	})
}

func loopMayDelete(t *testing.T, s store.Store) {
	for n := range int64(200) {
		create(t, s, due(queued("pump", "job", n+1, 10), 50))
	}
	update(t, s, func(tx store.Tx) {
		seen := 0
		for e, err := range tx.ExecutionsOfJob("job", 0, store.Cursor{}) {
			if err != nil {
				t.Fatalf("ExecutionsOfJob: %v", err)
			}
			next := queued("pump", "job", e.Number+1000, 10)
			tx.Change(&e, nil)
			tx.Change(nil, &next)
			seen++
		}
		expect(t, "executions walked over", seen, 200)
		for timer, err := range tx.Timers(50) {
			t.Errorf("timer %v, %v is left", timer, err)
		}
	})
	view(t, s, func(r store.Reader) {
		expect(t, "Counts()", must[muster.Counts](t)(store.CountsOf(r, "job")), muster.Counts{}.Add(muster.Queued, 200))
	})
}

func executionBelongsToCaller(t *testing.T, s store.Store) {
	want := queued("pump", "job", 1, 10)
	want.Details = map[string]string{"k": "v"}
	update(t, s, func(tx store.Tx) {
		given := queued("pump", "job", 1, 10)
		given.Details = map[string]string{"k": "v"}
		tx.Change(nil, &given)
		given.Version, given.Details["k"] = 99, "changed"
		got := must[[]*muster.Execution](t)(tx.Executions(store.Key(want)))
		expect(t, "Executions() after the written one was changed", values(got...), values(&want))
		got[0].Version, got[0].Details["k"] = 99, "changed"
	})
	spoil := func(e muster.Execution, err error) {
		if err != nil {
			t.Fatal(err)
		}
		e.Details["k"] = "changed"
	}
	view(t, s, func(r store.Reader) {
		spoil(*must[*muster.Execution](t)(store.LatestOf(r, "pump", "job")), nil)
		r.ExecutionsOfThing("pump")(func(e muster.Execution, err error) bool { spoil(e, err); return true })
		r.ExecutionsOfJob("job", 0, store.Cursor{})(func(e muster.Execution, err error) bool { spoil(e, err); return true })
		r.AllExecutions()(func(e muster.Execution, err error) bool { spoil(e, err); return true })
		got := must[[]*muster.Execution](t)(r.Executions(store.Key(want)))
		expect(t, "Executions() after those read were changed", values(got...), values(&want))
	})
}
