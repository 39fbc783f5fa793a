package sim

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// This file makes up jobs of all kinds.

// The one job template, from which some jobs are made.
const (
	templateID       = "standard"
	templateDocument = `{"from":"a template"}`
)

var templateConfig = muster.JobConfig{
	Rollout: muster.RolloutConfig{MaximumPerMinute: 30}, TimeoutMinutes: 45,
	Retry: []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 2}},
}

func (w *world) createTemplate() *order {
	return &order{
		name: "CreateJobTemplate " + templateID, want: noFailure,
		call: func(ctx context.Context) error {
			_, err := w.service.Jobs.CreateJobTemplate(ctx, jobs.NewJobTemplate{ID: templateID, Description: "what most jobs are like", Document: templateDocument, Config: templateConfig})
			return err
		},
		effect: func(*book) {},
	}
}

func (w *world) someTarget() muster.Target {
	if w.chance(4) {
		return muster.Target{Name: string(w.someThing())}
	}
	if w.chance(4) {
		return muster.Target{Group: true, Name: string(dynamics[w.rng.IntN(len(dynamics))].name)}
	}
	return muster.Target{Group: true, Name: string(w.someGroup().name)}
}

// configure leaves about half of what can be configured out.
func (w *world) configure(j *job) {
	c := &j.config
	c.Rollout = w.someRollout()
	if w.chance(2) {
		c.TimeoutMinutes = 1 + w.rng.IntN(120)
	}
	if w.chance(2) {
		c.Retry = w.someRetries()
	}
	if w.chance(3) {
		c.Abort = w.someAbort()
	}
	if w.chance(5) {
		j.calendar.start = (w.now/minute + 31) * minute
		if w.chance(2) {
			j.calendar.start += w.between(0, day) / minute * minute
		}
	}
	if w.chance(4) {
		j.calendar.end = max(w.now/minute*minute, j.calendar.start) + 31*minute + w.between(0, day)/minute*minute
		j.calendar.behavior = []muster.EndBehavior{"", muster.StopRollout, muster.CancelAtEnd, muster.ForceAtEnd}[w.rng.IntN(4)]
	}
	if j.selection == muster.Continuous && w.chance(3) {
		for range 1 + w.rng.IntN(2) {
			j.calendar.windows = append(j.calendar.windows, window{w.rng.IntN(60), []int{1, 1, 2, 6}[w.rng.IntN(4)], 1 + w.rng.IntN(50)})
		}
	}
	c.Schedule = j.calendar.order()
}

func (w *world) someRollout() muster.RolloutConfig {
	var c muster.RolloutConfig
	if w.chance(2) {
		c.MaximumPerMinute = 1 + w.rng.IntN([]int{5, 80, 400}[w.rng.IntN(3)])
	}
	if w.chance(3) {
		x := &muster.ExponentialRate{BasePerMinute: 1 + w.rng.IntN(30), Factor: float64(11+w.rng.IntN(40)) / 10}
		if w.chance(2) {
			x.NotifiedThings = 1 + w.rng.IntN(50)
		}
		if x.NotifiedThings == 0 || w.chance(2) {
			x.SucceededThings = 1 + w.rng.IntN(50)
		}
		c.Exponential = x
	}
	return c
}

func (w *world) someRetries() []muster.RetryCriterion {
	if w.chance(2) {
		return []muster.RetryCriterion{{Failure: muster.FailureAll, Max: 1 + w.rng.IntN(4)}}
	}
	return []muster.RetryCriterion{{Failure: muster.FailureFailed, Max: w.rng.IntN(4)}, {Failure: muster.FailureTimedOut, Max: w.rng.IntN(4)}}
}

func (w *world) someAbort() []muster.AbortCriterion {
	all := []muster.FailureType{muster.FailureAll, muster.FailureFailed, muster.FailureRejected, muster.FailureTimedOut}
	var criteria []muster.AbortCriterion
	for range 1 + w.rng.IntN(2) {
		criteria = append(criteria, muster.AbortCriterion{
			Failure: all[w.rng.IntN(len(all))], ThresholdPercent: float64(1+w.rng.IntN(400)) / 4, MinExecuted: 1 + w.rng.IntN(20),
		})
	}
	return criteria
}
