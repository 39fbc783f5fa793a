package main

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/operator"
)

// jobOptions are engine.JobOptions on the wire. What a PUT leaves out stays.
type jobOptions struct {
	PaceJoiners *bool `json:"paceJoiners"`
}

// describeJobOptions shows what the contract has no field for.
func (s *server) describeJobOptions(ctx context.Context, c *operator.Call) (any, error) {
	options, err := s.engine.JobOptions(ctx, muster.JobID(c.Names["job"]))
	return jobOptions{&options.PaceJoiners}, err
}

// updateJobOptions makes of a job's options what a PUT says.
func (s *server) updateJobOptions(ctx context.Context, c *operator.Call) (any, error) {
	id := muster.JobID(c.Names["job"])
	options, err := s.engine.JobOptions(ctx, id)
	if err != nil {
		return nil, err
	}
	var order jobOptions
	if err := c.Decode(&order); err != nil {
		return nil, err
	}
	if order.PaceJoiners != nil {
		options.PaceJoiners = *order.PaceJoiners
	}
	return jobOptions{&options.PaceJoiners}, s.engine.SetJobOptions(ctx, id, options)
}
