package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

func (n *needs) createJobTemplate(in *wire.CreateJobTemplateRequest) {
	n.given(in.JobARN)
	n.arns(in.DestinationPackageVersions...)
	n.tagged(in.Tags, n.account.ARN("jobtemplate", *in.JobTemplateID))
}

func (s *Server) createJobTemplate(ctx context.Context, in *wire.CreateJobTemplateRequest) (*wire.CreateJobTemplateResponse, error) {
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
	if config.Packages, err = s.releases(in.DestinationPackageVersions); err != nil {
		return nil, err
	}
	document, err := s.document(ctx, in.Document, in.DocumentSource)
	if err != nil {
		return nil, err
	}
	t, err := s.o.Engine.CreateJobTemplate(ctx, engine.NewJobTemplate{
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
	return &wire.CreateJobTemplateResponse{JobTemplateARN: s.templateARN(t.ID), JobTemplateID: text(t.ID)}, nil
}

func (s *Server) deleteJobTemplate(ctx context.Context, in *wire.DeleteJobTemplateRequest) error {
	return s.o.Engine.DeleteJobTemplate(ctx, muster.JobTemplateID(*in.JobTemplateID))
}

// describeJobTemplate shows what a template sets: unlike those of a job, its
// configurations are absent when unset (jobs-control-plane.md section 3.3).
func (s *Server) describeJobTemplate(ctx context.Context, in *wire.DescribeJobTemplateRequest) (*wire.DescribeJobTemplateResponse, error) {
	t, err := s.o.Engine.JobTemplate(ctx, muster.JobTemplateID(*in.JobTemplateID))
	if err != nil {
		return nil, err
	}
	return &wire.DescribeJobTemplateResponse{
		JobTemplateARN: s.templateARN(t.ID),
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
		DestinationPackageVersions: s.releaseARNs(t.Config.Packages),
	}, nil
}

// set returns nil for a shape that has no members.
func set[T comparable](shape *T) *T {
	if *shape == *new(T) {
		return nil
	}
	return shape
}

func (s *Server) listJobTemplates(ctx context.Context, in *wire.ListJobTemplatesRequest) (*wire.ListJobTemplatesResponse, error) {
	list, err := s.o.Engine.JobTemplates(ctx, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListJobTemplatesResponse{JobTemplates: make([]wire.JobTemplateSummary, 0, len(list.Templates)), NextToken: text(list.Next)}
	for _, t := range list.Templates {
		out.JobTemplates = append(out.JobTemplates, wire.JobTemplateSummary{
			JobTemplateARN: s.templateARN(t.ID), JobTemplateID: text(t.ID), Description: text(t.Description), CreatedAt: instant(t.CreatedAt),
		})
	}
	return out, nil
}

func (s *Server) templateARN(id muster.JobTemplateID) *string {
	return new(s.o.Account.JobTemplateARN(id))
}
