package awsiot

import "github.com/muster-iot/muster/awsiot/wire"

//go:generate go run ../internal/compatdoc -out ../docs/compatibility.md -readme ../README.md

// table lists what this package serves, one row for each operation. The
// compatibility table is generated from it.
func (s *Server) table() []operation {
	return []operation{
		// Jobs (jobs-control-plane.md section 2).
		answer(wire.AssociateTargetsWithJob, s.associateTargetsWithJob, (*needs).associateTargets),
		answer(wire.CancelJob, s.cancelJob),
		answer(wire.CreateJob, s.createJob, (*needs).createJob),
		perform(wire.DeleteJob, s.deleteJob),
		answer(wire.DescribeJob, s.describeJob),
		answer(wire.GetJobDocument, s.getJobDocument),
		answer(wire.ListJobs, s.listJobs),
		perform(wire.UpdateJob, s.updateJob),

		// Their executions.
		perform(wire.CancelJobExecution, s.cancelJobExecution),
		perform(wire.DeleteJobExecution, s.deleteJobExecution),
		answer(wire.DescribeJobExecution, s.describeJobExecution),
		answer(wire.ListJobExecutionsForJob, s.listJobExecutionsForJob),
		answer(wire.ListJobExecutionsForThing, s.listJobExecutionsForThing),

		// The deployment itself.
		answer(wire.DescribeEndpoint, s.describeEndpoint),

		// What devices ask (jobs-data-plane.md section 7).
		handOver(wire.DataDescribeJobExecution),
		handOver(wire.GetPendingJobExecutions),
		handOver(wire.StartNextPendingJobExecution),
		handOver(wire.UpdateJobExecution),
	}
}
