package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobs"
)

func (o jobOperations) describeJob(ctx context.Context, in *wire.DescribeJobRequest) (*wire.DescribeJobResponse, error) {
	d, err := o.jobs.DescribeJob(ctx, muster.JobID(*in.JobID))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeJobResponse{DocumentSource: text(d.DocumentSource), Job: o.job(d)}
	if wire.Or(in.BeforeSubstitution, false) {
		out.Job.DestinationPackageVersions = o.account.releaseARNs(d.Config.Packages)
	}
	return out, nil
}

// job shows a job with exactly the members of jobs-control-plane.md section 3.8:
// three of the configurations are there even when they are not set.
func (o jobOperations) job(d jobs.JobDescription) *wire.Job {
	j := d.Job
	return &wire.Job{
		JobARN:          o.account.jobARN(j.ID),
		JobID:           text(j.ID),
		TargetSelection: new(j.Selection.String()),
		Status:          new(j.Status.String()),
		ForceCanceled:   yes(j.ForceCanceled),
		ReasonCode:      text(j.ReasonCode),
		Comment:         text(j.Comment),
		Targets:         o.account.TargetARNs(j.Targets),
		Description:     text(j.Description),
		NamespaceID:     text(j.Namespace),
		CreatedAt:       instant(j.CreatedAt),
		LastUpdatedAt:   instant(j.UpdatedAt),
		CompletedAt:     instant(j.CompletedAt),
		IsConcurrent:    new(j.Concurrent()),

		JobTemplateARN:     text(j.TemplateARN),
		DocumentParameters: d.Parameters,

		DestinationPackageVersions: o.account.releaseARNs(j.Packages),

		PresignedURLConfig:         presignedShape(j.Config.Presigned),
		JobExecutionsRolloutConfig: rolloutShape(j.Config.Rollout),
		TimeoutConfig:              timeoutShape(j.Config.TimeoutMinutes),
		AbortConfig:                abortShape(j.Config.Abort),
		JobExecutionsRetryConfig:   retryShape(j.Config.Retry),
		SchedulingConfig:           scheduleShape(j.Config.Schedule),
		ScheduledJobRollouts:       upcoming(d.Upcoming),
		JobProcessDetails:          o.processDetails(j, d.Counts),
	}
}

// upcoming lists the times when maintenance windows open next.
func upcoming(opens []string) []wire.ScheduledJobRollout {
	var out []wire.ScheduledJobRollout
	for _, at := range opens {
		out = append(out, wire.ScheduledJobRollout{StartTime: &at})
	}
	return out
}

func (o jobOperations) processDetails(j muster.Job, counts muster.Counts) *wire.JobProcessDetails {
	n := func(status muster.Status) *int { return new(int(counts.Of(status))) }
	details := &wire.JobProcessDetails{
		NumberOfCanceledThings:   n(muster.Canceled),
		NumberOfSucceededThings:  n(muster.Succeeded),
		NumberOfFailedThings:     n(muster.Failed),
		NumberOfRejectedThings:   n(muster.Rejected),
		NumberOfQueuedThings:     n(muster.Queued),
		NumberOfInProgressThings: n(muster.InProgress),
		NumberOfRemovedThings:    n(muster.Removed),
		NumberOfTimedOutThings:   n(muster.TimedOut),
	}
	if processing := j.Processing(); len(processing) > 0 {
		details.ProcessingTargets = o.account.TargetARNs(processing)
	}
	return details
}
