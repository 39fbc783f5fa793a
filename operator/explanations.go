package operator

import (
	"context"
	"net/url"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/watch"
)

// Explainer says why jobs do not move. ExplainThing and ExplainJob fail with NotFound.
type Explainer interface {
	Explain(ctx context.Context, thing muster.ThingName, job muster.JobID) (explain.Explanation, error)
	ExplainThing(ctx context.Context, thing muster.ThingName) (watch.ThingExplanations, error)
	ExplainJob(ctx context.Context, job muster.JobID) (watch.Causes, error)
}

// ThingExplanations say why the jobs of a thing do not move: those that pend, in the order in which devices are given them, then
// those that have not reached it.
type ThingExplanations struct {
	Thing        muster.ThingName      `json:"thing"`
	Explanations []explain.Explanation `json:"explanations"`
	More         bool                  `json:"more,omitempty"` // there are more, which are not explained
}

// JobExplanations say how many things of a job wait for which cause, each thing by its latest execution.
type JobExplanations struct {
	Job    muster.JobID `json:"jobId"`
	At     Instant      `json:"at"`
	Things int64        `json:"things"`
	// Sampled is how many things with a pending execution were looked at; null if all were.
	Sampled *int    `json:"sampled"`
	Causes  []Cause `json:"causes"` // the commonest first
}

// Cause is one for which things of a job wait.
type Cause struct {
	Code   explain.Code `json:"code"`
	Things int64        `json:"things"`
	Sample []Example    `json:"sample"` // some of the things
}

// Example is a thing that waits for a cause.
type Example struct {
	Thing muster.ThingName `json:"thing"`
	Say   string           `json:"say"`
	Link  string           `json:"link"` // the path of its explanation
}

func (p Parts) explainOnThing(ctx context.Context, c *Call, _ none) (explain.Explanation, error) {
	if err := c.Query().Err(); err != nil {
		return explain.Explanation{}, err
	}
	return p.Explainer.Explain(ctx, muster.ThingName(c.Names["thing"]), muster.JobID(c.Names["job"]))
}

func (p Parts) explainThing(ctx context.Context, c *Call, _ none) (ThingExplanations, error) {
	said := ThingExplanations{Thing: muster.ThingName(c.Names["thing"]), Explanations: []explain.Explanation{}}
	if err := c.Query().Err(); err != nil {
		return said, err
	}
	all, err := p.Explainer.ExplainThing(ctx, said.Thing)
	said.Explanations, said.More = append(said.Explanations, all.Explanations...), all.More
	return said, err
}

func (p Parts) explainJob(ctx context.Context, c *Call, _ none) (JobExplanations, error) {
	if err := c.Query().Err(); err != nil {
		return JobExplanations{}, err
	}
	all, err := p.Explainer.ExplainJob(ctx, muster.JobID(c.Names["job"]))
	said := JobExplanations{Job: all.Job, At: Instant(all.At), Things: all.Things, Causes: []Cause{}}
	if all.Sampled > 0 {
		said.Sampled = &all.Sampled
	}
	for _, cause := range all.Causes {
		shown := Cause{Code: cause.Code, Things: cause.Things, Sample: []Example{}}
		for _, e := range cause.Examples {
			shown.Sample = append(shown.Sample, Example{e.Thing, e.Say, explanationPath(e.Job, e.Thing)})
		}
		said.Causes = append(said.Causes, shown)
	}
	return said, err
}

// explanationPath returns the path at which a thing and a job are explained.
func explanationPath(job muster.JobID, thing muster.ThingName) string {
	return Prefix + "jobs/" + url.PathEscape(string(job)) + "/things/" + url.PathEscape(string(thing)) + "/explanation"
}

// Explain asks the server why a job does not move on a thing.
func (c Client) Explain(ctx context.Context, thing muster.ThingName, job muster.JobID) (explain.Explanation, error) {
	a := explainOnThing
	a.path = explanationPath(job, thing)
	return call(ctx, c, a, "", none{})
}

// ExplainThing asks the server why the jobs of a thing do not move.
func (c Client) ExplainThing(ctx context.Context, thing muster.ThingName) (ThingExplanations, error) {
	a := explainThing
	a.path = Prefix + "things/" + url.PathEscape(string(thing)) + "/explanation"
	return call(ctx, c, a, "", none{})
}

// ExplainJob asks the server how many things of a job wait for which cause.
func (c Client) ExplainJob(ctx context.Context, job muster.JobID) (JobExplanations, error) {
	a := explainJob
	a.path = Prefix + "jobs/" + url.PathEscape(string(job)) + "/explanations"
	return call(ctx, c, a, "", none{})
}
