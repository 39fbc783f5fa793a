package jobs

import (
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
)

// Audited says what audit records show of jobs and templates: neither their documents nor where those are from.
func Audited() []audit.Shown {
	return []audit.Shown{
		audit.Show(tables.jobs, func(_ string, j muster.Job) (string, []audit.Field) {
			return "job/" + string(j.ID), slices.Concat([]audit.Field{
				audit.Is("status", j.Status.String()), audit.IfSet("namespaceId", j.Namespace), audit.Is("targetSelection", j.Selection.String()), audit.Is("targets", targetNames(j.Targets)),
				audit.IfSet("description", j.Description), audit.IfSet("comment", j.Comment), audit.IfSet("reasonCode", j.ReasonCode), audit.IfSet("forceCanceled", j.ForceCanceled),
				audit.IfSet("jobTemplateArn", j.TemplateARN), audit.IfSet("paceJoiners", j.PaceJoiners),
			}, shownConfig(j.Config))
		}),
		audit.Show(tables.templates, func(_ string, t muster.JobTemplate) (string, []audit.Field) {
			return "jobtemplate/" + string(t.ID), slices.Concat([]audit.Field{audit.IfSet("description", t.Description)}, shownConfig(t.Config))
		}),
	}
}

// targetNames returns the targets of a job, each as the end of its ARN.
func targetNames(targets []muster.Target) []string {
	all := make([]string, 0, len(targets))
	for _, t := range targets {
		kind := "thing/"
		if t.Group {
			kind = "thinggroup/"
		}
		all = append(all, kind+t.Name)
	}
	return all
}

// shownConfig returns the fields of a configuration that are set.
func shownConfig(c muster.JobConfig) []audit.Field {
	return []audit.Field{
		audit.IfSet("jobExecutionsRolloutConfig.maximumPerMinute", c.Rollout.MaximumPerMinute),
		audit.IfSet("jobExecutionsRolloutConfig.exponentialRate", c.Rollout.Exponential),
		audit.IfSet("abortConfig.criteriaList", c.Abort),
		audit.IfSet("jobExecutionsRetryConfig.criteriaList", c.Retry),
		audit.IfSet("timeoutConfig.inProgressTimeoutInMinutes", c.TimeoutMinutes),
		audit.IfSet("schedulingConfig.startTime", c.Schedule.StartTime),
		audit.IfSet("schedulingConfig.endTime", c.Schedule.EndTime),
		audit.IfSet("schedulingConfig.endBehavior", c.Schedule.EndBehavior),
		audit.IfSet("schedulingConfig.maintenanceWindows", c.Schedule.Windows),
		audit.IfSet("presignedUrlConfig.roleArn", c.Presigned.RoleARN),
		audit.IfSet("presignedUrlConfig.expiresInSec", c.Presigned.ExpiresInSec),
		audit.IfSet("destinationPackageVersions", c.Packages),
	}
}
