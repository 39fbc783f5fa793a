package explain

import (
	"testing"
	"time"

	"github.com/muster-iot/muster"
)

func TestTheJobsOfAThingAreInTheOrderOfItsQueue(t *testing.T) {
	job := func(id muster.JobID, of muster.Status, with func(*Facts)) Facts {
		f := factsOf(of, with)
		f.JobID = id
		return f
	}
	later := func(f *Facts) { f.Execution.QueuedAt = ago(5 * time.Minute) }
	all := []Facts{
		job("rate", 0, nil),
		job("hidden", muster.Queued, windowed),
		job("second", muster.Queued, later),
		job("again", muster.Succeeded, func(f *Facts) { f.Job.Selection, f.Target.State = muster.Continuous, JoinWaits }),
		job("first", muster.Queued, nil),
		job("works", muster.InProgress, later),
	}
	o := ExplainThing("pump-7", all, true)
	var got []muster.JobID
	for _, e := range o.Jobs {
		got = append(got, e.Job)
	}
	want := []muster.JobID{"works", "first", "second", "hidden", "rate", "again"}
	if len(got) != len(want) {
		t.Fatalf("the jobs are %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the jobs are %v, want %v", got, want)
		}
	}
	if o.Say != o.Jobs[0].Say || !o.More {
		t.Errorf("it says %q, more %t", o.Say, o.More)
	}
}

func TestAThingWithoutJobs(t *testing.T) {
	o := ExplainThing("pump-7", nil, false)
	if o.Say != "Nothing pends for pump-7, and no job has still to reach it." || o.Jobs == nil || o.More {
		t.Errorf("%+v", o)
	}
}
