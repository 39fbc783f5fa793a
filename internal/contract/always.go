package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// always lists members that every answer must have, although the models require
// hardly any: jobs-control-plane.md sections 3.8 and 3.9, jobs-data-plane.md sections
// 3.1 and 3.2. A dot stands before a member of an object, and brackets stand for each
// element of a list.
var always = map[*wire.Operation][]string{
	wire.DescribeJob: {
		"job.jobArn", "job.jobId", "job.targetSelection", "job.status", "job.targets", "job.presignedUrlConfig", "job.jobExecutionsRolloutConfig",
		"job.createdAt", "job.lastUpdatedAt", "job.timeoutConfig", "job.isConcurrent", "job.jobProcessDetails.numberOfCanceledThings",
		"job.jobProcessDetails.numberOfSucceededThings", "job.jobProcessDetails.numberOfFailedThings", "job.jobProcessDetails.numberOfRejectedThings",
		"job.jobProcessDetails.numberOfQueuedThings", "job.jobProcessDetails.numberOfInProgressThings", "job.jobProcessDetails.numberOfRemovedThings",
		"job.jobProcessDetails.numberOfTimedOutThings",
	},
	wire.DescribeJobExecution: {
		"execution.jobId", "execution.status", "execution.statusDetails", "execution.thingArn", "execution.queuedAt", "execution.lastUpdatedAt",
		"execution.executionNumber", "execution.versionNumber",
	},
	wire.ListJobs: {"jobs[].jobArn", "jobs[].jobId", "jobs[].targetSelection", "jobs[].status", "jobs[].createdAt", "jobs[].lastUpdatedAt", "jobs[].isConcurrent"},
	wire.ListJobExecutionsForJob: {
		"executionSummaries[].thingArn", "executionSummaries[].jobExecutionSummary.status", "executionSummaries[].jobExecutionSummary.queuedAt",
		"executionSummaries[].jobExecutionSummary.lastUpdatedAt", "executionSummaries[].jobExecutionSummary.executionNumber", "executionSummaries[].jobExecutionSummary.retryAttempt",
	},
	wire.ListJobExecutionsForThing: {"executionSummaries[].jobId", "executionSummaries[].jobExecutionSummary.status"},
	wire.CreateJob:                 {"jobArn", "jobId"},
	wire.CreateJobTemplate:         {"jobTemplateArn", "jobTemplateId"},
	wire.GetJobDocument:            {"document"},
	wire.DescribeThing:             {"thingName", "thingId", "thingArn", "attributes", "version", "defaultClientId"},
	wire.DescribeEndpoint:          {"endpointAddress"},
	wire.GetPendingJobExecutions: {
		"inProgressJobs[].jobId", "inProgressJobs[].queuedAt", "inProgressJobs[].lastUpdatedAt", "inProgressJobs[].startedAt", "inProgressJobs[].executionNumber",
		"inProgressJobs[].versionNumber", "queuedJobs[].jobId", "queuedJobs[].queuedAt",
	},
	wire.StartNextPendingJobExecution: nextMembers,
	wire.DataDescribeJobExecution:     nextMembers,
}

// nextMembers are those of the next execution over HTTPS, if there is one.
var nextMembers = []string{
	"execution?.jobId", "execution?.thingName", "execution?.status", "execution?.queuedAt", "execution?.lastUpdatedAt",
	"execution?.versionNumber", "execution?.executionNumber",
}

// missing returns the members that a success must have and does not have. The answer
// to a list operation has its list even if that is empty (registry.md REG-4).
func (in *input) missing(a *answer) error {
	facts := in.api.Operations[in.op.Name].Output
	if a.status != http.StatusOK || facts == nil || in.api.Shapes[facts.Shape].Payload != "" {
		return nil
	}
	var answer any
	if err := json.Unmarshal(a.body.Bytes(), &answer); err != nil {
		return err
	}
	paths := always[in.op]
	if strings.HasPrefix(in.op.Name, "List") {
		for name, m := range in.api.Shapes[facts.Shape].Members {
			if in.api.Shapes[m.Shape].Type == "list" {
				paths = append(slices.Clip(paths), name)
			}
		}
	}
	for _, path := range paths {
		if !has(answer, path) {
			return fmt.Errorf("%s is missing", path)
		}
	}
	return nil
}

// has reports whether a value has the member at a path of always.
func has(v any, path string) bool {
	step, rest, deeper := strings.Cut(path, ".")
	name, each := strings.CutSuffix(step, "[]")
	name, optional := strings.CutSuffix(name, "?")
	object, _ := v.(map[string]any)
	member, there := object[name]
	switch {
	case !there:
		return optional
	case !deeper:
		return true
	case !each:
		return has(member, rest)
	}
	list, ok := member.([]any)
	for _, element := range list {
		ok = ok && has(element, rest)
	}
	return ok
}
