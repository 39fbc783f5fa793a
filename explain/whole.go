package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
)

// This file is about a thing with all its jobs, and a job with all its things.

// OfThing says what does not move on a thing.
type OfThing struct {
	Thing muster.ThingName `json:"thing"`
	Say   string           `json:"say"` // one sentence of at most 25 words
	// Explanations has one for each job that pends for the thing, in the order in which devices are given them, and for each
	// job that has still to reach it.
	Explanations []Explanation `json:"explanations"`
	More         bool          `json:"more"` // there are more jobs
}

// ThingOf says of a thing what the explanations of its jobs amount to: the first one counts.
func ThingOf(thing muster.ThingName, all []Explanation, more bool) OfThing {
	o := OfThing{thing, fmt.Sprintf("Nothing pends for %s, and no job has still to reach it.", thing), append([]Explanation{}, all...), more}
	if len(all) > 0 {
		o.Say = all[0].Say
	}
	return o
}

// OfJob says how many things of a job are held up by which cause. Each thing counts once, by its latest execution, and the sum of
// the causes is Things.
type OfJob struct {
	Job     muster.JobID `json:"jobId"`
	Status  string       `json:"status"`
	Say     string       `json:"say"` // one sentence of at most 25 words
	Things  int64        `json:"things"`
	Exact   bool         `json:"exact"`
	Sampled int          `json:"sampled"` // how many of the pending things were looked at, if not all; else zero
	Causes  []Cause      `json:"causes"`  // those with the most things first
}

// Cause is what holds up some things of a job.
type Cause struct {
	Code   Code     `json:"code"`
	Means  string   `json:"means"`
	Things int64    `json:"things"`
	Sample []Sample `json:"sample"`
}

// Sample is one of the things that a cause holds up.
type Sample struct {
	Thing muster.ThingName `json:"thing"`
	Say   string           `json:"say"`
	Link  string           `json:"link"` // the path of its explanation
}

// JobOf says of a job what the causes for its things amount to, how many there are of each and some explanations. sampled is how
// many of the pending things were looked at, if that was not all; else zero.
func JobOf(job muster.JobID, status muster.JobStatus, things map[Code]int64, some map[Code][]Explanation, sampled int) OfJob {
	o := OfJob{Job: job, Status: status.String(), Exact: sampled == 0, Sampled: sampled, Causes: []Cause{}}
	for _, code := range Codes() {
		if things[code] == 0 {
			continue
		}
		c := Cause{Code: code, Means: code.Means(), Things: things[code], Sample: []Sample{}}
		for _, e := range some[code] {
			c.Sample = append(c.Sample, Sample{e.Thing, e.Say, fmt.Sprintf("/muster/v1/jobs/%s/things/%s/explanation", e.Job, e.Thing)})
		}
		o.Things += c.Things
		o.Causes = append(o.Causes, c)
	}
	slices.SortStableFunc(o.Causes, func(a, b Cause) int { return cmp.Compare(b.Things, a.Things) })
	o.Say = o.sentence()
	return o
}

// sentence says how many have ended, and the commonest cause for the others.
func (o OfJob) sentence() string {
	var ended int64
	var most *Cause
	for i, c := range o.Causes {
		switch {
		case c.Code == Ended:
			ended = c.Things
		case most == nil:
			most = &o.Causes[i]
		}
	}
	about := ""
	if !o.Exact {
		about = "about "
	}
	switch {
	case o.Things == 0:
		return fmt.Sprintf("%s has no things.", o.Job)
	case most == nil:
		return fmt.Sprintf("%d of %d things of %s have ended.", ended, o.Things, o.Job)
	}
	return fmt.Sprintf("%d of %d things of %s have ended; of the others, %s%d: %s.", ended, o.Things, o.Job, about, most.Things, most.Means)
}
