package awsiot

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
)

// member is a member of an input that is not served yet, and whether it is
// given. An empty configuration asks for nothing, so it does not count.
type member struct {
	name  string
	given bool
}

// refuseUnserved returns an error for what CreateJob cannot do yet: better than
// a job that silently does something else.
func refuseUnserved(in *wire.CreateJobRequest) error {
	switch {
	case in.Document == nil && in.DocumentSource == nil && in.JobTemplateARN == nil:
		return muster.Errorf(muster.Invalid, "One of document, documentSource and jobTemplateArn is required")
	case in.Document != nil && in.DocumentSource != nil:
		return muster.Errorf(muster.Invalid, "document and documentSource exclude each other")
	case in.Document != nil && in.JobTemplateARN != nil:
		return muster.Errorf(muster.Invalid, "document and jobTemplateArn exclude each other")
	}
	scheduling := wire.Or(in.SchedulingConfig, wire.SchedulingConfig{})
	err := refuseGiven(
		member{"documentSource", in.DocumentSource != nil},
		member{"jobTemplateArn", in.JobTemplateARN != nil},
		member{"documentParameters", len(in.DocumentParameters) > 0},
		member{"destinationPackageVersions", len(in.DestinationPackageVersions) > 0},
		member{"presignedUrlConfig", !emptyPresigned(in.PresignedURLConfig)},
		member{"jobExecutionsRolloutConfig", !emptyRollout(in.JobExecutionsRolloutConfig)},
		member{"abortConfig", in.AbortConfig != nil},
		member{"timeoutConfig", !emptyTimeout(in.TimeoutConfig)},
		member{"jobExecutionsRetryConfig", in.JobExecutionsRetryConfig != nil},
		member{"schedulingConfig.startTime", scheduling.StartTime != nil},
		member{"schedulingConfig.endTime", scheduling.EndTime != nil},
		member{"schedulingConfig.endBehavior", scheduling.EndBehavior != nil},
		member{"schedulingConfig.maintenanceWindows", len(scheduling.MaintenanceWindows) > 0},
	)
	if err == nil && strings.Contains(*in.Document, "${aws:") {
		err = muster.Errorf(muster.Invalid, "The job document has a placeholder ${aws:…}; placeholders are not supported yet")
	}
	return err
}

// refuseUnservedChange is refuseUnserved for UpdateJob. Retries may be set to 0
// only, which is what every job has (jobs-control-plane.md section 3.14).
func refuseUnservedChange(in *wire.UpdateJobRequest) error {
	if in.JobExecutionsRetryConfig != nil {
		for _, criteria := range in.JobExecutionsRetryConfig.CriteriaList {
			if wire.Or(criteria.NumberOfRetries, 0) != 0 {
				return muster.Errorf(muster.Invalid, "jobExecutionsRetryConfig can only be updated to numberOfRetries 0")
			}
		}
	}
	return refuseGiven(
		member{"presignedUrlConfig", !emptyPresigned(in.PresignedURLConfig)},
		member{"jobExecutionsRolloutConfig", !emptyRollout(in.JobExecutionsRolloutConfig)},
		member{"abortConfig", in.AbortConfig != nil},
		member{"timeoutConfig", !emptyTimeout(in.TimeoutConfig)},
	)
}

func refuseGiven(members ...member) error {
	for _, m := range members {
		if m.given {
			return muster.Errorf(muster.Invalid, "%s is not supported yet", m.name)
		}
	}
	return nil
}

func emptyPresigned(c *wire.PresignedUrlConfig) bool {
	return c == nil || *c == wire.PresignedUrlConfig{}
}

func emptyRollout(c *wire.JobExecutionsRolloutConfig) bool {
	return c == nil || *c == wire.JobExecutionsRolloutConfig{}
}

func emptyTimeout(c *wire.TimeoutConfig) bool { return c == nil || *c == wire.TimeoutConfig{} }
