package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// Executions shows, cancels and deletes executions (jobs-control-plane.md sections
// 3.6, 3.7, 3.9 and 3.12).
type Executions interface {
	CancelExecution(ctx context.Context, in jobs.ExecutionCancellation) error
	// DeleteExecution deletes the execution with this number, counted from 1.
	DeleteExecution(ctx context.Context, thing muster.ThingName, job muster.JobID, number int64, ns *muster.Namespace, force bool) error
	// ExecutionsOfJob lists executions with this status; the zero status lists all.
	ExecutionsOfJob(ctx context.Context, job muster.JobID, status muster.Status, page listing.Page) (jobs.ExecutionList, error)
	ExecutionsOfThing(ctx context.Context, thing muster.ThingName, f jobs.ThingExecutions, page listing.Page) (jobs.ExecutionList, error)
	// ShowExecution returns the execution with this number, or the latest for nil.
	ShowExecution(ctx context.Context, thing muster.ThingName, job muster.JobID, number *int64) (jobs.Shown, error)
}

// executionOperations are the operations on executions (jobs-control-plane.md
// sections 3.6, 3.7, 3.9 and 3.12).
type executionOperations struct {
	account    account
	executions Executions
}

func (o executionOperations) describeJobExecution(ctx context.Context, in *wire.DescribeJobExecutionRequest) (*wire.DescribeJobExecutionResponse, error) {
	x, err := o.executions.ShowExecution(ctx, muster.ThingName(*in.ThingName), muster.JobID(*in.JobID), in.ExecutionNumber)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeJobExecutionResponse{Execution: o.execution(x)}, nil
}

// execution shows an execution with exactly the members of
// jobs-control-plane.md section 3.9: statusDetails wraps the map and is always
// there.
func (o executionOperations) execution(x jobs.Shown) *wire.JobExecution {
	return &wire.JobExecution{
		JobID:                            text(x.Job),
		Status:                           new(x.Status.String()),
		ForceCanceled:                    yes(x.ForceCanceled),
		StatusDetails:                    &wire.JobExecutionStatusDetails{DetailsMap: x.Details},
		ThingARN:                         o.account.thingARN(x.Thing),
		QueuedAt:                         instant(x.QueuedAt),
		StartedAt:                        instant(x.StartedAt),
		LastUpdatedAt:                    instant(x.UpdatedAt),
		ExecutionNumber:                  new(x.Number),
		VersionNumber:                    new(x.Version),
		ApproximateSecondsBeforeTimedOut: secondsLeft(x),
	}
}

// secondsLeft returns the whole seconds until a timer ends the execution, never
// below zero, or nil if no timer runs.
func secondsLeft(x jobs.Shown) *int64 {
	deadline := x.Deadline()
	if deadline == 0 {
		return nil
	}
	return new((max(deadline-x.At, 0)).Seconds())
}

func (o executionOperations) cancelJobExecution(ctx context.Context, in *wire.CancelJobExecutionRequest) error {
	return o.executions.CancelExecution(ctx, jobs.ExecutionCancellation{
		Thing:           muster.ThingName(*in.ThingName),
		Job:             muster.JobID(*in.JobID),
		Force:           wire.Or(in.Force, false),
		ExpectedVersion: in.ExpectedVersion,
		Details:         in.StatusDetails,
	})
}

func (o executionOperations) deleteJobExecution(ctx context.Context, in *wire.DeleteJobExecutionRequest) error {
	return o.executions.DeleteExecution(ctx, muster.ThingName(*in.ThingName), muster.JobID(*in.JobID),
		*in.ExecutionNumber, optional[muster.Namespace](in.NamespaceID), wire.Or(in.Force, false))
}

func (o executionOperations) listJobExecutionsForJob(ctx context.Context, in *wire.ListJobExecutionsForJobRequest) (*wire.ListJobExecutionsForJobResponse, error) {
	status, _ := muster.ParseStatus(wire.Or(in.Status, ""))
	list, err := o.executions.ExecutionsOfJob(ctx, muster.JobID(*in.JobID), status, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListJobExecutionsForJobResponse{
		ExecutionSummaries: each(list.Executions, func(x muster.Execution) wire.JobExecutionSummaryForJob {
			return wire.JobExecutionSummaryForJob{ThingARN: o.account.thingARN(x.Thing), JobExecutionSummary: summary(x)}
		}),
		NextToken: text(list.Next),
	}, nil
}

func (o executionOperations) listJobExecutionsForThingNeeds(in *wire.ListJobExecutionsForThingRequest) needs {
	return o.account.named("job", in.JobID)
}

func (o executionOperations) listJobExecutionsForThing(ctx context.Context, in *wire.ListJobExecutionsForThingRequest) (*wire.ListJobExecutionsForThingResponse, error) {
	filter := jobs.ThingExecutions{
		Namespace: optional[muster.Namespace](in.NamespaceID),
		Job:       value[muster.JobID](in.JobID),
	}
	filter.Status, _ = muster.ParseStatus(wire.Or(in.Status, ""))
	list, err := o.executions.ExecutionsOfThing(ctx, muster.ThingName(*in.ThingName), filter, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListJobExecutionsForThingResponse{
		ExecutionSummaries: each(list.Executions, func(x muster.Execution) wire.JobExecutionSummaryForThing {
			return wire.JobExecutionSummaryForThing{JobID: text(x.Job), JobExecutionSummary: summary(x)}
		}),
		NextToken: text(list.Next),
	}, nil
}

// summary shows an execution in a list (jobs-control-plane.md section 3.12).
func summary(x muster.Execution) *wire.JobExecutionSummary {
	return &wire.JobExecutionSummary{
		Status:          new(x.Status.String()),
		QueuedAt:        instant(x.QueuedAt),
		StartedAt:       instant(x.StartedAt),
		LastUpdatedAt:   instant(x.UpdatedAt),
		ExecutionNumber: new(x.Number),
		RetryAttempt:    new(x.Retries.Attempt()),
	}
}

func (a account) thingARN(name muster.ThingName) *string {
	return new(a.ARN("thing", string(name)))
}
