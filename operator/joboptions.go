package operator

import (
	"context"

	"github.com/muster-iot/muster"
)

// JobOptions are what the contract has no field for.
type JobOptions struct {
	PaceJoiners bool `json:"paceJoiners"` // late joiners go through the rollout's rate
}

// Jobs keeps the options of jobs. Both methods fail with NotFound for a job that
// is not there, SetJobOptions also with Invalid.
type Jobs interface {
	JobOptions(ctx context.Context, job muster.JobID) (JobOptions, error)
	SetJobOptions(ctx context.Context, job muster.JobID, options JobOptions) error
}

// jobARN names the job of a path.
func (p Parts) jobARN(names map[string]string) (string, error) {
	if !muster.ValidJobID(names["job"]) {
		return "", muster.Errorf(muster.Invalid, "%q is no id of a job", names["job"])
	}
	return p.Account.ARN("job", names["job"]), nil
}

// jobOptions returns the options as they are. What an update leaves out stays.
func (p Parts) jobOptions(ctx context.Context, c *Call) (JobOptions, error) {
	return p.Jobs.JobOptions(ctx, muster.JobID(c.Names["job"]))
}

func (p Parts) describeJobOptions(ctx context.Context, c *Call, _ none) (JobOptions, error) {
	return p.jobOptions(ctx, c)
}

func (p Parts) updateJobOptions(ctx context.Context, c *Call, options JobOptions) (JobOptions, error) {
	return options, p.Jobs.SetJobOptions(ctx, muster.JobID(c.Names["job"]), options)
}
