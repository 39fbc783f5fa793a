package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/muster-iot/muster"
)

// OfJob says how many things of a job are held up by which cause. Each thing counts once, by its latest execution, and the sum of
// the causes is Things.
type OfJob struct {
	Job     muster.JobID `json:"jobId"`
	Status  string       `json:"status"`
	Say     string       `json:"say"` // one sentence of at most 25 words
	Things  int64        `json:"things"`
	Exact   bool         `json:"exact"`
	Sampled int          `json:"sampled"` // how many things were looked at for those causes that were not counted; zero if Exact
	Causes  []Cause      `json:"causes"`  // those with the most things first
}

// Cause is what holds up some things of a job.
type Cause struct {
	Code   Code     `json:"code"`
	Means  string   `json:"means"`
	Things int64    `json:"things"`
	Sample []Sample `json:"sample"` // at most three
}

// Sample is one of the things that a cause holds up.
type Sample struct {
	Thing muster.ThingName `json:"thing"`
	Say   string           `json:"say"`
	Link  string           `json:"link"` // of its explanation
}

// samples is how many things are named for each cause.
const samples = 3

// Tally adds up what is known of the things of a job. The zero Tally has none.
type Tally struct {
	causes  map[Code]*Cause
	counted map[Code]int64 // exactly
	sampled map[Code]int64
	looked  int64
}

// Count adds things that a code is known to hold for; some are shown of them.
func (t *Tally) Count(code Code, things int64, some ...Facts) {
	if things <= 0 {
		return
	}
	t.make()
	t.counted[code] += things
	for _, f := range some {
		t.show(code, f)
	}
}

// Look adds a thing of those that were looked at. They stand for all that are not counted.
func (t *Tally) Look(f Facts) {
	t.make()
	code := CodeOf(f)
	t.sampled[code]++
	t.looked++
	t.show(code, f)
}

func (t *Tally) make() {
	if t.causes == nil {
		t.causes, t.counted, t.sampled = map[Code]*Cause{}, map[Code]int64{}, map[Code]int64{}
	}
}

func (t *Tally) show(code Code, f Facts) {
	c := t.causes[code]
	if c == nil {
		c = &Cause{Code: code, Means: code.Means()}
		t.causes[code] = c
	}
	if len(c.Sample) < samples {
		e := Explain(f)
		c.Sample = append(c.Sample, Sample{f.Thing, e.Say, fmt.Sprintf("/muster/v1/jobs/%s/things/%s/explanation", f.JobID, f.Thing)})
	}
}

// Sum returns what is known of all things of a job. Those that were looked at stand for others, themselves included; if that is
// as many as were looked at, the sum is exact.
func (t *Tally) Sum(job muster.JobID, status muster.JobStatus, others int64) OfJob {
	o := OfJob{Job: job, Status: status.String(), Exact: others == t.looked, Causes: []Cause{}}
	if !o.Exact {
		o.Sampled = int(t.looked)
	}
	shares := apportion(t.sampled, t.looked, others)
	for _, code := range Codes() {
		things := t.counted[code] + shares[code]
		if things == 0 {
			continue
		}
		c := Cause{Code: code, Means: code.Means()}
		if shown := t.causes[code]; shown != nil {
			c = *shown
		}
		c.Things = things
		c.Sample = append([]Sample{}, c.Sample...)
		o.Things += things
		o.Causes = append(o.Causes, c)
	}
	slices.SortStableFunc(o.Causes, func(a, b Cause) int { return -cmp.Compare(a.Things, b.Things) })
	o.Say = o.sentence()
	return o
}

// apportion divides a number as the parts of a sample are, so that the sum is right: by the largest remainders.
func apportion(parts map[Code]int64, whole, among int64) map[Code]int64 {
	shares, rests := map[Code]int64{}, map[Code]int64{}
	if whole == 0 {
		return shares
	}
	left := among
	var codes []Code
	for _, code := range Codes() {
		if parts[code] > 0 {
			codes = append(codes, code)
			shares[code], rests[code] = parts[code]*among/whole, parts[code]*among%whole
			left -= shares[code]
		}
	}
	slices.SortStableFunc(codes, func(a, b Code) int { return -cmp.Compare(rests[a], rests[b]) })
	for i := range left {
		shares[codes[i]]++
	}
	return shares
}

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
