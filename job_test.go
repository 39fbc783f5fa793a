package muster

import "testing"

func TestJobMoves(t *testing.T) {
	for _, test := range []struct {
		name  string
		from  JobStatus
		event JobEvent
		want  JobStatus // zero: refused
	}{
		{"a running job is cancelled", JobInProgress, JobIsCanceled, JobCanceled},
		{"a finished job is not cancelled", JobCompleted, JobIsCanceled, 0},
		{"nor by force", JobCompleted, JobIsForceCanceled, 0},
		{"a cancelled job is not cancelled again", JobCanceled, JobIsCanceled, 0},
		{"but force ends its survivors", JobCanceled, JobIsForceCanceled, JobCanceled},
		{"a running job is not deleted", JobInProgress, JobIsDeleted, 0},
		{"but by force it is", JobScheduled, JobIsForceDeleted, JobDeleting},
		{"a finished job is deleted", JobCompleted, JobIsDeleted, JobDeleting},
		{"a job under deletion is not deleted again", JobDeleting, JobIsForceDeleted, 0},
		{"a finished job never reopens", JobCompleted, JobStarts, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			j, err := Job{ID: "fw", Status: test.from}.Apply(test.event, 5)
			if (err == nil) != (test.want != 0) || (err == nil && (j.Status != test.want || j.UpdatedAt != 5)) {
				t.Errorf("Apply = %+v, %v; want %s", j, err, test.want)
			}
		})
	}
}

func TestEndedNeedsARolledOutSnapshotWithoutPending(t *testing.T) {
	done := Job{Status: JobInProgress, Rollout: Rollout{Done: true}}
	if !done.Ended(Counts{}) || !done.Ended(Counts{}.Add(Failed, 3)) {
		t.Error("a rolled out snapshot job without pending executions has not ended")
	}
	rolling, continuous, canceled := done, done, done
	rolling.Rollout.Done, continuous.Selection, canceled.Status = false, Continuous, JobCanceled
	for name, j := range map[string]Job{"rolling": rolling, "continuous": continuous, "cancelled": canceled} {
		if j.Ended(Counts{}) {
			t.Errorf("a %s job has ended", name)
		}
	}
	for _, s := range []Status{Queued, InProgress} {
		if done.Ended(Counts{}.Add(s, 1)) {
			t.Errorf("a job with an execution %s has ended", s)
		}
	}
}

func TestProcessingShrinksAsTargetsAreDone(t *testing.T) {
	j := Job{Status: JobInProgress, Targets: []Target{{Name: "a"}, {Name: "b"}}, Rollout: Rollout{Started: 1, Target: 1}}
	if got := j.Processing(); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("Processing = %+v, want b", got)
	}
	j.Rollout.Done = true
	if got := j.Processing(); got != nil {
		t.Errorf("Processing of a rolled out job = %+v", got)
	}
	more := j.WithTargets([]Target{{Name: "a"}, {Name: "b"}, {Name: "c"}})
	if got := more.Processing(); len(got) != 1 || got[0].Name != "c" {
		t.Errorf("Processing after a target was added = %+v, want c", got)
	}
}

func TestARolloutThatWaitedBeginsAnew(t *testing.T) {
	j := Job{Rollout: Rollout{Started: 5, Held: true}}
	if got := j.BeginRollout(9).Rollout; got != (Rollout{Started: 9}) {
		t.Errorf("BeginRollout = %+v, want it to start at 9", got)
	}
	j.Rollout.Target = 1
	if got := j.BeginRollout(9).Rollout; got != (Rollout{Started: 5, Target: 1}) {
		t.Errorf("BeginRollout in the middle = %+v, want it to keep its start", got)
	}
	for target, want := range map[int]bool{0: false, 1: true, 2: true} {
		if got := (Rollout{Target: 1}).Ahead(target); got != want {
			t.Errorf("Ahead(%d) = %v, want %v", target, got, want)
		}
	}
	if (Rollout{Target: 1, Group: "g"}).Ahead(1) || (Rollout{Done: true}).Ahead(0) {
		t.Error("what has begun, or is done, is not ahead")
	}
}
