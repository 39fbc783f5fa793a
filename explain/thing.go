package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
)

// OfThing says what moves, and what does not, on a thing.
type OfThing struct {
	Thing muster.ThingName `json:"thing"`
	Say   string           `json:"say"` // one sentence of at most 25 words
	// Jobs has what pends for the thing, in the order in which devices are shown it, then the jobs that have still to reach it.
	Jobs []Explanation `json:"jobs"`
	More bool          `json:"more"` // there are more jobs
}

// ExplainThing explains each job of a thing. all has the facts of each, in any order; more says that there are more jobs.
func ExplainThing(thing muster.ThingName, all []Facts, more bool) OfThing {
	o := OfThing{Thing: thing, Jobs: make([]Explanation, len(all)), More: more}
	for i, f := range all {
		o.Jobs[i] = Explain(f)
	}
	slices.SortStableFunc(o.Jobs, func(a, b Explanation) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(queuedAt(a), queuedAt(b)), cmp.Compare(a.Job, b.Job))
	})
	switch {
	case len(all) == 0:
		o.Say = fmt.Sprintf("Nothing pends for %s, and no job has still to reach it.", thing)
	default:
		o.Say = o.Jobs[0].Say
	}
	return o
}

// rank is where the queue of a thing has an execution: one at work before those that wait, and those before what has not come.
func rank(e Explanation) int {
	switch {
	case e.Execution == nil || e.Execution.Status.Terminal():
		return 3
	case e.Code == WindowClosed: // hidden
		return 2
	case e.Execution.Status == muster.Queued:
		return 1
	}
	return 0
}

func queuedAt(e Explanation) muster.Instant {
	if e.Execution == nil {
		return 0
	}
	return e.Execution.QueuedAt
}
