package rollout

import (
	"testing"

	"github.com/muster-iot/muster"
)

func TestRetryOfTheContract(t *testing.T) {
	criteria := []muster.RetryCriterion{upTo(muster.FailureFailed, 2), upTo(muster.FailureTimedOut, 1)}
	var used muster.Retries
	queuedAt := t0
	for i, step := range []struct {
		ends  muster.Status
		retry bool
	}{{muster.Failed, true}, {muster.TimedOut, true}, {muster.Failed, true}, {muster.Failed, false}} {
		next, ok := Retry(t0, Ending{Job: muster.JobInProgress, Criteria: criteria, Status: step.ends, Used: used, QueuedAt: queuedAt})
		if ok != step.retry {
			t.Fatalf("execution %d, %s: retried = %t, want %t", i+1, step.ends, ok, step.retry)
		}
		if !ok {
			break
		}
		if next.Retries.Attempt() != i+1 || next.QueuedAt.Seconds() <= queuedAt.Seconds() {
			t.Fatalf("execution %d is followed by %+v, want attempt %d in a later second than %d", i+1, next, i+1, queuedAt)
		}
		used, queuedAt = next.Retries, next.QueuedAt
	}
}

func TestRetry(t *testing.T) {
	type list = []muster.RetryCriterion
	failed := Ending{Job: muster.JobInProgress, Criteria: list{upTo(muster.FailureAll, 2)}, Status: muster.Failed, QueuedAt: t0 - 5*minute}
	once := Attempt{Retries: muster.Retries{Failed: 1}, QueuedAt: t0}
	for _, test := range []struct {
		name   string
		change func(*Ending)
		want   Attempt // zero: no retry
	}{
		{"a failed execution is retried now", func(*Ending) {}, once},
		{"ALL covers time-outs", func(e *Ending) { e.Status = muster.TimedOut }, Attempt{muster.Retries{TimedOut: 1}, t0}},
		{"ALL counts both kinds", func(e *Ending) { e.Used = muster.Retries{Failed: 1, TimedOut: 1} }, Attempt{}},
		{"a rejected one is never retried", func(e *Ending) { e.Status = muster.Rejected }, Attempt{}},
		{"nor a cancelled one", func(e *Ending) { e.Status = muster.Canceled }, Attempt{}},
		{"nor a removed one", func(e *Ending) { e.Status = muster.Removed }, Attempt{}},
		{"nor one that succeeded", func(e *Ending) { e.Status = muster.Succeeded }, Attempt{}},
		{"no criteria", func(e *Ending) { e.Criteria = nil }, Attempt{}},
		{"a criterion for the other kind", func(e *Ending) { e.Criteria = list{upTo(muster.FailureTimedOut, 10)} }, Attempt{}},
		{"retries set to 0", func(e *Ending) { e.Criteria[0].Max = 0 }, Attempt{}},
		{"the tenth retry", func(e *Ending) { e.Criteria[0].Max, e.Used.Failed = 10, 9 }, Attempt{muster.Retries{Failed: 10}, t0}},
		{"no eleventh", func(e *Ending) { e.Criteria[0].Max, e.Used.Failed = 10, 10 }, Attempt{}},
		{"the other kind's retries do not count", func(e *Ending) {
			e.Criteria, e.Used = list{upTo(muster.FailureFailed, 1), upTo(muster.FailureTimedOut, 3)}, muster.Retries{TimedOut: 3}
		}, Attempt{muster.Retries{Failed: 1, TimedOut: 3}, t0}},
		{"the job is cancelled", func(e *Ending) { e.Job = muster.JobCanceled }, Attempt{}},
		{"the job is being deleted", func(e *Ending) { e.Job = muster.JobDeleting }, Attempt{}},
		{"the job's end time has come", func(e *Ending) { e.Schedule.Phase = Ended }, Attempt{}},
		{"the thing has left", func(e *Ending) { e.Left = true }, Attempt{}},
		{"outside the windows it waits", func(e *Ending) {
			e.Job, e.Schedule = muster.JobScheduled, State{Closed, t0 + minute}
		}, Attempt{Retries: muster.Retries{Failed: 1}}},
		{"queued in this very second", func(e *Ending) { e.QueuedAt = t0 }, Attempt{muster.Retries{Failed: 1}, t0 + 750}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := failed
			e.Criteria = list{upTo(muster.FailureAll, 2)}
			test.change(&e)
			got, ok := Retry(t0, e)
			if got != test.want || ok != (test.want != Attempt{}) {
				t.Errorf("Retry(%+v) = %+v, %t; want %+v", e, got, ok, test.want)
			}
		})
	}
}

func TestQueuedAfterIsALaterSecond(t *testing.T) {
	for _, test := range []struct{ previous, now, want muster.Instant }{
		{10_250, 10_250, 11_000},
		{10_000, 10_999, 11_000},
		{10_999, 11_000, 11_000},
		{10_999, 11_001, 11_001},
		{10_250, 9_000, 11_000}, // the clock was set back
		{0, 99, 1000},
	} {
		if got := QueuedAfter(test.previous, test.now); got != test.want {
			t.Errorf("QueuedAfter(%d, %d) = %d, want %d", test.previous, test.now, got, test.want)
		}
	}
}
