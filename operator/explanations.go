package operator

import (
	"context"
	"net/url"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/explain"
)

// Explainer says why jobs do not move. ExplainThing and ExplainJob fail with NotFound.
type Explainer interface {
	Explain(ctx context.Context, thing muster.ThingName, job muster.JobID) (explain.Explanation, error)
	ExplainThing(ctx context.Context, thing muster.ThingName) (explain.OfThing, error)
	ExplainJob(ctx context.Context, job muster.JobID) (explain.OfJob, error)
}

func (p Parts) explainOnThing(ctx context.Context, c *Call, _ none) (explain.Explanation, error) {
	if err := c.Query().Err(); err != nil {
		return explain.Explanation{}, err
	}
	return p.Explainer.Explain(ctx, muster.ThingName(c.Names["thing"]), muster.JobID(c.Names["job"]))
}

func (p Parts) explainThing(ctx context.Context, c *Call, _ none) (explain.OfThing, error) {
	if err := c.Query().Err(); err != nil {
		return explain.OfThing{}, err
	}
	return p.Explainer.ExplainThing(ctx, muster.ThingName(c.Names["thing"]))
}

func (p Parts) explainJob(ctx context.Context, c *Call, _ none) (explain.OfJob, error) {
	if err := c.Query().Err(); err != nil {
		return explain.OfJob{}, err
	}
	return p.Explainer.ExplainJob(ctx, muster.JobID(c.Names["job"]))
}

// Explain asks the server why a job does not move on a thing.
func (c Client) Explain(ctx context.Context, thing muster.ThingName, job muster.JobID) (explain.Explanation, error) {
	a := explainOnThing
	a.path = Prefix + "jobs/" + url.PathEscape(string(job)) + "/things/" + url.PathEscape(string(thing)) + "/explanation"
	return call(ctx, c, a, "", none{})
}

// ExplainThing asks the server why the jobs of a thing do not move.
func (c Client) ExplainThing(ctx context.Context, thing muster.ThingName) (explain.OfThing, error) {
	a := explainThing
	a.path = Prefix + "things/" + url.PathEscape(string(thing)) + "/explanation"
	return call(ctx, c, a, "", none{})
}

// ExplainJob asks the server how many things of a job wait for which cause.
func (c Client) ExplainJob(ctx context.Context, job muster.JobID) (explain.OfJob, error) {
	a := explainJob
	a.path = Prefix + "jobs/" + url.PathEscape(string(job)) + "/explanations"
	return call(ctx, c, a, "", none{})
}
