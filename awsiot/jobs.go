package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

func (n *needs) createJob(in *wire.CreateJobRequest) {
	n.arns(in.Targets...)
	n.given(in.JobTemplateARN)
	n.arns(in.DestinationPackageVersions...)
	n.tagged(in.Tags, n.account.ARN("job", *in.JobID))
}

func (s *Server) createJob(ctx context.Context, in *wire.CreateJobRequest) (*wire.CreateJobResponse, error) {
	err := oneOf(member{"document", in.Document != nil}, member{"documentSource", in.DocumentSource != nil},
		member{"jobTemplateArn", in.JobTemplateARN != nil})
	if err != nil {
		return nil, err
	}
	targets, err := s.targets(in.Targets)
	if err != nil {
		return nil, err
	}
	config, err := jobConfig(given{
		in.JobExecutionsRolloutConfig, in.AbortConfig, in.JobExecutionsRetryConfig, in.TimeoutConfig, in.SchedulingConfig, in.PresignedURLConfig,
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
	job, err := s.o.Engine.CreateJob(ctx, engine.NewJob{
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
	return &wire.CreateJobResponse{JobARN: s.jobARN(job.ID), JobID: text(job.ID), Description: text(job.Description)}, nil
}

func (n *needs) associateTargets(in *wire.AssociateTargetsWithJobRequest) { n.arns(in.Targets...) }

func (s *Server) associateTargetsWithJob(ctx context.Context, in *wire.AssociateTargetsWithJobRequest) (*wire.AssociateTargetsWithJobResponse, error) {
	targets, err := s.targets(in.Targets)
	if err != nil {
		return nil, err
	}
	job, err := s.o.Engine.AssociateTargets(ctx, muster.JobID(*in.JobID), optional[muster.Namespace](in.NamespaceID), targets, in.Comment)
	if err != nil {
		return nil, err
	}
	return &wire.AssociateTargetsWithJobResponse{JobARN: s.jobARN(job.ID), JobID: text(job.ID), Description: text(job.Description)}, nil
}

func (s *Server) updateJob(ctx context.Context, in *wire.UpdateJobRequest) error {
	change, err := jobChange(in)
	if err != nil {
		return err
	}
	change.Rights = rightsOf(ctx)
	return s.o.Engine.UpdateJob(ctx, muster.JobID(*in.JobID), optional[muster.Namespace](in.NamespaceID), change)
}

func (s *Server) cancelJob(ctx context.Context, in *wire.CancelJobRequest) (*wire.CancelJobResponse, error) {
	job, err := s.o.Engine.CancelJob(ctx, muster.JobID(*in.JobID), engine.Cancellation{
		Force: wire.Or(in.Force, false), Comment: in.Comment, ReasonCode: in.ReasonCode,
	})
	if err != nil {
		return nil, err
	}
	return &wire.CancelJobResponse{JobARN: s.jobARN(job.ID), JobID: text(job.ID), Description: text(job.Description)}, nil
}

func (s *Server) deleteJob(ctx context.Context, in *wire.DeleteJobRequest) error {
	return s.o.Engine.DeleteJob(ctx, muster.JobID(*in.JobID), optional[muster.Namespace](in.NamespaceID), wire.Or(in.Force, false))
}

func (s *Server) getJobDocument(ctx context.Context, in *wire.GetJobDocumentRequest) (*wire.GetJobDocumentResponse, error) {
	document, err := s.o.Engine.JobDocument(ctx, muster.JobID(*in.JobID), wire.Or(in.BeforeSubstitution, false))
	if err != nil {
		return nil, err
	}
	return &wire.GetJobDocumentResponse{Document: &document}, nil
}

func (n *needs) listJobs(in *wire.ListJobsRequest) { n.narrowed("thinggroup", in.ThingGroupName) }

func (s *Server) listJobs(ctx context.Context, in *wire.ListJobsRequest) (*wire.ListJobsResponse, error) {
	filter := engine.JobFilter{
		Group:     value[muster.GroupName](in.ThingGroupName),
		GroupID:   wire.Or(in.ThingGroupID, ""),
		Namespace: optional[muster.Namespace](in.NamespaceID),
	}
	filter.Status, _ = muster.ParseJobStatus(wire.Or(in.Status, ""))
	if in.TargetSelection != nil {
		filter.Selection = new(selection(in.TargetSelection))
	}
	list, err := s.o.Engine.ListJobs(ctx, filter, page(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.ListJobsResponse{Jobs: make([]wire.JobSummary, 0, len(list.Jobs)), NextToken: text(list.Next)}
	for _, j := range list.Jobs {
		out.Jobs = append(out.Jobs, wire.JobSummary{
			JobARN:          s.jobARN(j.ID),
			JobID:           text(j.ID),
			ThingGroupID:    text(list.GroupID),
			TargetSelection: new(j.Selection.String()),
			Status:          new(j.Status.String()),
			CreatedAt:       instant(j.CreatedAt),
			LastUpdatedAt:   instant(j.UpdatedAt),
			CompletedAt:     instant(j.CompletedAt),
			IsConcurrent:    new(j.Concurrent()),
		})
	}
	return out, nil
}

func (s *Server) jobARN(id muster.JobID) *string { return new(s.o.Account.ARN("job", string(id))) }

// targets reads the ARNs of things and groups. How many there are is looked at
// before what they say (jobs-control-plane.md section 3.1, checks 4 and 5).
func (s *Server) targets(arns []string) ([]muster.Target, error) {
	if len(arns) > engine.TargetsMax {
		return nil, muster.Errorf(muster.LimitExceeded, "A job may have at most %d targets; these are %d", engine.TargetsMax, len(arns))
	}
	targets := make([]muster.Target, 0, len(arns))
	for _, arn := range arns {
		t, err := s.o.Account.Target(arn)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// selection reads a targetSelection, which validation has limited to two words.
func selection(word *string) muster.Selection {
	if word != nil && *word == muster.Continuous.String() {
		return muster.Continuous
	}
	return muster.Snapshot
}
