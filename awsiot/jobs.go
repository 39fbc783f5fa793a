package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// Jobs keeps jobs, their executions and their templates (jobs-control-plane.md
// section 3).
type Jobs interface {
	Executions
	JobTemplates
	AssociateTargets(ctx context.Context, id muster.JobID, ns *muster.Namespace, add []muster.Target, comment *string) (muster.Job, error)
	CancelJob(ctx context.Context, id muster.JobID, in jobs.Cancellation) (muster.Job, error)
	CreateJob(ctx context.Context, in jobs.NewJob) (muster.Job, error)
	DeleteJob(ctx context.Context, id muster.JobID, ns *muster.Namespace, force bool) error
	DescribeJob(ctx context.Context, id muster.JobID) (jobs.JobDescription, error)
	// JobDocument returns the document as it was submitted. Unless
	// beforeSubstitution, the parameters of its template and its signatures are
	// filled in.
	JobDocument(ctx context.Context, id muster.JobID, beforeSubstitution bool) (string, error)
	ListJobs(ctx context.Context, f jobs.JobFilter, page listing.Page) (jobs.JobList, error)
	UpdateJob(ctx context.Context, id muster.JobID, ns *muster.Namespace, in jobs.JobChange) error
}

// jobOperations are the operations on jobs (jobs-control-plane.md section 3).
type jobOperations struct {
	account   account
	jobs      Jobs
	documents Documents // nil refuses a documentSource
}

func (o jobOperations) createJobNeeds(in *wire.CreateJobRequest) needs {
	return arns(in.Targets...).and(givenARNs(in.JobTemplateARN), arns(in.DestinationPackageVersions...), tagged(in.Tags, o.account.ARN("job", *in.JobID)))
}

func (o jobOperations) createJob(ctx context.Context, in *wire.CreateJobRequest) (*wire.CreateJobResponse, error) {
	err := oneOf(member{"document", in.Document != nil}, member{"documentSource", in.DocumentSource != nil},
		member{"jobTemplateArn", in.JobTemplateARN != nil})
	if err != nil {
		return nil, err
	}
	targets, err := o.account.targets(in.Targets)
	if err != nil {
		return nil, err
	}
	config, err := jobConfig(given{
		in.JobExecutionsRolloutConfig, in.AbortConfig, in.JobExecutionsRetryConfig, in.TimeoutConfig, in.SchedulingConfig, in.PresignedURLConfig,
	})
	if err != nil {
		return nil, err
	}
	if config.Packages, err = o.account.releases(in.DestinationPackageVersions); err != nil {
		return nil, err
	}
	document, err := document(ctx, o.documents, in.Document, in.DocumentSource)
	if err != nil {
		return nil, err
	}
	job, err := o.jobs.CreateJob(ctx, jobs.NewJob{
		ID:          muster.JobID(*in.JobID),
		Namespace:   value[muster.Namespace](in.NamespaceID),
		Targets:     targets,
		Selection:   selection(in.TargetSelection),
		Document:    document,
		Source:      wire.Or(in.DocumentSource, ""),
		Description: wire.Or(in.Description, ""),
		Config:      config,
		Tags:        tagsOf(in.Tags),
		Template:    wire.Or(in.JobTemplateARN, ""),
		Parameters:  in.DocumentParameters,
		Rights:      rightsOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateJobResponse{JobARN: o.account.jobARN(job.ID), JobID: text(job.ID), Description: text(job.Description)}, nil
}

func (jobOperations) associateTargetsWithJobNeeds(in *wire.AssociateTargetsWithJobRequest) needs {
	return arns(in.Targets...)
}

func (o jobOperations) associateTargetsWithJob(ctx context.Context, in *wire.AssociateTargetsWithJobRequest) (*wire.AssociateTargetsWithJobResponse, error) {
	targets, err := o.account.targets(in.Targets)
	if err != nil {
		return nil, err
	}
	job, err := o.jobs.AssociateTargets(ctx, muster.JobID(*in.JobID), optional[muster.Namespace](in.NamespaceID), targets, in.Comment)
	if err != nil {
		return nil, err
	}
	return &wire.AssociateTargetsWithJobResponse{JobARN: o.account.jobARN(job.ID), JobID: text(job.ID), Description: text(job.Description)}, nil
}

func (o jobOperations) updateJob(ctx context.Context, in *wire.UpdateJobRequest) error {
	change, err := jobChange(in)
	if err != nil {
		return err
	}
	change.Rights = rightsOf(ctx)
	return o.jobs.UpdateJob(ctx, muster.JobID(*in.JobID), optional[muster.Namespace](in.NamespaceID), change)
}

func (o jobOperations) cancelJob(ctx context.Context, in *wire.CancelJobRequest) (*wire.CancelJobResponse, error) {
	job, err := o.jobs.CancelJob(ctx, muster.JobID(*in.JobID), jobs.Cancellation{
		Force: wire.Or(in.Force, false), Comment: in.Comment, ReasonCode: in.ReasonCode,
	})
	if err != nil {
		return nil, err
	}
	return &wire.CancelJobResponse{JobARN: o.account.jobARN(job.ID), JobID: text(job.ID), Description: text(job.Description)}, nil
}

func (o jobOperations) deleteJob(ctx context.Context, in *wire.DeleteJobRequest) error {
	return o.jobs.DeleteJob(ctx, muster.JobID(*in.JobID), optional[muster.Namespace](in.NamespaceID), wire.Or(in.Force, false))
}

func (o jobOperations) getJobDocument(ctx context.Context, in *wire.GetJobDocumentRequest) (*wire.GetJobDocumentResponse, error) {
	document, err := o.jobs.JobDocument(ctx, muster.JobID(*in.JobID), wire.Or(in.BeforeSubstitution, false))
	if err != nil {
		return nil, err
	}
	return &wire.GetJobDocumentResponse{Document: &document}, nil
}

func (o jobOperations) listJobsNeeds(in *wire.ListJobsRequest) needs {
	return o.account.narrowed("thinggroup", in.ThingGroupName)
}

func (o jobOperations) listJobs(ctx context.Context, in *wire.ListJobsRequest) (*wire.ListJobsResponse, error) {
	filter := jobs.JobFilter{
		Group:     value[muster.GroupName](in.ThingGroupName),
		GroupID:   wire.Or(in.ThingGroupID, ""),
		Namespace: optional[muster.Namespace](in.NamespaceID),
	}
	filter.Status, _ = muster.ParseJobStatus(wire.Or(in.Status, ""))
	if in.TargetSelection != nil {
		filter.Selection = new(selection(in.TargetSelection))
	}
	list, err := o.jobs.ListJobs(ctx, filter, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListJobsResponse{
		Jobs: each(list.Jobs, func(j muster.Job) wire.JobSummary {
			return wire.JobSummary{
				JobARN:          o.account.jobARN(j.ID),
				JobID:           text(j.ID),
				ThingGroupID:    text(list.GroupID),
				TargetSelection: new(j.Selection.String()),
				Status:          new(j.Status.String()),
				CreatedAt:       instant(j.CreatedAt),
				LastUpdatedAt:   instant(j.UpdatedAt),
				CompletedAt:     instant(j.CompletedAt),
				IsConcurrent:    new(j.Concurrent()),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

func (a account) jobARN(id muster.JobID) *string { return new(a.ARN("job", string(id))) }

// targets reads the ARNs of things and groups. Their number is checked before their
// form (jobs-control-plane.md section 3.1, checks 4 and 5).
func (a account) targets(arns []string) ([]muster.Target, error) {
	if len(arns) > jobs.TargetsMax {
		return nil, muster.Errorf(muster.LimitExceeded, "A job may have at most %d targets; these are %d", jobs.TargetsMax, len(arns))
	}
	targets := make([]muster.Target, 0, len(arns))
	for _, arn := range arns {
		t, err := a.Target(arn)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// selection reads a targetSelection; validation has checked that it is one of two
// words.
func selection(word *string) muster.Selection {
	if word != nil && *word == muster.Continuous.String() {
		return muster.Continuous
	}
	return muster.Snapshot
}
