package watch

import (
	"reflect"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// past is an execution of a job, queued at an instant.
func past(job muster.JobID, number int64, queued muster.Instant, change func(*muster.Execution)) jobs.Past {
	x := muster.Execution{Thing: "pump", Job: job, Number: number, Status: muster.Queued, QueuedAt: queued, UpdatedAt: queued}
	if change != nil {
		change(&x)
	}
	return jobs.Past{Execution: x, Of: &muster.Job{ID: job}}
}

func began(at muster.Instant) func(*muster.Execution) {
	return func(x *muster.Execution) { x.Status, x.StartedAt, x.UpdatedAt = muster.InProgress, at, at }
}

func ended(began, at muster.Instant, as muster.Status) func(*muster.Execution) {
	return func(x *muster.Execution) { x.Status, x.StartedAt, x.UpdatedAt = as, began, at }
}

// Executions of one job are one lane, and every span says how it ended.
func TestLanes(t *testing.T) {
	lanes := lanesOf([]jobs.Past{
		past("fw", 3, 50, began(60)),
		past("cfg", 1, 40, ended(0, 45, muster.Canceled)),
		past("fw", 2, 30, ended(35, 45, muster.TimedOut)),
		past("fw", 1, 10, ended(0, 20, muster.Failed)),
	}, muster.Diary{})
	want := []Lane{
		{Kind: ExecutionLane, Job: "fw", Number: 3, Spans: []Span{
			{1, muster.Queued, 10, 20, "FAILED"},
			{2, muster.Queued, 30, 35, ""}, {2, muster.InProgress, 35, 45, "TIMED_OUT"},
			{3, muster.Queued, 50, 60, ""}, {3, muster.InProgress, 60, 0, ""},
		}, Marks: []Mark{{At: 20, What: MarkReport, Number: 1}}},
		{Kind: ExecutionLane, Job: "cfg", Number: 1, Spans: []Span{{1, muster.Queued, 40, 45, "CANCELED"}}},
	}
	if !reflect.DeepEqual(lanes, want) {
		t.Errorf("got  %+v\nwant %+v", lanes, want)
	}
}

// What the diary knows is marked in the execution that was pending then, and in none of another time or job.
func TestMarksOfTheDiary(t *testing.T) {
	told := func(at, acked muster.Instant, job muster.JobID) muster.Diary {
		return muster.Diary{Told: muster.Telling{At: at, Acked: acked, Job: job}}
	}
	asked := func(at muster.Instant, job muster.JobID) muster.Diary {
		return muster.Diary{Asked: muster.Request{At: at, Job: job}}
	}
	queued, over := past("fw", 2, 50, nil), past("fw", 1, 10, ended(15, 20, muster.TimedOut))
	for name, c := range map[string]struct {
		of   jobs.Past
		d    muster.Diary
		want []Mark
	}{
		"told":                          {queued, told(51, 53, "fw"), []Mark{{At: 51, What: MarkTold, Number: 2, Acked: 53}}},
		"told of the one before":        {queued, told(18, 0, "fw"), nil},
		"told while it was pending":     {over, told(18, 0, "fw"), []Mark{{At: 18, What: MarkTold, Number: 1}}},
		"told after it was over":        {over, told(51, 0, "fw"), nil},
		"told of another job":           {queued, told(51, 0, "cfg"), nil},
		"told that nothing pends":       {queued, told(51, 0, ""), nil},
		"asked for":                     {queued, asked(50, "fw"), []Mark{{At: 50, What: MarkFetched, Number: 2}}},
		"asked for another":             {queued, asked(60, "cfg"), nil},
		"asked for whatever comes next": {queued, asked(60, ""), nil},
		"a diary without an entry":      {queued, muster.Diary{}, nil},
	} {
		if got := marksOf(c.of, c.d); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// The connection is a span up to now, or one that is over, whose beginning the diary may know.
func TestTheSpanOfTheConnection(t *testing.T) {
	over := muster.Connectivity{At: 40, Reason: "CLIENT_ERROR"}
	came := func(at muster.Instant) muster.Diary { return muster.Diary{Came: muster.Arrival{At: at}} }
	for name, c := range map[string]struct {
		sight sight
		want  Span
	}{
		"never connected":            {sight{diary: came(10)}, Span{}},
		"connected":                  {sight{connection: muster.Connectivity{Connected: true, At: 30}, diary: came(10)}, Span{From: 30}},
		"gone":                       {sight{connection: over, diary: came(10)}, Span{From: 10, To: 40, Ended: "CLIENT_ERROR"}},
		"gone, and nothing is known": {sight{connection: over}, Span{To: 40, Ended: "CLIENT_ERROR"}},
		"gone, and come again with another client id": {sight{connection: over, diary: came(50)}, Span{To: 40, Ended: "CLIENT_ERROR"}},
	} {
		if got := c.sight.connected(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// A page has what was pending at an instant from From on and before To.
func TestWhatIsInAPage(t *testing.T) {
	for name, c := range map[string]struct {
		span     Span
		from, to muster.Instant
		want     bool
	}{
		"no bounds":                    {Span{From: 10, To: 20}, 0, 0, true},
		"it ends when the page begins": {Span{From: 10, To: 20}, 20, 0, true},
		"it has ended":                 {Span{From: 10, To: 20}, 21, 0, false},
		"it lasts":                     {Span{From: 10}, 1000, 0, true},
		"it begins when the page ends": {Span{From: 10, To: 20}, 0, 10, false},
		"it begins before":             {Span{From: 10, To: 20}, 0, 11, true},
		"it is longer":                 {Span{From: 10, To: 20}, 12, 13, true},
		"its beginning is not known":   {Span{To: 20}, 12, 13, true},
		"there is none":                {Span{}, 0, 0, false},
	} {
		if got := c.span.in(TimelineQuery{From: c.from, To: c.to}); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The day stands in a sentence if it is not today.
func TestClock(t *testing.T) {
	const now = 1795854562000 // 2026-11-28T08:29:22Z
	for at, want := range map[muster.Instant]string{now: "08:29:22 UTC", now + 86_400_000: "2026-11-29 08:29:22 UTC"} {
		if got := clock(at, now); got != want {
			t.Errorf("clock(%d) = %s, want %s", at, got, want)
		}
	}
}

func TestWhenADeviceComesToAnExecution(t *testing.T) {
	before := []muster.Entry{{Job: "fw"}, {Job: "cfg"}, {Job: "app"}}
	for n, want := range []string{"when pump asks for it", "when fw ends", "when fw and 1 more end", "when fw and 2 more end"} {
		if got := condition("pump", before[:n]); got != want {
			t.Errorf("after %d: %s, want %s", n, got, want)
		}
	}
}
