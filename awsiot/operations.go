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

		// Things and their types (registry.md sections 2 and 3).
		answer(wire.CreateThing, s.createThing),
		confirm(wire.DeleteThing, s.deleteThing),
		answer(wire.DescribeThing, s.describeThing),
		answer(wire.ListThings, s.listThings),
		confirm(wire.UpdateThing, s.updateThing),
		answer(wire.CreateThingType, s.createThingType, (*needs).createThingType),
		confirm(wire.DeleteThingType, s.deleteThingType),
		confirm(wire.DeprecateThingType, s.deprecateThingType),
		answer(wire.DescribeThingType, s.describeThingType),
		answer(wire.ListThingTypes, s.listThingTypes),
		confirm(wire.UpdateThingType, s.updateThingType),

		// Static thing groups and who is in them (registry.md section 4).
		answer(wire.CreateThingGroup, s.createThingGroup, (*needs).createThingGroup),
		confirm(wire.DeleteThingGroup, s.deleteThingGroup),
		answer(wire.DescribeThingGroup, s.describeThingGroup),
		answer(wire.ListThingGroups, s.listThingGroups),
		answer(wire.UpdateThingGroup, s.updateThingGroup),
		confirm(wire.AddThingToThingGroup, s.addThingToThingGroup, (*needs).addThingToThingGroup),
		answer(wire.ListThingGroupsForThing, s.listThingGroupsForThing),
		answer(wire.ListThingsInThingGroup, s.listThingsInThingGroup),
		confirm(wire.RemoveThingFromThingGroup, s.removeThingFromThingGroup, (*needs).removeThingFromThingGroup),
		confirm(wire.UpdateThingGroupsForThing, s.updateThingGroupsForThing, (*needs).updateThingGroupsForThing),

		// Tags of whatever can have some (registry.md section 6.4).
		answer(wire.ListTagsForResource, s.listTagsForResource, (*needs).listTagsForResource),
		confirm(wire.TagResource, s.tagResource, (*needs).tagResource),
		confirm(wire.UntagResource, s.untagResource, (*needs).untagResource),

		// The deployment itself.
		answer(wire.DescribeEndpoint, s.describeEndpoint),

		// What devices ask (jobs-data-plane.md section 7).
		handOver(wire.DataDescribeJobExecution),
		handOver(wire.GetPendingJobExecutions),
		handOver(wire.StartNextPendingJobExecution),
		handOver(wire.UpdateJobExecution),
	}
}
