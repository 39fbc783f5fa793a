package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/jobdoc"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/listing"
)

// JobTemplates keeps the templates of the account and has the managed ones
// (jobs-control-plane.md sections 7 and 8).
type JobTemplates interface {
	CreateJobTemplate(ctx context.Context, in jobs.NewJobTemplate) (muster.JobTemplate, error)
	DeleteJobTemplate(ctx context.Context, id muster.JobTemplateID) error
	JobTemplate(ctx context.Context, id muster.JobTemplateID) (muster.JobTemplate, error)
	JobTemplates(ctx context.Context, p listing.Page) (jobs.JobTemplateList, error)
	// ManagedTemplate returns this version of a managed template; "" is the newest.
	ManagedTemplate(name, version string) (jobdoc.ManagedTemplate, error)
	// ManagedTemplates lists the versions of the one with this name; "" lists all.
	ManagedTemplates(name string, p listing.Page) (jobs.ManagedTemplateList, error)
}

// templateOperations are the operations on job templates
// (jobs-control-plane.md sections 3.2, 3.3 and 3.13).
type templateOperations struct {
	account   account
	templates JobTemplates
	documents Documents // nil refuses a documentSource
}

func (o templateOperations) createJobTemplateNeeds(in *wire.CreateJobTemplateRequest) needs {
	return givenARNs(in.JobARN).and(arns(in.DestinationPackageVersions...), tagged(in.Tags, o.account.ARN("jobtemplate", *in.JobTemplateID)))
}

func (o templateOperations) createJobTemplate(ctx context.Context, in *wire.CreateJobTemplateRequest) (*wire.CreateJobTemplateResponse, error) {
	err := oneOf(member{"document", in.Document != nil}, member{"documentSource", in.DocumentSource != nil},
		member{"jobArn", in.JobARN != nil})
	if err != nil {
		return nil, err
	}
	config, err := jobConfig(given{
		in.JobExecutionsRolloutConfig, in.AbortConfig, in.JobExecutionsRetryConfig, in.TimeoutConfig,
		&wire.SchedulingConfig{MaintenanceWindows: in.MaintenanceWindows}, in.PresignedURLConfig,
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
	t, err := o.templates.CreateJobTemplate(ctx, jobs.NewJobTemplate{
		ID:          muster.JobTemplateID(*in.JobTemplateID),
		Description: *in.Description,
		Document:    document,
		Source:      wire.Or(in.DocumentSource, ""),
		Job:         wire.Or(in.JobARN, ""),
		Rights:      rightsOf(ctx),
		Config:      config,
		Tags:        tagsOf(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateJobTemplateResponse{JobTemplateARN: o.account.templateARN(t.ID), JobTemplateID: text(t.ID)}, nil
}

func (o templateOperations) deleteJobTemplate(ctx context.Context, in *wire.DeleteJobTemplateRequest) error {
	return o.templates.DeleteJobTemplate(ctx, muster.JobTemplateID(*in.JobTemplateID))
}

// describeJobTemplate shows a template. Unlike a job's, its configurations are
// absent when they are not set (jobs-control-plane.md section 3.3).
func (o templateOperations) describeJobTemplate(ctx context.Context, in *wire.DescribeJobTemplateRequest) (*wire.DescribeJobTemplateResponse, error) {
	t, err := o.templates.JobTemplate(ctx, muster.JobTemplateID(*in.JobTemplateID))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeJobTemplateResponse{
		JobTemplateARN: o.account.templateARN(t.ID),
		JobTemplateID:  text(t.ID),
		Description:    text(t.Description),
		Document:       text(t.Document),
		DocumentSource: text(t.DocumentSource),
		CreatedAt:      instant(t.CreatedAt),

		PresignedURLConfig:         set(presignedShape(t.Config.Presigned)),
		JobExecutionsRolloutConfig: set(rolloutShape(t.Config.Rollout)),
		TimeoutConfig:              set(timeoutShape(t.Config.TimeoutMinutes)),
		AbortConfig:                abortShape(t.Config.Abort),
		JobExecutionsRetryConfig:   retryShape(t.Config.Retry),
		MaintenanceWindows:         windowShapes(t.Config.Schedule.Windows),
		DestinationPackageVersions: o.account.releaseARNs(t.Config.Packages),
	}, nil
}

// set returns nil for a shape that has no members.
func set[T comparable](shape *T) *T {
	if *shape == *new(T) {
		return nil
	}
	return shape
}

func (o templateOperations) listJobTemplates(ctx context.Context, in *wire.ListJobTemplatesRequest) (*wire.ListJobTemplatesResponse, error) {
	list, err := o.templates.JobTemplates(ctx, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListJobTemplatesResponse{
		JobTemplates: each(list.Templates, func(t muster.JobTemplate) wire.JobTemplateSummary {
			return wire.JobTemplateSummary{
				JobTemplateARN: o.account.templateARN(t.ID), JobTemplateID: text(t.ID), Description: text(t.Description), CreatedAt: instant(t.CreatedAt),
			}
		}),
		NextToken: text(list.Next),
	}, nil
}

func (a account) templateARN(id muster.JobTemplateID) *string {
	return new(a.JobTemplateARN(id))
}
